"""Notebooks that lie in a storage instead of a folder: `s3://bucket/name.ipynb`, by papermill's own handler.

Credentials are what boto3 finds by itself: environment, profile, role. They are kept out of all that is said, and no
kernel gets them: its environment is an allow-list, and the process that holds them is shut to others of the same user.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nbpr import process, redaction
from nbpr.errors import BadInput, Missing, NbprError, NotAllowed, OutOfReach
from nbpr.notebooks import notebook

SCHEME = "s3://"

#: What boto3 raises where it finds no credentials that it can use.
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError",
                   "UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError")  # fmt: skip
_UNREACHED = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError",
              "SSLError", "ProxyConnectionError", "HTTPClientError", "AwsError", "Exception")  # fmt: skip
#: What a server answers that has no room or no time for now.
_LATER = ("SlowDown", "Throttling", "RequestLimitExceeded", "ServiceUnavailable", "InternalError", "RequestTimeout")

_WRITING = threading.Lock()


@dataclass(frozen=True)
class Remote:
    """A file, or with a slash at its end a folder, in a storage. It has what of `Path` is asked of places of runs."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part of its name."""
        return PurePosixPath(self.url).name

    @property
    def suffix(self) -> str:
        """The ending of `name`."""
        return PurePosixPath(self.url).suffix

    def is_dir(self) -> bool:
        """Whether it names a folder: storages have none but in names."""
        return self.url.endswith("/") or self.bucket == self.url.removeprefix(SCHEME)

    @property
    def bucket(self) -> str:
        """The bucket that it lies in."""
        return self.url.removeprefix(SCHEME).partition("/")[0]

    def check(self) -> None:
        """Raises what keeps it from being written, as far as one request tells, before anything is run."""
        with _spoken(self) as s3:
            try:
                s3.client.head_bucket(Bucket=self.bucket)
            except Exception as error:
                # Many may write into a bucket, and not ask about it.
                if _status(error) != 403:
                    raise

    def read_bytes(self) -> bytes:
        """What it holds. Raises `BadInput` where there is no such file, `NotAllowed`, `OutOfReach`."""
        with _spoken(self) as s3:
            # Not `S3Handler.read`: that fails where a block of a megabyte ends within a letter, and loses the last
            # line's end.
            return b"".join(s3.cat(self.url, encoding=None))

    def write_bytes(self, data: bytes) -> None:
        """Put `data` there, whole or not at all. Raises `BadInput`, `NotAllowed`, `OutOfReach`."""
        # Runs end in many threads, and boto3's resources are not made for that.
        with _WRITING, _spoken(self):
            from papermill.iorw import S3Handler

            S3Handler.write(data.decode(), self.url)


Place = Path | Remote


def is_remote(word: str) -> bool:
    """Whether a path is an address: of a storage that is known, or not."""
    return "://" in word


def place(word: str | Path) -> Place:
    """The place that a word names. Raises `BadInput` for an address of another kind than `s3://`, or of no file."""
    if isinstance(word, Path) or not is_remote(word):
        return Path(word)
    found = Remote(word)
    if not word.startswith(SCHEME):
        raise BadInput(f"{word}: notebooks are read from files and from {SCHEME} alone")
    if not found.bucket or any(character in word for character in "?#@"):
        raise BadInput(f"{word}: a bucket and a name are wanted", hint=f"{SCHEME}bucket/folder/name.ipynb")
    return found


@contextmanager
def _spoken(to: Remote) -> Iterator[Any]:
    """papermill's client of the storage; what it raises in the block is raised as an error of ours."""
    for package, extra in (("papermill", "run"), ("boto3", "s3")):
        if importlib.util.find_spec(package) is None:
            raise Missing(package, extra=extra, what=f"{SCHEME} addresses need" if extra == "s3" else None)
    _keep_to_ourselves(os.environ.get("AWS_SECRET_ACCESS_KEY"), os.environ.get("AWS_SESSION_TOKEN"))
    notebook.quick_imports()
    try:
        from papermill.s3 import S3

        client = S3()
        _know(client.session)
        yield client
    except Exception as error:  # noqa: BLE001 - boto3 makes its exceptions while it runs: they are told by name
        raise _told(error, to) from None


def _know(session: Any) -> None:
    found = session.get_credentials()
    if found is not None:
        frozen = found.get_frozen_credentials()
        _keep_to_ourselves(frozen.secret_key, frozen.token)


def _keep_to_ourselves(*secrets: str | None) -> None:
    process.guard()
    redaction.know(*filter(None, secrets))


def _told(error: Exception, to: Remote) -> NbprError:
    """What went wrong, in a line."""
    if isinstance(error, NbprError):
        return error
    name, code, status = type(error).__name__, _code(error), _status(error)
    said = " ".join(str(error).split())
    if name in _NO_CREDENTIALS:
        return NotAllowed(f"{to}: no credentials: {said}", hint="AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret")
    if code in ("NoSuchBucket", "NoSuchKey") or status == 404:
        return BadInput(f"{to}: no such file, or no such bucket")
    if code in _LATER or name in _UNREACHED or (status or 0) >= 500:
        return OutOfReach(f"{to}: {said}", hint="try again; AWS_ENDPOINT_URL names another server than Amazon's")
    if status in (401, 403) or code in ("AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return NotAllowed(f"{to}: refused: {code}", hint="see which credentials boto3 finds: AWS_PROFILE, AWS_*")
    if name.endswith("Error") and type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
        return BadInput(f"{to}: {said}")
    raise error


def _code(error: Exception) -> str | None:
    found: str | None = getattr(error, "response", {}).get("Error", {}).get("Code")
    return found


def _status(error: Exception) -> int | None:
    found: int | None = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return found
