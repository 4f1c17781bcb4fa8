"""The download of the published files of a data set."""

import gzip
import logging
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ariba_cli.base.errors import InputError, OutputError, UsageError
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets import DATASETS
from ariba_cli.federated.datasets.source import Published
from ariba_cli.files.atomic import write_atomically

if TYPE_CHECKING:
    import requests

_PIECE_BYTES = 2**18

# Of a file in an archive: the largest has 31 MB.
_MOST_MEMBER_BYTES = 2**28

# Files that are packed by themselves must arrive as they are.
_HEADERS = {"Accept-Encoding": "identity"}


def download(name: str, data_dir: Path, progress: Progress = no_progress) -> Path:
    """Fetch the missing files of a data set into its own folder, `data_dir/name`.

    Files that are there already are kept, and not fetched again: a set that can be loaded from its
    folder lacks nothing. Every file is checked against its published sha256 before it gets its
    name.

    Parameters
    ----------
    name : str
        The name of the data set.
    data_dir : Path
        The folder of data sets.
    progress : Progress, optional
        Called with the name of the file that is fetched, and the number of bytes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        When there is no such data set, or it is not published.
    InputError
        When a file cannot be fetched, or is not the one that was published.
    OutputError
        When it cannot be written.
    """
    source = registered(DATASETS, name, kind="data set")
    if not source.published:
        raise UsageError(f"the data set {name} is not published, so there is nothing to download")
    folder = data_dir / name
    if not folder.is_dir() and not source.missing(data_dir):
        return data_dir
    missing = source.missing(folder)
    with _filled(folder):
        for published in source.published:
            if not set(missing).isdisjoint(published.files):
                _fetch(published, folder, progress)
    return folder


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it if nothing came into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"'{folder}' cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def _fetch(published: Published, folder: Path, progress: Progress) -> None:
    with _temporary(folder) as temporary:
        fetched = _retrieve(published, temporary, progress)
        if published.members:
            _unpack(fetched, published, folder)
        else:
            write_atomically(folder / published.name, _pieces(fetched))


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            yield Path(temporary)
    except OSError as error:
        raise OutputError(f"'{folder}' cannot be written: {error.strerror}") from error


def _retrieve(published: Published, folder: Path, progress: Progress) -> Path:
    """Fetch one file, and check it."""
    import pooch

    # What pooch fetches with.
    import requests

    # It would tell on the terminal what it does.
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        path = pooch.retrieve(
            published.url,
            known_hash=f"sha256:{published.sha256}",
            fname=published.name,
            path=folder,
            downloader=lambda _url, path, _caller: _receive(published, Path(path), progress),
        )
    except requests.RequestException as error:
        answer = error.response
        reason = type(error).__name__ if answer is None else f"status {answer.status_code}"
        raise InputError(
            f"{published.url} cannot be downloaded ({reason}); try later, or download it by hand"
        ) from error
    except ValueError as error:
        raise InputError(
            f"{published.url} is not the file that was published: its size or sha256 differs"
        ) from error
    return Path(path)


def _receive(published: Published, path: Path, progress: Progress) -> None:
    import pooch

    with path.open("wb") as stream, ExitStack() as answers:

        def close_later(answer: "requests.Response", **_settings: object) -> None:
            answers.callback(answer.close)

        # Without the hook, connections stay open after an answer that is not read to its end.
        over_http = pooch.HTTPDownloader(
            chunk_size=_PIECE_BYTES, headers=_HEADERS, hooks={"response": close_later}
        )
        over_http(published.url, _Received(stream, published, progress), None)


class _Received:
    """A file that reports the bytes received, and takes no more than was published."""

    def __init__(self, stream: BinaryIO, published: Published, progress: Progress) -> None:
        self._stream = stream
        self._published = published
        self._progress = progress
        self._done = 0

    def write(self, piece: bytes) -> None:
        self._done += len(piece)
        if self._done > self._published.bytes:
            raise ValueError(self._done)
        self._stream.write(piece)
        self._progress(self._published.name, self._done, self._published.bytes)

    def flush(self) -> None:
        self._stream.flush()


def _unpack(archive_path: Path, published: Published, folder: Path) -> None:
    """Take the expected files out of an archive, and nothing else."""
    try:
        with tarfile.open(archive_path) as archive:
            for member in published.members:
                path = folder / Path(member).name
                if not path.exists():
                    write_atomically(path, [_member(archive, member)])
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, KeyError, EOFError) as error:
        raise InputError(
            f"{published.url} is not an archive with the data set ({type(error).__name__})"
        ) from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.getmember(name)
    stream = archive.extractfile(found) if found.isreg() else None
    if stream is None or found.size > _MOST_MEMBER_BYTES:
        raise tarfile.TarError(name)
    with stream:
        return stream.read()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            yield piece
