"""The writing of rounds, which leaves either the old state or the new one."""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import OutputError
from ariba_cli.base.ids import PLAIN_STEM, file_stem
from ariba_cli.files.atomic import FileDigest, write_atomically
from ariba_cli.files.objects import keys_under, remove_object
from ariba_cli.files.partial import (
    TEMPORARY,
    check_contents,
    hold,
    publish,
    remove,
    sync_directory,
)
from ariba_cli.files.stores import RemotePath
from ariba_cli.formats import ENCODERS, peft
from ariba_cli.formats.adapter_config import CONFIG
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.contents import CONVERSION_NAME, HOST_NAME, PARTICIPANTS, TRUTH_NAME
from ariba_cli.rounds.manifest import Kind, Manifest
from ariba_cli.rounds.members import GLOBAL_STEM

# Every path that a round can have in it while it is written; see `check_contents`.
_SUFFIXES = "|".join(re.escape(encoder.SUFFIX) for encoder in ENCODERS.values())
_ADAPTER = "|".join(map(re.escape, (peft.WEIGHTS, CONFIG)))
_OURS = "|".join(map(re.escape, (manifests.NAME, TRUTH_NAME, CONVERSION_NAME, HOST_NAME)))
_MODEL = f"({GLOBAL_STEM}|{PARTICIPANTS}/{PLAIN_STEM})"
ROUND_CONTENTS = (
    f"{PARTICIPANTS}/|({PARTICIPANTS}/)?{TEMPORARY}|{_OURS}"
    f"|{_MODEL}({_SUFFIXES}|/|/({_ADAPTER}|{TEMPORARY}))"
)

Tensors = Mapping[str, npt.NDArray[np.floating]]


@contextmanager
def new_directory(path: Path, *, resume: bool = False) -> Iterator[Path]:
    """Make a round that gets its name when the block completes; leave nothing when it fails.

    The path to fill is `NAME.partial` until then; in a store it has its name from the start, and
    is a sealed round only with its manifest, which is written last.

    Parameters
    ----------
    path : Path
        The directory to make.
    resume : bool, optional
        True to empty the directory that a killed run left first.

    Raises
    ------
    OutputError
        When the path exists or cannot be made, or when `NAME.partial` is there: see `hold`.
    """
    if isinstance(path, RemotePath):
        with _in_store(path, resume=resume):
            yield path
        return
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


@contextmanager
def _in_store(path: RemotePath, *, resume: bool) -> Iterator[None]:
    """Make a round in a store, where nothing can be renamed: its seal, written last, makes it one.

    What is there of a round without a seal was left by a run that was killed.
    """
    there = keys_under(path)
    if there and (manifests.NAME in there or not resume):
        how = "name another" if manifests.NAME in there else "finish it with --resume"
        raise OutputError(f"'{path}' exists; {how}, or remove it first")
    check_contents(path, ROUND_CONTENTS)
    _clear(path)
    try:
        yield
    except BaseException:
        _clear(path)
        raise


def _clear(path: RemotePath) -> None:
    for name in keys_under(path):
        if re.fullmatch(ROUND_CONTENTS, name):
            remove_object(path / name)


class RoundWriter:
    """A writer of a round's files, and then of its seal, into a new directory.

    Parameters
    ----------
    directory : Path
        The directory that `new_directory` yields.
    format_name : str
        The name of the model file format in `ENCODERS`, or `peft` for adapters, each a folder.
    """

    def __init__(self, directory: Path, *, format_name: str = "safetensors") -> None:
        self._directory = directory
        self._format = None if format_name == peft.NAME else ENCODERS[format_name]
        self._files: dict[str, FileDigest] = {}
        (directory / PARTICIPANTS).mkdir()

    def write_global(self, tensors: Tensors) -> None:
        """Write the model that the server sent out."""
        self._write_model(GLOBAL_STEM, tensors)

    def write_participant(self, identifier: str, tensors: Tensors) -> None:
        """Write the model of one participant."""
        self._write_model(f"{PARTICIPANTS}/{file_stem(identifier)}", tensors)

    def write(self, path: str, pieces: Iterable[bytes | memoryview]) -> None:
        """Write any file, by its path relative to the round; see `write_atomically`."""
        (self._directory / path).parent.mkdir(exist_ok=True)
        self._files[path] = write_atomically(self._directory / path, pieces)

    def seal(self, *, round_number: int, kind: Kind, layers: Sequence[str]) -> None:
        """Write the manifest, which completes the round."""
        manifest = Manifest(round_number, kind, tuple(layers), self._files)
        sync_directory(self._directory / PARTICIPANTS)
        write_atomically(self._directory / manifests.NAME, [manifest.encode()])

    def _write_model(self, stem: str, tensors: Tensors) -> None:
        if self._format is not None:
            self.write(stem + self._format.SUFFIX, [self._format.encode(tensors)])
            return
        for name, data in peft.encode(tensors).items():
            self.write(f"{stem}/{name}", [data])
