"""What is noise in outputs and what is a result."""

from __future__ import annotations

from typing import Any

import pytest

from nbpr import config
from nbpr.diff import noise, outputs
from nbpr.diff.noise import KINDS, Noise
from nbpr.diff.notebooks import compare
from nbpr.errors import BadInput
from tests.diff.scripts import book, code, display, stream

UUIDS = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
HEXES = "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72"

NOISY: dict[str, tuple[Any, Any]] = {
    "cpu times": (
        stream("CPU times: user 3 ms, sys: 1 ms, total: 4 ms\nWall time: 1.2 s\nok\n"),
        stream("CPU times: user 9 ms, sys: 0 ns, total: 9 ms\nWall time: 812 ms\nok\n"),
    ),
    "timeit": (
        stream("12.3 ms ± 4.5 µs per loop (mean ± std. dev. of 7 runs, 100 loops each)\n"),
        stream("1.1 s ± 45.1 ms per loop (mean ± std. dev. of 7 runs, 1 loop each)\n"),
    ),
    "elapsed": (stream("Elapsed time: 3.21\n"), stream("Elapsed time: 12.5\n")),
    "pace": (
        stream("10/10 [00:10<00:00, 9.9it/s]\n", "stderr"),
        stream("10/10 [01:02:11<00:00,  1.2 examples/s]\n", "stderr"),
    ),
    "took": (stream("training took 3.2 s\n"), stream("training took 1 min 12 s\n")),
    "address": (
        display(text_plain="<function f at 0x7f12345678a0>"),
        display(text_plain="<function f at 0x7fdeadbeef00>"),
    ),
    "tqdm": (
        stream(
            "  0%|     | 0/10 [00:00<?, ?it/s]\r 50%|##| 5/10 [00:01<00:01]\r100%|####| 10/10 [00:02<00:00]\n", "stderr"
        ),
        stream("  0%|     | 0/10 [00:00<?, ?it/s]\r100%|####| 10/10 [00:09<00:00]\n", "stderr"),
    ),
    "plotly": tuple(display(text_html=f'<div id="{uuid}" class="plotly-graph-div"></div>') for uuid in UUIDS),
    "widget": tuple(
        display(**{"application_vnd.jupyter.widget-view+json": {"model_id": name, "version_major": 2}})
        for name in HEXES
    ),
    "bokeh": tuple(display(text_html=f'<div id="p{n}" data-root-id="p{n}">Bokeh</div>') for n in (1002, 2044)),
    "styler": tuple(
        display(text_html=f'<style>#T_{n}_row0_col0{{}}</style><table id="T_{n}">') for n in ("ab12f", "0cd3e")
    ),
    "svg": tuple(
        display(
            text_plain="<Figure>",
            **{"image_svg+xml": f'<svg><dc:date>{day}</dc:date><g id="m{n}"/><use xlink:href="#m{n}"/></svg>'},
        )
        for day, n in (("2026-01-01T00:00:00", "0a1b2c3d4e"), ("2026-01-02T00:00:00", "f1b2c3d4ea"))
    ),
    "temporary path": (stream("saved to /tmp/tmpab12cd/x.csv\n"), stream("saved to /tmp/tmpzz99xy/x.csv\n")),
    "ipykernel path": (
        stream("/tmp/ipykernel_12/3456.py:3: UserWarning: x\n", "stderr"),
        stream("/tmp/ipykernel_98/7654.py:3: UserWarning: x\n", "stderr"),
    ),
}

