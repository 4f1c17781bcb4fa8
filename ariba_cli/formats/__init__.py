"""The formats of models on disk, one module each, recognised by content.

A format lists the tensors of a file, or of a folder of files, and says how each is read. A new
one is a module here, a line in `FILE_FORMATS` or `FOLDER_FORMATS`, and a row in the test
that covers all of them.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.opening import OpenFile, OpenFolder, enough_memory, open_file, open_folder
from ariba_cli.files.places import is_folder_itself
from ariba_cli.formats import (
    adapter_config,
    foreign,
    hdf5,
    npy,
    npz,
    peft,
    pytorch,
    safetensors,
    sharded,
)
from ariba_cli.formats.model import Model, ReadOptions

Source = TypeVar("Source", OpenFile, OpenFolder, contravariant=True)


class Format(Protocol[Source]):
    """The interface of a module of this folder."""

    NAME: str

    def recognises(self, source: Source) -> bool:
        """Return whether a file or folder claims to be of this format."""
        ...

    def open_model(self, source: Source, terms: ReadOptions) -> Model:
        """List the tensors; raise `RefusedFileError` for anything that is not allowed."""
        ...


class Encoder(Protocol):
    """A format that is also written."""

    SUFFIX: str

    def encode(self, tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
        """Return the bytes of a file that holds these tensors, the same every time."""
        ...


FILE_FORMATS: tuple[Format[OpenFile], ...] = (safetensors, hdf5, pytorch, npz, npy)
FOLDER_FORMATS: tuple[Format[OpenFolder], ...] = (peft, sharded)
ENCODERS: dict[str, Encoder] = {"safetensors": safetensors, "hdf5": hdf5}

# The one model file in the folder of a participant, where it goes by its usual name.
_USUAL_NAME = "model.safetensors"
_MOST_FILES_LOOKED_AT = 100
# Where Trainers keep what they had after so many steps.
_CHECKPOINT = re.compile(r"checkpoint-(0|[1-9][0-9]{0,15})")
# What they and Accelerate keep beside a model, in pickles of their own.
_BESIDE = re.compile(
    r"(?:optimizer|scheduler|scaler|sampler|dl_state_dict)(?:_\d+)?\.(?:pt|bin)"
    r"|training_args\.bin|rng_state(?:_\d+)?\.pth"
    r"|(?:random_states|custom_checkpoint)_\d+\.pkl"
)


def open_model(path: Path, terms: ReadOptions) -> Model:
    """List the tensors of a model, which is a file, or a folder that holds one model.

    Raises
    ------
    RefusedFileError
        When anything about it is not expressly allowed.
    """
    with terms.isolation.clock.turn((path, "/"), terms.limits.seconds):
        if is_folder_itself(path):
            return _open_folder(open_folder(path, terms.limits), terms)
        with open_file(path, terms.limits) as file:
            return _open_file(file, terms)


def open_part(path: Path, group: str, terms: ReadOptions) -> Model:
    """List the tensors of one participant in a file for the whole round; see `open_model`."""
    with open_file(path, terms.limits) as file:
        return hdf5.open_group(file, group, terms)


def parts(path: Path, group: str, terms: ReadOptions) -> list[str]:
    """Return the groups in a group of a file for a whole round; none for any other file."""
    try:
        with open_file(path, terms.limits) as file:
            return hdf5.groups(file, group, terms) if hdf5.recognises(file) else []
    except RefusedFileError:
        return []


def is_model_folder(path: Path, terms: ReadOptions) -> bool:
    """Return whether a folder holds one model, by the files that only such a folder has."""
    try:
        folder = open_folder(path, terms.limits)
    except RefusedFileError:
        return False
    return any(format_.recognises(folder) for format_ in FOLDER_FORMATS)


def is_recognised(path: Path, terms: ReadOptions) -> bool:
    """Return whether a file starts like one of a known format."""
    try:
        with open_file(path, terms.limits) as file:
            return any(format_.recognises(file) for format_ in FILE_FORMATS)
    except RefusedFileError:
        return False


def holds_model(path: Path, terms: ReadOptions) -> bool:
    """Return whether a folder has anything that `open_model` would open, damaged or not."""
    try:
        folder = open_folder(path, terms.limits)
    except RefusedFileError:
        return False
    if any(format_.recognises(folder) for format_ in FOLDER_FORMATS):
        return True
    if any(is_recognised(path / name, terms) for name in folder.names):
        return True
    steps, adapters = _folders_inside(folder, terms)
    return bool(steps or adapters)


def is_model(path: Path, terms: ReadOptions) -> bool:
    """Return whether a file or folder can be opened as a model."""
    try:
        with enough_memory():
            open_model(path, terms)
    except RefusedFileError:
        return False
    return True


def _open_file(file: OpenFile, terms: ReadOptions) -> Model:
    for format_ in FILE_FORMATS:
        if format_.recognises(file):
            try:
                return format_.open_model(file, terms)
            except RefusedFileError as error:
                # An archive of something else is taken for one of NumPy or PyTorch.
                words = foreign.archive_in_words(file)
                if words is None:
                    raise
                raise RefusedFileError(words) from error
    known = ", ".join(format_.NAME for format_ in FILE_FORMATS if format_ is not pytorch)
    words = foreign.file_in_words(file)
    raise RefusedFileError(words or f"is in a format that ariba does not know (it knows {known})")


def _open_folder(folder: OpenFolder, terms: ReadOptions) -> Model:
    recognised = [format_ for format_ in FOLDER_FORMATS if format_.recognises(folder)]
    if len(recognised) + (_USUAL_NAME in folder.names) > 1:
        # Which of them a server loads cannot be known, and the others would be looked at.
        raise RefusedFileError("is a folder with more than one model")
    for format_ in recognised:
        return format_.open_model(folder, terms)
    name = _only_model(folder, terms)
    if name is None:
        return _open_inside(folder, terms)
    with folder.open(name) as file:
        return _open_file(file, terms)


def _only_model(folder: OpenFolder, terms: ReadOptions) -> str | None:
    """Return the only file of a folder that is a model; None if there is none."""
    if _USUAL_NAME in folder.names:
        return _USUAL_NAME
    if len(folder.names) > _MOST_FILES_LOOKED_AT:
        raise _no_model(folder, f"holds {len(folder.names):,} files, but no {_USUAL_NAME}")
    names = (name for name in sorted(folder.names) if not _BESIDE.fullmatch(name))
    models = [name for name in names if is_recognised(folder.path / name, terms)]
    if len(models) > 1:
        known = " or ".join((_USUAL_NAME, adapter_config.CONFIG))
        raise _no_model(folder, f"is a folder with {len(models)} model files, but no {known}")
    return models[0] if models else None


def _no_model(folder: OpenFolder, reason: str) -> RefusedFileError:
    """Return the reason why no model can be identified in a folder; it may be of another format."""
    return RefusedFileError(foreign.folder_in_words(folder) or reason)


def _open_inside(folder: OpenFolder, terms: ReadOptions) -> Model:
    """Open the model in a folder of the folder: its newest checkpoint, or its only adapter."""
    steps, adapters = _folders_inside(folder, terms)
    if steps:
        newest = steps[max(steps)]
        model = _open_here(folder, newest, terms)
        if len(steps) == 1:
            return model
        return replace(model, chosen=f"{newest}, the newest of {len(steps)} checkpoints")
    if len(adapters) != 1:
        known = " or ".join((_USUAL_NAME, adapter_config.CONFIG))
        if not adapters:
            raise _no_model(folder, f"is a folder without a model file, such as {known}")
        nested = f"is a folder with {len(adapters)} folders of adapters"
        raise _no_model(folder, f"{nested}, but no {known}")
    return _open_here(folder, adapters[0], terms)


def _folders_inside(folder: OpenFolder, terms: ReadOptions) -> tuple[dict[int, str], list[str]]:
    """Return the checkpoints in a folder by their steps, and the adapters."""
    inside = [name for name in sorted(folder.names) if is_folder_itself(folder.path / name)]
    steps = {int(match[1]): name for name in inside if (match := _CHECKPOINT.fullmatch(name))}
    return steps, [name for name in inside if _is_adapter(folder.path / name, terms)]


def _is_adapter(path: Path, terms: ReadOptions) -> bool:
    try:
        return peft.recognises(open_folder(path, terms.limits))
    except RefusedFileError:
        return False


def _open_here(folder: OpenFolder, name: str, terms: ReadOptions) -> Model:
    """Open the model in a folder of the folder itself, and no deeper."""
    inside = open_folder(folder.path / name, terms.limits)
    if (
        not any(one.recognises(inside) for one in FOLDER_FORMATS)
        and _only_model(inside, terms) is None
    ):
        raise _no_model(inside, f"has no model in {name!r}")
    return _open_folder(inside, terms)
