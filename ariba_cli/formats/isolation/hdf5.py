"""The questions that the child answers about an HDF5 file: the places and values of its tensors.

Allowed are hard links; datasets that are contiguous, compact or chunked; the filters
gzip, shuffle and fletcher32. External storage, virtual datasets and links out of the file
can make it larger than it is or reach beyond it.
"""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5d, h5g, h5l, h5o, h5p, h5s, h5t, h5z

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.tensors import (
    NUMPY_TYPES,
    TensorSpec,
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

_LAYOUTS = (h5d.CONTIGUOUS, h5d.COMPACT, h5d.CHUNKED)
_FILTERS = (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)

# Other types by their classes. What the library would say of them it has to load first.
_KINDS = {
    h5t.COMPOUND: "as a table or complex numbers",
    h5t.STRING: "as text",
    h5t.OPAQUE: "as bytes",
    h5t.ENUM: "as names of numbers",
    h5t.VLEN: "as lists",
    h5t.ARRAY: "as arrays",
    h5t.REFERENCE: "as references",
    h5t.BITFIELD: "as bits",
    h5t.TIME: "as times",
}

# The types that a weight may have, by how the library writes them.
_TYPES = [
    (h5t.py_create(np.dtype(descr), logical=True), name) for descr, name in NUMPY_TYPES.items()
]


class _NoWeightError(RefusedFileError):
    """A dataset of a type that no weight has.

    Attributes
    ----------
    what : str
        The type, in a word or two.
    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"holds {path!r} {what}, which weights cannot be")
        self.what = what.removeprefix("as ")


def try_out() -> None:
    """Use everything once, so that nothing is left to be loaded."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("a/b", data=np.ones(64), chunks=(8,), compression=1, shuffle=True)
    limits = Limits()
    _groups(buffer, limits, group="/")
    found, _ = _tensors(buffer, limits, group="a")
    tensor = json.loads(json.dumps(found["tensors"][0]))
    list(_values(buffer, limits, group="a", tensor=tensor)[1])


def _groups(stream: BinaryIO, limits: Limits, *, group: str) -> Answer:
    """Return the names in a group if most of them are groups; otherwise none.

    An entry that is not a group concerns one participant, and is refused when it is asked for.
    """
    with _opened(stream) as root:
        top = _group(root, group, limits)
        names = list(top)
        check_count(len(names), limits)
        groups = sum(_is_group(top, name) for name in names)
        return (list(map(_text, names)) if 2 * groups > len(names) else []), ()


def _tensors(stream: BinaryIO, limits: Limits, *, group: str) -> Answer:
    """Return name, type, shape and place of all datasets in a group; packed ones have no place.

    Datasets of a type that no weight has, such as tables and strings, are skipped.
    """
    tensors, skipped, first = [], [], None
    with _opened(stream) as root:
        for path, dataset in _walk(_group(root, group, limits), limits):
            try:
                tensors.append((path, *_described(dataset, path, limits)))
            except _NoWeightError as error:
                first = first or error
                skipped.append((path, error.what))
    if first is not None and not tensors:
        raise RefusedFileError(str(first))
    return {"tensors": tensors, "skipped": skipped}, ()


def _values(stream: BinaryIO, limits: Limits, *, group: str, tensor: list[Any]) -> Answer:
    """Return the values of a dataset that `_tensors` has described, in pieces."""
    return None, _pieces(stream, limits, group, tensor)


QUESTIONS = {"groups": _groups, "tensors": _tensors, "values": _values}


def _pieces(
    stream: BinaryIO, limits: Limits, group: str, tensor: list[Any]
) -> Iterator[npt.NDArray[Any]]:
    with _opened(stream) as root:
        path = tensor[0]
        found = _inside(_group(root, group, limits), path, limits)
        if not isinstance(found, h5d.DatasetID):
            raise RefusedFileError("changed while it was read")
        if json.loads(json.dumps([path, *_described(found, path, limits)])) != tensor:
            raise RefusedFileError("changed while it was read")
        dataset = h5py.Dataset(found)
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
def _opened(stream: BinaryIO) -> Iterator[h5g.GroupID]:
    """Open the root group of a file."""
    try:
        with h5py.File(stream, "r") as file:
            yield h5g.open(file.id, b"/")
    except (RefusedFileError, MemoryError):
        raise
    except Exception as error:
        # The library lets many kinds through, OverflowError and UnicodeDecodeError among them.
        raise RefusedFileError(f"is not valid HDF5 ({type(error).__name__})") from error


def _walk(top: h5g.GroupID, limits: Limits) -> Iterator[tuple[str, h5d.DatasetID]]:
    """Yield every dataset below a group, with its path from there."""
    waiting = [("", top, 1)]
    seen = 0
    while waiting:
        prefix, group, depth = waiting.pop(0)
        for name in group:
            seen += 1
            check_count(seen, limits)
            path = prefix + _text(name)
            check_name(path, limits)
            found = _at(group, name, path)
            if isinstance(found, h5d.DatasetID):
                yield path, found
            elif depth < _DEEPEST:
                waiting.append((path + "/", found, depth + 1))
            else:
                raise RefusedFileError(f"nests groups {depth} deep at {path!r}")


def _group(root: h5g.GroupID, path: str, limits: Limits) -> h5g.GroupID:
    found = root if path == "/" else _inside(root, path, limits)
    if not isinstance(found, h5g.GroupID):
        raise RefusedFileError(f"has a dataset instead of a group at {path!r}")
    return found


def _is_group(top: h5g.GroupID, name: bytes) -> bool:
    try:
        return isinstance(_at(top, name, _text(name)), h5g.GroupID)
    except MemoryError:
        raise
    except Exception:
        # Whatever is wrong with it is said when it is asked for.
        return False


def _inside(top: h5g.GroupID, path: str, limits: Limits) -> h5g.GroupID | h5d.DatasetID:
    """Return the group or dataset at a path in a group, reached by hard links alone."""
    check_name(path, limits)
    found = top
    for name in path.encode("utf-8", "surrogateescape").split(b"/"):
        found = _at(found, name, path)
    return found


def _at(group: h5g.GroupID, name: bytes, path: str) -> h5g.GroupID | h5d.DatasetID:
    if group.links.get_info(name).type != h5l.TYPE_HARD:
        raise RefusedFileError(f"holds a link at {path!r}")
    found = h5o.open(group, name)
    if not isinstance(found, h5g.GroupID | h5d.DatasetID):
        raise RefusedFileError(f"holds neither a dataset nor a group at {path!r}")
    return found


def _described(
    dataset: h5d.DatasetID, path: str, limits: Limits
) -> tuple[str, tuple[int, ...], int | None]:
    """Return type and shape of a dataset, and its place in the file if it is stored as it is."""
    creation = dataset.get_create_plist()
    _check_storage(creation, path)
    dtype, space = _type_of(dataset, path), dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        raise _NoWeightError(path, "without values")
    shape = tuple(space.get_simple_extent_dims())
    check_shape(shape, limits)
    most = space.get_simple_extent_dims(True)
    if any(one not in (h5s.UNLIMITED, now) for one, now in zip(most, shape, strict=True)):
        # Their chunks are found by the size that they may grow to, and HDF5 2.0.0 crashes
        # where that does not fit what is there.
        raise RefusedFileError(f"holds {path!r}, which is declared to grow to another size")
    if creation.get_layout() == h5d.CONTIGUOUS:
        # What nobody has written has no place: it is taken to be beyond every file.
        offset = dataset.get_offset()
        return dtype, shape, offset if offset is not None else _NOWHERE
    if creation.get_layout() == h5d.CHUNKED:
        chunk = TensorSpec(dtype, tuple(creation.get_chunk()))
        if chunk.bytes > _MOST_CHUNK_BYTES:
            raise RefusedFileError(
                f"keeps {path!r} in chunks of more than {_MOST_CHUNK_BYTES:,} bytes"
            )
    return dtype, shape, None


def _check_storage(creation: h5p.PropDCID, path: str) -> None:
    if creation.get_external_count() > 0:
        raise RefusedFileError(f"keeps {path!r} in another file")
    if creation.get_layout() not in _LAYOUTS:
        raise RefusedFileError(f"puts {path!r} together from other datasets, which is not allowed")
    for index in range(creation.get_nfilters()):
        code, _, _, name = creation.get_filter(index)
        if code not in _FILTERS:
            raise RefusedFileError(f"packs {path!r} with the filter {code} ({name!a})")


def _type_of(dataset: h5d.DatasetID, path: str) -> str:
    """Return the type of a dataset whose bytes mean the same to NumPy.

    HDF5 floats may have their sign and exponent anywhere. The library converts them, but a
    reader of the raw bytes would see other values.
    """
    stored = dataset.get_type()
    for known, name in _TYPES:
        if stored == known:
            return name
    kind = stored.get_class()
    raise _NoWeightError(path, _KINDS.get(kind) or f"as {stored.dtype}")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
