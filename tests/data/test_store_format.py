"""A server of arrays that accepts requests and never answers."""

import http.server
import os
import subprocess
import sys
import threading

import pytest
from made import tiny_store

from spectral_jax.data import store_format

# A process of its own: TensorStore reads its limits once. What it waits is cut to a second here.
SCRIPT = """
import sys
from spectral_jax.addresses import address
from spectral_jax.data import store_format
address.SILENT_SECONDS = 1
store_format.MORE_TIMES = 1
store_format.RETRIES = {"max_retries": 1, "initial_delay": "100ms", "max_delay": "100ms"}
from spectral_jax.data.store import open_store
for ask in (lambda: open_store(sys.argv[1]), lambda: open_store(sys.argv[2]).group("g").read("HY", 0, 0)):
    try:
        ask()
    except OSError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_server_that_accepts_and_never_answers_is_told(tmp_path):
    tiny_store.build(tmp_path / "here.zarr", {"g": 3}, keys={"g": ("HY",)})
    asked, over = [], threading.Event()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *more):
            super().__init__(*more, directory=str(tmp_path))

        def do_GET(self):
            if "/silent/" in self.path or "/c/" in self.path:
                asked.append(self.path)
                over.wait()
            else:
                super().do_GET()

        def log_message(self, *more):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TENSORSTORE_CURL")}
        command = [sys.executable, "-c", SCRIPT, f"{base}/silent/one.zarr", f"{base}/here.zarr"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        finally:
            over.set()
            server.shutdown()
            thread.join()
    opening, reading = done.stdout.splitlines()
    assert opening.startswith(
        f"store {base}/silent/one.zarr: its metadata could not be read, because its server did not answer"
    )
    assert "or failed 2 times" in opening
    assert reading.startswith(
        f"store {base}/here.zarr: g/HY at location 0 could not be read, because its server did not answer"
    )
    for sentence in (opening, reading):
        assert "Less than 1 bytes/sec transferred the last 1 seconds" in sentence
        assert sentence.endswith("see that it runs and can be reached, then run the same command again.")
    patches = [path for path in asked if path.startswith("/here.zarr/")]
    assert len(patches) == 2  # it was tried again, once


def test_bytes_that_are_wrong_are_no_silence():
    assert store_format.expect_answer("my.zarr", "g/HY", ValueError("DATA_LOSS: checksum")) is None
    with pytest.raises(
        OSError, match="store my.zarr: g/HY could not be read, because its server did not answer or failed 11 times"
    ):
        store_format.expect_answer(
            "my.zarr", "g/HY", ValueError("UNAVAILABLE: All 10 retry attempts failed: no route [spec='']")
        )
