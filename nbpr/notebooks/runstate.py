"""The names of what runs leave in a notebook's metadata: what cleaning takes away besides outputs and counts.

Keys are written `metadata.a` for the notebook's metadata and `cell.metadata.a` for the cells'.
"""

from __future__ import annotations

#: What nbstripout takes away, and of it what nbformat itself never writes (signature, trusted, orig_nbformat).
_AS_NBSTRIPOUT = (
    "metadata.signature",
    "metadata.widgets",
    "metadata.orig_nbformat",
    "metadata.orig_nbformat_minor",
    "cell.metadata.collapsed",
    "cell.metadata.ExecuteTime",
    "cell.metadata.execution",
    "cell.metadata.heading_collapsed",
    "cell.metadata.hidden",
    "cell.metadata.scrolled",
    "cell.metadata.trusted",
)
#: What else runs leave behind: papermill (parameters, absolute paths), nbpr itself, Colab (who ran it), Deepnote.
_OF_OTHERS = (
    "metadata.papermill",
    "metadata.nbpr",
    "cell.metadata.papermill",
    "cell.metadata.nbpr-left-out",
    "cell.metadata.nbpr-conflict",
    "cell.metadata.executionInfo",
    "cell.metadata.outputId",
    "cell.metadata.execution_start",
    "cell.metadata.execution_millis",
)
CLEANED_KEYS = _AS_NBSTRIPOUT + _OF_OTHERS
