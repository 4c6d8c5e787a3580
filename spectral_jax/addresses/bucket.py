"""Files of a bucket: read, written, listed, removed; tried again where that helps, and a sentence where it does not.

Arrays of a store are TensorStore's, which has retries of its own. What is here is for files: configs, metrics, weights,
match-ups, checkpoints on their way. An object appears whole or not at all, as object stores promise.
"""

import datetime
import email.utils
import functools
import http.client
import logging
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from spectral_jax.addresses import address
from spectral_jax.sentences import needs

LIMIT_SECONDS = 120.0  # a server that is started anew is waited for so long
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
REQUEST_SECONDS = 60  # without an answer for so long, a request has failed
# Answers of a server that is busy, or about to be well again.
BUSY = (408, 425, 429, 500, 502, 503, 504)
# Errors of the libraries under fsspec, by name: they are installed where they are used only.
PASSING = (
    "ClientError", "ClientConnectorError", "ClientOSError", "ClientPayloadError", "ConnectTimeoutError",
    "ConnectionClosedError", "EndpointConnectionError", "HTTPClientError", "IncompleteRead", "ReadTimeoutError",
    "ResponseStreamingError",
    "ServerDisconnectedError", "ServerTimeoutError", "FSTimeoutError", "TransportError", "ConnectionError",
)  # fmt: skip
T = TypeVar("T")


def read(where: str) -> bytes:
    """The bytes of one file.

    Raises:
      FileNotFoundError: there is none.
      PermissionError: it may not be read.
      OSError: the server does not answer, or fails; the sentence says for how long it was tried.
    """
    if address.scheme(where) in address.WRITTEN:
        return _tried("read", where, lambda: _files(where).cat_file(where))
    return _tried("read", where, lambda: _over_http(where))


