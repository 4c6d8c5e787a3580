"""A local server of a folder's files that answers as an object store does: after a while, and only so many bytes a second.

Files are read whole or by range over HTTP; each answer comes `latency` after its request, and all answers together take no more
than the rate. It runs in a process of its own and counts what was asked of it.
"""

import asyncio
import collections
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

from spectral_jax.measure import machine

COUNTS = "/counts of requests"  # no file of a store is called so
OPEN_FILES = 512


class Bucket:
    """A server of `folder` while the context lasts.

    Attributes:
      address: of the folder, such as http://127.0.0.1:40001.
    """

    def __init__(self, folder: str | os.PathLike, latency_ms: float = 20.0, mb_per_s: float = 200.0):
        """Takes the folder, milliseconds from a request to its answer, and 10^6 bytes a second of all answers together."""
        self._command = [sys.executable, "-m", __name__, os.fspath(folder), str(latency_ms), str(mb_per_s)]

    def __enter__(self) -> "Bucket":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=machine.with_package()
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the local server did not start; see what its process wrote above.")
        self.address = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_):
        self._process.communicate()  # closes its standard input, at which it ends

    def counts(self) -> dict[str, int]:
        """Requests and bytes of answers so far, "missing" ones among the requests."""
        with urllib.request.urlopen(self.address + urllib.parse.quote(COUNTS)) as answer:
            return json.load(answer)


class _Connection(asyncio.Protocol):
    """One connection of a client; answers wait for their time, one after the other."""

    def __init__(self, files: "_Files", latency_s: float, bytes_per_s: float, shared: dict):
        self._files, self._latency, self._rate, self._shared = files, latency_s, bytes_per_s, shared
        self._received = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data: bytes):
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, self._received = self._received.split(b"\r\n\r\n", 1)
            self._ask(head.decode("latin-1"))

    def _ask(self, head: str):
        loop, shared = asyncio.get_running_loop(), self._shared
        path = urllib.parse.unquote(head.split(" ", 2)[1])
        if path == COUNTS:
            body = json.dumps({name: shared[name] for name in ("requests", "bytes", "missing")}).encode()
            self._transport.write(_answer("200 OK", body))
            return
        status, extra, body = self._files.read(path, re.search(r"(?im)^range: *bytes=(\d*)-(\d*)", head))
        shared["requests"] += 1
        shared["bytes"] += len(body)
        shared["missing"] += status.startswith("404")
        shared["free"] = max(loop.time(), shared["free"]) + len(body) / self._rate
        when = max(loop.time() + self._latency, shared["free"])
        loop.call_at(when, self._transport.write, _answer(status, body, extra))


class _Files:
    def __init__(self, folder: str):
        self._folder = folder
        self._open: collections.OrderedDict[str, int] = collections.OrderedDict()

    def read(self, path: str, span: re.Match | None) -> tuple[str, str, bytes]:
        """Status, a line of the head, and the bytes."""
        try:
            file = self._file(path)
        except OSError:
            return "404 Not Found", "", b""
        size = os.fstat(file).st_size
        if span is None:
            return "200 OK", "", os.pread(file, size, 0)
        first, last = span[1], span[2]
        start = int(first) if first else max(0, size - int(last))
        stop = min(size, int(last) + 1) if first and last else size
        if start >= stop:
            return "416 Range Not Satisfiable", f"Content-Range: bytes */{size}\r\n", b""
        return "206 Partial Content", f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n", os.pread(file, stop - start, start)

    def _file(self, path: str) -> int:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            name = os.path.join(self._folder, *(part for part in path.split("/") if part not in ("", "..")))
            if os.path.isdir(name):
                raise IsADirectoryError(name)
            self._open[path] = os.open(name, os.O_RDONLY)
            if len(self._open) > OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
        return self._open[path]


def _answer(status: str, body: bytes, extra: str = "") -> bytes:
    return f'HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nETag: "1"\r\n{extra}\r\n'.encode() + body


async def _serve(folder: str, latency_ms: float, mb_per_s: float):
    loop = asyncio.get_running_loop()
    shared = {"requests": 0, "bytes": 0, "missing": 0, "free": 0.0}
    files = _Files(folder)
    server = await loop.create_server(
        lambda: _Connection(files, latency_ms / 1e3, mb_per_s * 1e6, shared), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
