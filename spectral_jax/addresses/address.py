"""What an address is: its scheme, its bucket, and what TensorStore calls it.

Where the servers are comes from the environment, as everywhere: AWS_ENDPOINT_URL for an S3 server that is not Amazon's,
STORAGE_EMULATOR_HOST (and TENSORSTORE_GCS_HTTP_URL, for arrays) for one that stands for Google's.
"""

import os
import re
import urllib.parse

from spectral_jax.sentences import closest

# Two letters at least: one is a drive of Windows. `gs:/bucket` is what is left of an address that was taken for a path.
_FORM = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(/{1,2})")
READ = ("gs", "s3", "https", "http")
WRITTEN = ("gs", "s3")
SILENT_SECONDS = 30  # a request that got no byte for so long is given up, and made again


def is_address(text: str | os.PathLike) -> bool:
    """Whether a text has the form of an address (`scheme://...`, or `scheme:/...`, which a path has made of it)."""
    found = _FORM.match(os.fspath(text))
    return found is not None and found[1].lower() != "file"


def scheme(text: str) -> str:
    """The scheme of an address, in small letters."""
    return text.split(":", 1)[0].lower()


def checked(text: str | os.PathLike, where: str, written: bool = False) -> str:
    """An address as the rest of the package takes it: without a slash at its end.

    Args:
      text: as the user gave it.
      where: the flag or field that holds it, for the sentences.
      written: whether something will be written there.

    Raises:
      ValueError: its scheme is unknown or cannot be written, it names no bucket, or it lost a slash.
    """
    text = os.fspath(text)
    known, kind = (WRITTEN if written else READ), scheme(text)
    if kind in READ and kind not in known:
        raise ValueError(
            f"{where}: {text} can only be read; to write, give a path or an address that begins with gs:// or s3://."
        )
    if kind not in known:
        near = ", ".join(f"{name}://" for name in closest(kind, known).split(", "))
        raise ValueError(f"{where}: expected a path, or an address that begins with one of {near}; got {text}.")
    if not text[len(kind) :].startswith("://"):
        raise ValueError(
            f"{where}: {text} has lost a slash: an address goes {kind}://{text[len(kind) + 2 :]}; in Python keep addresses "
            "as texts, pathlib takes one slash away."
        )
    if not urllib.parse.urlsplit(text).netloc:
        what = "bucket" if kind in WRITTEN else "server"
        raise ValueError(f"{where}: {text} names no {what}; expected {kind}://{what.upper()}/path.")
    return text.rstrip("/")


def joined(address: str, *names: str) -> str:
    """The address of something below an address."""
    return "/".join([address.rstrip("/"), *names])


def limit_silence() -> None:
    """Makes TensorStore give up a request whose server is silent, before its first one; it would wait for ever.

    What the user has set stays. It holds for arrays of stores, and for checkpoints that Orbax reads and writes at addresses.
    """
    os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS", str(SILENT_SECONDS))
    os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_LIMIT_BYTES", "1")


def last(address: str) -> str:
    """The last name of an address, as `Path.name`; the bucket's where there is none."""
    parts = urllib.parse.urlsplit(address)
    return parts.path.rstrip("/").rsplit("/", 1)[-1] or parts.netloc


def kvstore(address: str) -> dict | str:
    """TensorStore's description of what lies under an address."""
    text = f"{address.rstrip('/')}/"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    keys = bool(os.environ.get("AWS_ACCESS_KEY_ID"))
    if scheme(text) != "s3" or not (endpoint or keys):
        return text
    parts = urllib.parse.urlsplit(text)
    # TensorStore does not look at the variable by which every other client finds such a server. And its search for credentials
    # in all places ended the process with a signal where there is no ~/.aws, so it is told the one place where they are.
    spec: dict = {"driver": "s3", "bucket": parts.netloc, "path": parts.path.lstrip("/")}
    spec["aws_credentials"] = {"type": "environment" if keys else "anonymous"}
    if endpoint:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        spec |= {"endpoint": endpoint, "aws_region": region}
    return spec