def fetch(where: str, file: Path) -> None:
    """Copies one file to this machine, where it appears whole; errors as `read`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.partial")
    beside.unlink(missing_ok=True)
    if address.scheme(where) in address.WRITTEN:
        _tried("read", where, lambda: _files(where).get_file(where, str(beside)))
    else:
        _tried("read", where, lambda: _over_http(where, beside))
    beside.replace(file)


def write(where: str, data: bytes) -> None:
    """Writes one file.

    Raises:
      FileNotFoundError: there is no such bucket.
      PermissionError: it may not be written.
      OSError: the server does not answer, or fails; what was there before is still there.
    """
    _tried("written", where, lambda: _files(where).pipe_file(where, data))


def send(file: Path, where: str) -> None:
    """Copies one file of this machine to an address; errors as `write`."""
    _tried("written", where, lambda: _files(where).put_file(str(file), where))


def sizes(where: str) -> dict[str, int]:
    """Bytes of every file below an address, by the name that it has there; empty where there is none.

    Raises:
      ValueError: it is a web address, of which nothing can be listed.
      OSError: as `read`.
    """
    _expect_listing(where)
    base = urllib.parse.urlsplit(where)
    start = f"{base.netloc}{base.path}".rstrip("/") + "/"
    found = _tried("listed", where, lambda: _files(where).find(where, detail=True)) or {}
    files = {name.removeprefix("/"): about["size"] for name, about in found.items()}
    return {name.removeprefix(start): int(size) for name, size in files.items() if name.startswith(start)}


def names(where: str) -> list[str]:
    """What lies directly below an address, files and folders, sorted; errors as `sizes`."""
    _expect_listing(where)
    try:
        found = _tried("listed", where, lambda: _files(where).ls(where, detail=False))
    except FileNotFoundError:
        return []
    here = urllib.parse.urlsplit(where)
    below = [name.rstrip("/") for name in found]
    return sorted(n.rsplit("/", 1)[-1] for n in below if n.removeprefix("/") != f"{here.netloc}{here.path}".rstrip("/"))


def _expect_listing(where: str) -> None:
    if address.scheme(where) not in address.WRITTEN:
        raise ValueError(f"{where}: the files of a web server cannot be listed; name one file, or copy the folder.")


def is_file(where: str) -> bool:
    """Whether there is a file at an address; errors as `read`."""
    if address.scheme(where) not in address.WRITTEN:
        try:
            return _tried("read", where, lambda: _head(where))
        except FileNotFoundError:
            return False
    return bool(_tried("read", where, lambda: _files(where).isfile(where)))


def remove(where: str) -> None:
    """Removes a file, or all that is below an address; nothing where nothing is. Errors as `write`."""
    below = [address.joined(where, name) for name in sizes(where)]
    for each in below or ([where] if is_file(where) else []):
        _tried("removed", each, functools.partial(_files(each).rm_file, each))


def _files(where: str) -> Any:
    """The client for a scheme. Listings are never kept: other machines write too."""
    kind = address.scheme(where)
    extra, library = {"gs": ("gcs", "gcsfs"), "s3": ("s3", "s3fs")}[kind]
    logging.getLogger(library).setLevel(logging.CRITICAL)  # it prints the trace of every failure, which is told here
    with needs(library, extra, f"using addresses that begin with {kind}://"):
        import fsspec

        __import__(library)
    if kind == "gs":
        return fsspec.filesystem("gs", use_listings_cache=False, timeout=REQUEST_SECONDS)
    config = {"connect_timeout": 10, "read_timeout": REQUEST_SECONDS, "retries": {"max_attempts": 1}}
    return fsspec.filesystem("s3", use_listings_cache=False, config_kwargs=config)


def _over_http(where: str, file: Path | None = None) -> bytes:
    """What is at an address; into `file` where one is given, which goes on where an earlier try of the same request was cut."""
    there = file.stat().st_size if file is not None and file.exists() else 0
    request = urllib.request.Request(where, headers={"Range": f"bytes={there}-"} if there else {})
    with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
        if file is None:
            return answer.read()
        goes_on = answer.status == 206
        with file.open("ab" if goes_on else "wb") as opened:
            shutil.copyfileobj(answer, opened, 4 * 2**20)
        length = answer.headers.get("Content-Length")
        expected = None if length is None else int(length) + (there if goes_on else 0)
        if expected is not None and file.stat().st_size != expected:
            raise ConnectionError(f"expected {expected} bytes, got {file.stat().st_size}")
    return b""


def _head(where: str) -> bool:
    request = urllib.request.Request(where, method="HEAD")
    with urllib.request.urlopen(request, timeout=REQUEST_SECONDS):
        return True


def _tried(done: str, where: str, ask: Callable[[], T]) -> T:
    """What `ask` gives; asked again, after longer and longer waits, while its failure may pass.

    Args:
      done: what is done to the file, for the sentence: "read", "written".
      where: the address.
      ask: one request.
    """
    began, wait = time.monotonic(), FIRST_WAIT_SECONDS
    while True:
        try:
            return ask()
        except ImportError:
            raise
        except Exception as error:
            _refuse_at_once(done, where, error)
            passed, wait = time.monotonic() - began, max(wait, _asked_for(error))
            if not _passing(error):
                raise OSError(f"{where} could not be {done} ({_reason(error)}).") from error
            if passed + wait > LIMIT_SECONDS:
                asks = f"; it asks to wait {wait:.0f} s" if _asked_for(error) else ""
                raise OSError(
                    f"{where} could not be {done}: its server failed or did not answer for {passed:.0f} s "
                    f"({_reason(error)}{asks}); see that it runs and can be reached, then run the same command again."
                ) from error
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def _refuse_at_once(done: str, where: str, error: Exception) -> None:
    code, bucket = _code(error), urllib.parse.urlsplit(where).netloc
    text = str(error).lower()
    if isinstance(error, FileNotFoundError) or code == 404 or "nosuchbucket" in text or "not found" in text:
        if done == "read":
            raise FileNotFoundError(f"{where} does not exist, or the bucket {bucket} does not; look at the address.") from error
        raise FileNotFoundError(
            f"{where} could not be {done}: there is no bucket {bucket}; make it first, or correct the address."
        ) from error
    names = {type(e).__name__ for e in _causes(error)}
    refused = isinstance(error, PermissionError) or code in (401, 403)
    if refused or names & {"NoCredentialsError", "DefaultCredentialsError", "RefreshError", "PartialCredentialsError"}:
        raise PermissionError(
            f"{where} could not be {done}: the server refused the credentials ({_reason(error)}); log in (gcloud auth "
            "application-default login, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), and see that they may do this."
        ) from error


def _passing(error: Exception) -> bool:
    code = _code(error)
    if code is not None:
        return code in BUSY
    for e in _causes(error):
        if isinstance(e, ConnectionError | TimeoutError | http.client.HTTPException | urllib.error.URLError):
            return True
        if any(kind.__name__ in PASSING for kind in type(e).__mro__):
            return True
    # s3fs words answers that it does not know as errors of input and output, with the server's text.
    return isinstance(error, OSError) and error.errno in (5, 16)


def _asked_for(error: Exception) -> float:
    """Seconds that a busy server asks to wait, by its header Retry-After; 0 where it asks for nothing."""
    text = error.headers.get("Retry-After", "") if isinstance(error, urllib.error.HTTPError) else ""
    if text.strip().isdigit():
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (at - datetime.datetime.now(at.tzinfo)).total_seconds())


def _code(error: Exception) -> int | None:
    """The status that a server answered with, where it did."""
    for e in _causes(error):
        answer = getattr(e, "response", None)
        codes = [getattr(e, "code", None), getattr(e, "status", None)]
        if isinstance(answer, dict):  # botocore
            codes.append(answer.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        for code in codes:
            if str(code).isdigit() and 100 <= int(str(code)) < 600:
                return int(str(code))
    return None


def _causes(error: BaseException | None) -> list[BaseException]:
    out: list[BaseException] = []
    while error is not None and error not in out:
        out.append(error)
        error = error.__cause__ or error.__context__
    return out


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