RESULTS: dict[str, tuple[Any, Any]] = {
    "what a bar's user put after its pace": (
        stream("100%|##| 10/10 [00:10<00:00, 9.9it/s, loss=0.32]\n", "stderr"),
        stream("100%|##| 10/10 [00:11<00:00, 9.1it/s, loss=0.99]\n", "stderr"),
    ),
    "what stands after a time": (stream("Total time: 5 h, 12 alerts\n"), stream("Total time: 5 h, 3 alerts\n")),
    "no time at all": (stream("CPU times: 12 alerts\n"), stream("CPU times: 99 alerts\n")),
    "duration of something": (stream("trip duration: 14 min\n"), stream("trip duration: 27 min\n")),
    "what a short text did not overwrite": (stream("loss 0.5\r \n"), stream("loss 0.9\r \n")),
    "a digest in JSON": tuple(display(application_json={"md5": digest}, text_plain="<JSON>") for digest in HEXES),
    "a value under one of several ids": tuple(
        display(**{"application_vnd.x+json": {UUIDS[0]: value, UUIDS[1]: 2}}) for value in (1, 7)
    ),
    "number": (stream("loss 0.31\n"), stream("loss 0.32\n")),
    "duration that is the result": (stream("p95 latency: 12.3 ms\n"), stream("p95 latency: 900 ms\n")),
    "date that is the result": (stream("last seen 2026-01-01 10:00:00\n"), stream("last seen 2026-01-02 10:00:00\n")),
    "id in printed text": (stream(f"customer {UUIDS[0]}\n"), stream(f"customer {UUIDS[1]}\n")),
    "count of a progress bar": (stream("100%|##| 10/10 [00:02<00:00]\n"), stream("100%|##| 20/20 [00:02<00:00]\n")),
    "a line beside a time": (stream("Wall time: 1 s\nrows 3\n"), stream("Wall time: 2 s\nrows 4\n")),
    "picture": (display(image_png="AAAA"), display(image_png="BBBB")),
    "path of its own": (stream("read /data/a.csv\n"), stream("read /data/b.csv\n")),
}


@pytest.mark.parametrize("name", NOISY)
def test_noise_is_told_from_results(name: str) -> None:
    before, after = ([output] for output in NOISY[name])
    assert outputs.verdict(before, after, Noise()) == "noise"
    assert outputs.verdict(before, after, noise.NONE) == "changed"
    diff = compare("a.ipynb", book(code("x", "a", outputs=before)), book(code("x", "a", outputs=after)))
    assert [change.kind for change in diff.cells] == ["outputs"]
    assert (diff.noisy, diff.summary.outputs_changed, diff.cells[0].output_lines) == (1, 0, ())
    assert diff.diff != []


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_no_noise(name: str) -> None:
    before, after = ([output] for output in RESULTS[name])
    assert outputs.verdict(before, after, Noise()) == "changed"
    assert any(line.tag != " " for line in outputs.compare(before, after, Noise()))


def test_noise_beside_a_result_is_not_shown_as_a_change() -> None:
    before, after = ([stream(f"f at 0x7f00000000{n}0\nloss 0.{n}\ntook {n} s\n")] for n in (1, 2))
    lines = [line.tag + line.text for line in outputs.compare(before, after, Noise())]
    assert lines == [" f at 0x7f0000000020", "-loss 0.1", "+loss 0.2", " took 2 s"]


def test_what_one_stream_printed_in_two_pieces_is_one() -> None:
    assert outputs.verdict([stream("a\n"), stream("b\n")], [stream("a\nb\n")], Noise()) == "noise"
    assert outputs.verdict([stream("a\n"), stream("b\n", "stderr")], [stream("a\nb\n")], Noise()) == "changed"


def test_execution_counts_are_neither() -> None:
    before, after = ([{**display(text_plain="x"), "execution_count": n}] for n in (1, 2))
    assert outputs.verdict(before, after, Noise()) == "same"


def test_what_is_configured() -> None:
    latency = [stream("latency: 12.3 ms\n")], [stream("latency: 13.1 ms\n")]
    seeds = [stream("seed 17\n")], [stream("seed 4\n")]
    assert outputs.verdict(*latency, Noise.of(["durations"])) == "noise"
    assert outputs.verdict(*seeds, Noise.of([], [r"seed \d+"])) == "noise"
    assert outputs.verdict(*NOISY_LISTS, Noise.of([])) == "changed"


NOISY_LISTS = tuple([output] for output in NOISY["took"])


def test_an_expression_that_goes_beyond_its_line() -> None:
    before, after = ([stream(f"a\nseed\n{n}\nb\n")] for n in (1, 2))
    own = Noise.of([], [r"seed\n\d"])
    assert outputs.verdict(before, after, own) == "noise"
    assert [line.tag for line in outputs.compare(before, [stream("a\nseed\n1\nc\n")], own)] == [" ", " ", " ", "-", "+"]


def test_the_kinds_are_those_that_can_be_configured() -> None:
    assert tuple(KINDS) == config.NOISES


@pytest.mark.parametrize("table", [{"ignore": ["times"]}, {"ignore_patterns": ["("]}, {"ignore": "ids"}])
def test_what_cannot_be_configured(table: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"diff: ignore"):
        config.load(None, {"diff": table})
