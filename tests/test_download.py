"""Downloading: from a server on this machine, whole and as published, or not at all."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import numpy as np
import pytest

from ariba_cli.base.errors import AribaError, InputError, OutputError, UsageError
from ariba_cli.federated.datasets import DATASETS, load_dataset
from ariba_cli.federated.datasets.cifar10 import CIFAR10
from ariba_cli.federated.datasets.download import download
from ariba_cli.federated.datasets.idx import FASHION_MNIST, MNIST
from ariba_cli.federated.datasets.source import Published
from tests.image_sets import COLOUR, GREY, idx_files, records

MNIST_FILES = {f"{stem}.gz": gzip.compress(data) for stem, data in idx_files().items()}
NAMES = list(MNIST_FILES)
FOLDER = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"


class Server:
    """A server's files by path, the requests that came, and the bytes that it promises."""

    def __init__(self, http: ThreadingHTTPServer) -> None:
        self.http = http
        self.files: dict[str, bytes] = {}
        self.promised: dict[str, int] = {}
        self.asked: list[str] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def published(self, name: str, *members: str) -> Published:
        """A file that it serves now, whatever it serves later."""
        data = self.files[name]
        return Published(self.url(name), hashlib.sha256(data).hexdigest(), len(data), members)


class Handler(BaseHTTPRequestHandler):
    """Answers from the one server that there is."""

    server_now: ClassVar[Server]

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        served = self.server_now
        served.asked.append(name)
        if name not in served.files:
            self.send_error(404)
            return
        data = served.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(served.promised.get(name, len(data))))
        self.end_headers()
        # Who has had enough hangs up.
        with suppress(ConnectionError):
            self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.server_now = Server(http)
    thread = Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Handler.server_now
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with the four files of a small MNIST."""
    server.files = dict(MNIST_FILES)
    source = replace(MNIST, published=tuple(map(server.published, NAMES)))
    monkeypatch.setitem(DATASETS, "mnist", source)
    return server


def batches() -> dict[str, bytes]:
    train = {f"{FOLDER}/data_batch_{number}.bin": records(*COLOUR[:2]) for number in range(1, 6)}
    return {**train, f"{FOLDER}/test_batch.bin": records(*COLOUR[2:])}


def archive(contents: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A packed archive of files, and of anything else that is described."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in contents.items():
            data = content if isinstance(content, bytes) else b""
            info = tarfile.TarInfo(name) if isinstance(content, bytes) else content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def serve_cifar(server: Server, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    server.files = {ARCHIVE: data}
    published = server.published(ARCHIVE, *CIFAR10.published[0].members)
    monkeypatch.setitem(DATASETS, "cifar10", replace(CIFAR10, published=(published,)))


def stopped(name: str, data_dir: Path, kind: type[AribaError] = InputError) -> str:
    """Return the message when a set cannot be fetched: one line."""
    with pytest.raises(kind) as caught:
        download(name, data_dir)
    message = str(caught.value)
    assert "\n" not in message
    return message


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_fetched_can_be_loaded(mnist: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = download("mnist", tmp_path / "data", lambda *what: told.append(what))
    assert folder == tmp_path / "data" / "mnist"
    assert contents(folder) == MNIST_FILES
    assert mnist.asked == NAMES
    dataset = load_dataset("mnist", tmp_path / "data")
    np.testing.assert_array_equal(dataset.test_labels, GREY[3])
    for name, data in MNIST_FILES.items():
        assert (name, len(data), len(data)) in told
    assert all(0 < done <= total for _, done, total in told)


def test_files_have_the_mode_that_the_umask_allows(mnist: Server, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        folder = download("mnist", tmp_path)
    finally:
        os.umask(before)
    assert mnist.asked
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o640}


def test_nothing_is_fetched_twice(mnist: Server, tmp_path: Path) -> None:
    folder = download("mnist", tmp_path)
    mnist.asked.clear()
    download("mnist", tmp_path)
    assert mnist.asked == []
    (folder / NAMES[1]).unlink()
    (folder / NAMES[2]).write_bytes(b"of one's own")
    download("mnist", tmp_path)
    assert mnist.asked == [NAMES[1]]
    assert (folder / NAMES[2]).read_bytes() == b"of one's own"


def test_a_file_of_another_name_counts(mnist: Server, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images.idx3-ubyte").write_bytes(b"unpacked")
    download("mnist", tmp_path)
    assert mnist.asked == NAMES[1:]


def test_another_file_than_was_published_is_not_kept(mnist: Server, tmp_path: Path) -> None:
    data = MNIST_FILES[NAMES[2]]
    mnist.files[NAMES[2]] = data[:-1] + bytes([data[-1] ^ 1])
    message = stopped("mnist", tmp_path)
    assert mnist.url(NAMES[2]) in message
    assert "sha256" in message
    assert contents(tmp_path / "mnist") == {name: MNIST_FILES[name] for name in NAMES[:2]}


def test_no_more_is_taken_than_was_published(mnist: Server, tmp_path: Path) -> None:
    mnist.files[NAMES[0]] += bytes(2**24)
    told: list[int] = []
    with pytest.raises(InputError, match="size or sha256"):
        download("mnist", tmp_path, lambda _what, done, _total: told.append(done))
    assert not (tmp_path / "mnist").exists()
    assert all(done <= len(MNIST_FILES[NAMES[0]]) for done in told)


def test_an_answer_that_breaks_off_leaves_nothing(mnist: Server, tmp_path: Path) -> None:
    mnist.promised[NAMES[0]] = len(MNIST_FILES[NAMES[0]]) + 10
    mnist.files[NAMES[0]] = MNIST_FILES[NAMES[0]][:50]
    assert mnist.url(NAMES[0]) in stopped("mnist", tmp_path)
    assert not (tmp_path / "mnist").exists()


def test_a_file_that_is_no_longer_there(mnist: Server, tmp_path: Path) -> None:
    del mnist.files[NAMES[0]]
    message = stopped("mnist", tmp_path)
    assert mnist.url(NAMES[0]) in message
    assert "404" in message
    assert not (tmp_path / "mnist").exists()


def test_a_server_that_is_gone(mnist: Server, tmp_path: Path) -> None:
    mnist.http.shutdown()
    mnist.http.server_close()
    message = stopped("mnist", tmp_path)
    assert mnist.url(NAMES[0]) in message
    assert "ConnectionError" in message
    assert not (tmp_path / "mnist").exists()


def test_a_place_that_cannot_be_written(mnist: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be made" in stopped("mnist", tmp_path / "file", OutputError)
    assert mnist.asked == []


def test_nothing_is_printed(
    mnist: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    download("mnist", tmp_path)
    assert mnist.asked
    assert capfd.readouterr() == ("", "")


def test_only_the_batches_are_taken_out_of_an_archive(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others: dict[str, bytes | tarfile.TarInfo] = {"../outside": b"x", f"{FOLDER}/readme": b"x"}
    serve_cifar(server, monkeypatch, archive({**others, **batches()}))
    folder = download("cifar10", tmp_path)
    assert contents(folder) == {Path(name).name: data for name, data in batches().items()}
    assert [path.name for path in tmp_path.iterdir()] == ["cifar10"]
    assert len(load_dataset("cifar10", tmp_path).train_labels) == 100
    download("cifar10", tmp_path)
    assert server.asked == [ARCHIVE]


def test_what_is_there_is_not_taken_out_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve_cifar(server, monkeypatch, archive({**batches()}))
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "data_batch_2.bin").write_bytes(b"of one's own")
    folder = download("cifar10", tmp_path)
    assert (folder / "data_batch_2.bin").read_bytes() == b"of one's own"
    assert (folder / "test_batch.bin").exists()


def link() -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{FOLDER}/data_batch_1.bin")
    info.type = tarfile.SYMTYPE
    info.linkname = "/etc/hostname"
    return info


@pytest.mark.parametrize(
    "data",
    [
        archive({}),
        archive({**batches(), f"{FOLDER}/data_batch_1.bin": link()}),
        b"no archive",
        archive({**batches()})[:-100],
        gzip.compress(b"no archive"),
    ],
    ids=["empty", "link", "none", "cut short", "packed"],
)
def test_an_archive_without_the_batches(
    data: bytes, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve_cifar(server, monkeypatch, data)
    assert "not an archive with" in stopped("cifar10", tmp_path)
    assert not (tmp_path / "cifar10").exists()


@pytest.mark.parametrize("name", ["digits", "arrays"])
def test_what_is_not_published_cannot_be_fetched(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not published"):
        download(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST, CIFAR10], ids=lambda one: one.name)
def test_what_is_published_is_what_is_missing(
    source: object, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    published = DATASETS[name].published
    assert DATASETS[name] is source
    assert {file for one in published for file in one.files} >= set(
        DATASETS[name].missing(tmp_path)
    )
    assert all(len(bytes.fromhex(one.sha256)) == 32 for one in published)
    assert len({one.sha256 for one in published}) == len(published)


def test_a_download_that_is_interrupted_leaves_nothing(mnist: Server, tmp_path: Path) -> None:
    def interrupt(_what: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download("mnist", tmp_path, interrupt)
    assert mnist.asked == NAMES[:1]
    assert not (tmp_path / "mnist").exists()
