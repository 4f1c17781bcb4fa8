"""Writing so that what is left is either the old state or the new one."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import OutputError
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.directory import GLOBAL_STEM, PARTICIPANTS, TRUTH_NAME
from ariba_cli.rounds.formats import FORMATS
from ariba_cli.rounds.manifest import Kind, Manifest, SealedFile
from ariba_cli.rounds.partial import (
    TEMPORARY,
    check_contents,
    hold,
    publish,
    remove,
    sync_directory,
)
from ariba_cli.rounds.truth import Truth

# Every path that a round can have in it while it is written; see `check_contents`.
_MODEL = f"({'|'.join(re.escape(format_.SUFFIX) for format_ in FORMATS.values())})"
ROUND_CONTENTS = (
    f"{PARTICIPANTS}/|({PARTICIPANTS}/)?{TEMPORARY}|{PARTICIPANTS}/p[0-9]+{_MODEL}"
    f"|{GLOBAL_STEM}{_MODEL}|{re.escape(manifests.NAME)}|{re.escape(TRUTH_NAME)}"
)

Tensors = Mapping[str, npt.NDArray[np.floating]]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, with the mode that the umask allows.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OutputError(f"'{path}' cannot be written: {error.strerror}") from error
        raise


@contextmanager
def new_directory(path: Path, *, resume: bool = False) -> Iterator[Path]:
    """A round that gets its name when the block completes, and leaves nothing when not.

    Yields the path to fill, which is `NAME.partial` until then. With `resume`, what a
    killed run left there is emptied first.

    Raises
    ------
    OutputError
        When the path exists or cannot be made, or when `NAME.partial` is there: see `hold`.
    """
    with hold(path, resume=resume) as partial:
        check_contents(partial, ROUND_CONTENTS)
        try:
            for entry in list(partial.iterdir()):
                remove(entry)
            yield partial
            publish(partial, path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


class RoundWriter:
    """Writes the files of a round into a new directory, and then its seal.

    Parameters
    ----------
    directory : where to, as `new_directory` yields it.
    format_name : the name of the model file format, as in `FORMATS`.
    """

    def __init__(self, directory: Path, *, format_name: str) -> None:
        self._directory = directory
        self._format = FORMATS[format_name]
        self._files: dict[str, SealedFile] = {}
        (directory / PARTICIPANTS).mkdir()

    def write_global(self, tensors: Tensors) -> None:
        """Write the model that the server sent out."""
        self._write(GLOBAL_STEM + self._format.SUFFIX, self._format.encode(tensors))

    def write_participant(self, identifier: str, tensors: Tensors) -> None:
        """Write what one participant sent. The id must be one that this program made."""
        name = f"{PARTICIPANTS}/{identifier}{self._format.SUFFIX}"
        self._write(name, self._format.encode(tensors))

    def copy(self, path: str, data: bytes) -> None:
        """Take over a file of another sealed round, as it is."""
        self._write(path, data)

    def write_truth(self, truth: Truth) -> None:
        """Write who is compromised."""
        self._write(TRUTH_NAME, truth.encode())

    def seal(self, *, round_number: int, kind: Kind, layers: Sequence[str]) -> None:
        """Write the manifest: the round is complete."""
        manifest = Manifest(round_number, kind, tuple(layers), self._files)
        sync_directory(self._directory / PARTICIPANTS)
        write_atomically(self._directory / manifests.NAME, manifest.encode())

    def _write(self, name: str, data: bytes) -> None:
        write_atomically(self._directory / name, data)
        self._files[name] = SealedFile(len(data), hashlib.sha256(data).hexdigest())
