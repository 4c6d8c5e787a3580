"""A small static STAC catalogue of miniature products, and a server of a folder that is busy or strict when told to."""

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections import Counter
from pathlib import Path


def item(name, assets, time="2024-01-31T10:11:09.024Z", collection="scenes", bbox=(9.0, 52.0, 9.3, 52.3), **properties):
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "bbox": list(bbox),
        "geometry": None, "properties": {"datetime": time} | properties, "links": [],
        "assets": {key: {"href": link} for key, link in assets.items()},
    }  # fmt: skip


def write(folder: Path, *items, collection="scenes"):
    """A catalogue of one collection; items lie in folders of their own, by relative links. Returns its first file."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"stac_version": "1.0.0", "description": "made"}
    links = []
    for one in items:
        file = folder / collection / one["id"] / "item.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(one))
        links.append({"rel": "item", "href": f"./{one['id']}/item.json"})
    (folder / collection / "collection.json").write_text(
        json.dumps(about | {"type": "Collection", "id": collection, "links": links})
    )
    root = about | {"type": "Catalog", "id": "root", "links": [{"rel": "child", "href": f"./{collection}/collection.json"}]}
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder / "catalog.json"


class Served:
    """A folder behind HTTP.

    Attributes:
      address: of the folder.
      first: path -> answers before the right one: a status, or a status and its headers.
      signed: folder whose files are given only to who brings this signature as `?sig=`; None: all are given.
      asked: path -> how often.
      cut: path -> bytes after which the connection ends, each time.
      found: items that a search of the API gives.
      searches: what was asked for.
    """

    def __init__(self, folder: Path):
        self.folder, self.first, self.signed, self.asked, self.cut = folder, {}, None, Counter(), {}
        self.found, self.searches = [], []

    def answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        path = urllib.parse.unquote(url.path).lstrip("/")
        self.asked[path] += 1
        if self.first.get(path):
            status, headers = self.first[path].pop(0)
            return self._say(handler, status, b"", headers)
        if self.signed and path.startswith(self.signed[0]) and urllib.parse.parse_qs(url.query).get("sig") != [self.signed[1]]:
            return self._say(handler, 403, b"")
        if not (self.folder / path).is_file():
            return self._say(handler, 404, b"")
        data = (self.folder / path).read_bytes()
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        part = data[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.wfile.write(part[: self.cut.get(path, len(part))])
        return None

    def search(self, handler):
        """Answers a search of the API with all that is in `found`, and notes what was asked for."""
        asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.searches.append(asked)
        if self.first.get("search"):
            status, headers = self.first["search"].pop(0)
            return self._say(handler, status, b"", headers)
        data = json.dumps({"type": "FeatureCollection", "features": self.found, "links": []}).encode()
        return self._say(handler, 200, data, {"Content-Type": "application/geo+json"})

    def _say(self, handler, status, data, headers=None):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data))}.items() | (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)


def write_api(folder: Path, where: str):
    """The first document of an API that can be searched."""
    links = [{"rel": "self", "href": where}, {"rel": "root", "href": where}]
    links += [
        {"rel": "search", "href": f"{where}/search", "type": "application/geo+json", "method": m} for m in ("GET", "POST")
    ]
    said = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "made", "links": links}
    conforms = [f"https://api.stacspec.org/v1.0.0/{what}" for what in ("core", "item-search")]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "api").write_text(json.dumps(said | {"conformsTo": conforms}))


@contextlib.contextmanager
def served(folder: Path):
    """A server of a folder, while the block runs."""
    made = Served(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            made.answer(self)

        def do_POST(self):
            made.search(self)

        def log_message(self, *about):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
