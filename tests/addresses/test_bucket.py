"""Files of buckets, on two real servers; and what is said when one cannot be read or written."""

import datetime
import email.message
import email.utils
import http.server
import sys
import threading
import urllib.error

import pytest

from spectral_jax.addresses import bucket


def test_a_file_is_written_read_listed_copied_and_removed(bucket_address, tmp_path):
    bucket.write(f"{bucket_address}/run/a/x.txt", b"one")
    bucket.write(f"{bucket_address}/run/b.txt", b"four")
    assert bucket.read(f"{bucket_address}/run/a/x.txt") == b"one"
    assert bucket.sizes(f"{bucket_address}/run") == {"a/x.txt": 3, "b.txt": 4}
    assert bucket.names(f"{bucket_address}/run") == ["a", "b.txt"]
    assert [bucket.is_file(f"{bucket_address}/{name}") for name in ("run/b.txt", "run/a", "run/c")] == [True, False, False]
    bucket.fetch(f"{bucket_address}/run/a/x.txt", tmp_path / "new" / "x.txt")
    assert (tmp_path / "new" / "x.txt").read_bytes() == b"one"
    bucket.send(tmp_path / "new" / "x.txt", f"{bucket_address}/run2.txt")
    bucket.remove(f"{bucket_address}/run/a")
    bucket.remove(f"{bucket_address}/run/b.txt")
    bucket.remove(f"{bucket_address}/nothing")
    assert bucket.sizes(bucket_address) == {"run2.txt": 3}  # and not of run2 what begins with its name
    assert bucket.names(f"{bucket_address}/nothing") == []


def test_what_is_not_there_is_told(bucket_address):
    missing = bucket_address.replace("://", "://no-")
    with pytest.raises(
        FileNotFoundError, match=r"/x.txt does not exist, or the bucket bucket\S+ does not; look at the address"
    ):
        bucket.read(f"{bucket_address}/x.txt")
    with pytest.raises(FileNotFoundError, match=r"could not be written: there is no bucket no-bucket\S+; make it first"):
        bucket.write(f"{missing}/x.txt", b"")
    with pytest.raises(FileNotFoundError, match="could not be listed: there is no bucket"):
        bucket.sizes(missing)


@pytest.fixture
def answers(monkeypatch):
    """A web server that gives one answer after the other, and the last one from then on; and its address."""
    queue: list[tuple[int, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            code, body = queue.pop(0) if len(queue) > 1 else queue[0]
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(bucket, "FIRST_WAIT_SECONDS", 0.01)
    yield queue, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_busy_server_is_asked_again(answers, tmp_path):
    queue, server = answers
    queue += [(503, b""), (429, b""), (200, b"well")]
    assert bucket.read(f"{server}/a") == b"well"
    queue[:] = [(500, b""), (200, b"well")]
    bucket.fetch(f"{server}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"well"


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (403, PermissionError, r"/a could not be read: the server refused the credentials \(HTTPError: .*403.*\); log in"),
        (404, FileNotFoundError, "/a does not exist, or the bucket"),
        (400, OSError, r"/a could not be read \(HTTPError: .*400"),
        (
            503,
            OSError,
            r"/a could not be read: its server failed or did not answer for \d+ s \(HTTPError: .*503.*\); see that it",
        ),
    ],
)
def test_what_waiting_does_not_mend_is_told(answers, monkeypatch, code, kind, sentence):
    queue, server = answers
    queue.append((code, b""))
    monkeypatch.setattr(bucket, "LIMIT_SECONDS", 0.05)
    with pytest.raises(kind, match=sentence):
        bucket.read(f"{server}/a")


def test_a_server_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(bucket, "LIMIT_SECONDS", 0.0)
    with pytest.raises(OSError, match="did not answer for 0 s .*; see that it runs and can be reached"):
        bucket.read("http://127.0.0.1:9/a")


def test_a_client_that_is_not_installed_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ImportError, match=r"using addresses that begin with s3:// needs s3fs.*spectral-jax\[s3\]"):
        bucket.read("s3://b/a")


def test_files_of_a_web_server_are_not_listed():
    with pytest.raises(ValueError, match=r"https://x.org/a: the files of a web server cannot be listed; name one file"):
        bucket.sizes("https://x.org/a")


def test_a_server_may_ask_for_patience_in_seconds_or_by_a_date():
    def asked(text):
        headers = email.message.Message()
        headers["Retry-After"] = text
        return bucket._asked_for(urllib.error.HTTPError("https://a.b", 429, "", headers, None))

    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    assert asked(" 7 ") == 7.0
    assert 80 < asked(email.utils.format_datetime(at, usegmt=True)) <= 90
    assert asked("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert asked("soon") == 0.0
    assert bucket._asked_for(TimeoutError()) == 0.0
