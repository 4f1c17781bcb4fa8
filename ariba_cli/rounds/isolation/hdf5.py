"""What the child can be asked about an HDF5 file: where its tensors are, and their values.

Allowed are hard links; datasets that are contiguous, compact or chunked; the filters
gzip, shuffle and fletcher32. External storage, virtual datasets and links out of the file
can make it larger than it is or reach beyond it.
"""

import io
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from ariba_cli.errors import RefusedFileError
from ariba_cli.rounds.limits import Limits
from ariba_cli.rounds.tensors import (
    NUMPY_TYPES,
    check_count,
    check_name,
    check_shape,
)

Answer = tuple[Any, Iterable[Any]]

# The file is read where it is asked about: a large one, which can be a hole, takes no memory.
COPIES = 0

_PIECE_BYTES = 2**24
_MOST_CHUNK_BYTES = 2**28
_DEEPEST = 8
_NOWHERE = 2**62

_LAYOUTS = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT, h5py.h5d.CHUNKED)
_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)


def try_out() -> None:
    """Use everything once, so that nothing is left to be loaded."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("a/b", data=np.ones(64), chunks=(8,), compression=1, shuffle=True)
    limits = Limits()
    _groups(buffer, limits, group="/")
    tensors, _ = _tensors(buffer, limits, group="a")
    list(_values(buffer, limits, group="a", tensor=json.loads(json.dumps(tensors[0])))[1])


def _groups(stream: BinaryIO, limits: Limits, *, group: str) -> Answer:
    """The names in a group, where most of them are of groups; otherwise none.

    What is none among them is one participant's affair, and refused when it is asked for.
    """
    with _opened(stream) as file:
        top = _group(file, group, limits)
        names = list(top)
        check_count(len(names), limits)
        groups = sum(_is_group(top, name) for name in names)
        return (names if 2 * groups > len(names) else []), ()


def _tensors(stream: BinaryIO, limits: Limits, *, group: str) -> Answer:
    """Name, type, shape and place of all datasets in a group; packed ones have no place."""
    with _opened(stream) as file:
        top = _group(file, group, limits)
        found = [(name, _described(dataset)) for name, dataset in _walk(top, limits)]
    return [(name, *described) for name, described in found], ()


def _values(stream: BinaryIO, limits: Limits, *, group: str, tensor: list[Any]) -> Answer:
    """The values of a dataset that `_tensors` has described, in pieces."""
    return None, _pieces(stream, limits, group, tensor)


QUESTIONS = {"groups": _groups, "tensors": _tensors, "values": _values}


def _pieces(
    stream: BinaryIO, limits: Limits, group: str, tensor: list[Any]
) -> Iterator[npt.NDArray[Any]]:
    with _opened(stream) as file:
        name = tensor[0]
        dataset = _inside(_group(file, group, limits), name, limits)
        if json.loads(json.dumps([name, *_described(dataset)])) != tensor:
            raise RefusedFileError("changed while it was read")
        if dataset.size == 0:
            # Rows of nothing can be without number, and nobody takes them.
            return
        if dataset.ndim == 0:
            yield np.atleast_1d(dataset[()])
            return
        row_bytes = max(1, dataset.nbytes // max(1, len(dataset)))
        rows = max(1, _PIECE_BYTES // row_bytes)
        for start in range(0, len(dataset), rows):
            yield np.ascontiguousarray(dataset[start : start + rows])


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[h5py.File]:
    try:
        with h5py.File(stream, "r") as file:
            yield file
    except (RefusedFileError, MemoryError):
        raise
    except Exception as error:
        # The library lets many kinds through, OverflowError and UnicodeDecodeError among them.
        raise RefusedFileError(f"is not sound HDF5 ({type(error).__name__})") from error


def _walk(top: h5py.Group, limits: Limits) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every dataset below a group, by its path from there."""
    waiting = [("", top, 1)]
    seen = 0
    while waiting:
        prefix, group, depth = waiting.pop(0)
        for name in group:
            seen += 1
            check_count(seen, limits)
            found = _inside(group, name, limits)
            path = prefix + name
            check_name(path, limits)
            if isinstance(found, h5py.Dataset):
                yield path, found
            elif depth < _DEEPEST:
                waiting.append((path + "/", found, depth + 1))
            else:
                raise RefusedFileError(f"holds groups in groups, {depth} deep, at {path!r}")


def _group(file: h5py.File, path: str, limits: Limits) -> h5py.Group:
    found = file if path == "/" else _inside(file, path, limits)
    if not isinstance(found, h5py.Group):
        raise RefusedFileError(f"is a dataset and no group at {path!r}")
    return found


def _is_group(top: h5py.Group, name: str) -> bool:
    is_hard = isinstance(top.get(name, getlink=True), h5py.HardLink)
    return is_hard and top.get(name, getclass=True) is h5py.Group


def _inside(group: h5py.Group, path: str, limits: Limits) -> h5py.Group | h5py.Dataset:
    """What a group holds there, reached by hard links alone."""
    check_name(path, limits)
    found = group
    for name in path.split("/"):
        if not isinstance(found.get(name, getlink=True), h5py.HardLink):
            raise RefusedFileError(f"holds a link at {path!r}")
        found = found[name]
    if isinstance(found, h5py.Dataset):
        _check_dataset(found, path, limits)
    elif not isinstance(found, h5py.Group):
        raise RefusedFileError(f"holds neither a dataset nor a group at {path!r}")
    return found


def _check_dataset(dataset: h5py.Dataset, path: str, limits: Limits) -> None:
    creation = dataset.id.get_create_plist()
    if creation.get_external_count() > 0:
        raise RefusedFileError(f"keeps {path!r} in another file")
    if creation.get_layout() not in _LAYOUTS:
        raise RefusedFileError(f"puts {path!r} together from other datasets")
    for index in range(creation.get_nfilters()):
        code, _, _, name = creation.get_filter(index)
        if code not in _FILTERS:
            raise RefusedFileError(f"packs {path!r} by the filter {code} ({name!a})")
    if not _is_plain_type(dataset) or dataset.shape is None:
        raise RefusedFileError(f"holds {path!r} as {dataset.dtype}, which is no type of a weight")
    check_shape(dataset.shape, limits)
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > _MOST_CHUNK_BYTES:
        raise RefusedFileError(f"keeps {path!r} in chunks of more than {_MOST_CHUNK_BYTES:,} bytes")


def _is_plain_type(dataset: h5py.Dataset) -> bool:
    """Whether its bytes are what NumPy takes them for.

    Floats may have their sign and exponent anywhere: the library converts them, and whoever
    reads the bytes from their place in the file sees other values.
    """
    if dataset.dtype.str not in NUMPY_TYPES:
        return False
    plain = h5py.h5t.py_create(dataset.dtype, logical=True)
    return bool(dataset.id.get_type() == plain)


def _described(dataset: h5py.Dataset) -> tuple[str, tuple[int, ...], int | None]:
    """Its type, its shape, and its place in the file when it is stored as it is."""
    place = None
    if dataset.id.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS:
        # What nobody has written has no place: it is taken to be beyond every file.
        offset = dataset.id.get_offset()
        place = offset if offset is not None else _NOWHERE
    return NUMPY_TYPES[dataset.dtype.str], dataset.shape, place
