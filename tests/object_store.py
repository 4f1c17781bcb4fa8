"""A small S3 server that counts what it is asked for, and misbehaves when a test wants it."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "bucket"


@dataclass
class Store:
    """The objects by their keys, what was asked, and what goes wrong.

    Attributes
    ----------
    troubles : list of str
        What happens to the next ranges that are asked for: `busy`, or `cut` within the range.
    replaced : str
        The key of an object that is replaced as soon as its start has been read.
    refuses_after : int, optional
        The number of objects that can be written.
    """

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    ranges: list[tuple[str, int]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    replaced: str = ""
    refuses_after: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, folder: Path, prefix: str) -> str:
        """Take in all files of a folder, and return its address."""
        for path in folder.rglob("*"):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                self.objects[key] = path.read_bytes()
        return f"s3://{BUCKET}/{prefix}"

    @property
    def bytes_read(self) -> int:
        return sum(size for _, size in self.ranges)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer in two pieces would wait for an acknowledgement of the first.
    wbufsize = -1
    store: Store

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _key(self) -> str | None:
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        if bucket != BUCKET:
            self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
            return None
        return key

    def do_GET(self) -> None:
        key, asked = self._key(), parse_qs(urlsplit(self.path).query)
        if key is None:
            return
        if "list-type" in asked:
            self._list(asked.get("prefix", [""])[0])
            return
        data = self.store.objects.get(key)
        if data is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        if self.headers.get("If-Match", etag) != etag:
            self._answer(412)
            return
        known = {"ETag": etag, "Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if found is None:
            self._answer(200, data, **known, Content_Length=str(len(data)))
            return
        start, stop = int(found[1]), int(found[2]) + 1
        part = data[start:stop]
        with self.store.lock:
            self.store.ranges.append((key, len(part)))
            trouble = self.store.troubles.pop() if self.store.troubles else ""
            if key == self.store.replaced:
                self.store.objects[key] = data[:-1] + b"!"
        if trouble == "busy":
            self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
            return
        known["Content_Range"] = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
        known["Content_Length"] = str(len(part))
        self._answer(206, part[: len(part) // 2] if trouble == "cut" else part, **known)
        self.close_connection = trouble == "cut"

    do_HEAD = do_GET  # noqa: N815

    def _list(self, prefix: str) -> None:
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2024-01-01T00:00:00.000Z"
            f'</LastModified><ETag>"{hashlib.md5(data).hexdigest()}"</ETag>'
            f"<Size>{len(data)}</Size></Contents>"
            for key, data in sorted(self.store.objects.items())
            if key.startswith(prefix)
        )
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        self._answer(200, body.encode(), Content_Type="application/xml")

    def do_PUT(self) -> None:
        key, data = self._key(), self.rfile.read(int(self.headers["Content-Length"]))
        if key is None:
            return
        with self.store.lock:
            most = self.store.refuses_after
            if most is not None and len(self.store.written) >= most:
                self._answer(403)
                return
            self.store.objects[key] = data
            self.store.written.append(key)
        self._answer(200, ETag=f'"{hashlib.md5(data).hexdigest()}"')

    def do_POST(self) -> None:
        """Remove several objects."""
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        keys = re.findall("<Key>(.*?)</Key>", asked)
        for key in keys:
            del self.store.objects[key]
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())


@contextmanager
def serving() -> Iterator[Store]:
    """Serve a store on the loopback while the block lasts."""
    store = Store()
    handler = type("Handler", (_Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    store.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
