"""Changes that keep enough of a format to get past its first check."""

import io
import json
import math
import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from ariba_cli.formats.tensors import NUMPY_TYPES, SIZES
from tests.fuzz.harness import Mutate, Plain
from tests.fuzz.packing import pack, unpack
from tests.reports import hashed_again

_EDGES = (0, 1, 2, 3, 7, 8, 127, 255, 256, 1000, 2**16, 2**31, 2**32 - 1, 2**53, 2**62, 2**64 - 1)
_REPAIRED_BYTES = 2**14


class Literal(str):
    """A text that stands in JSON as it is, and may not be JSON."""


_PICKLED = (
    b"N",
    b"K\x00",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01",
    b"(",
    b")",
    b"}",
    b"]",
    b"t",
    b"R",
    b"Q",
    b"b",
    b"u",
    b"0",
    b"2",
    b"ccollections\nOrderedDict\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch._utils\n_rebuild_sparse_tensor\n",
    b"ctorch\nSize\n",
    b"cos\nsystem\n",
    b"X\x03\x00\x00\x00cpu",
    b"X\x04\x00\x00\x00meta",
    b"X\x02\x00\x00\x00\xed\xa0",
)


class Pairs(list[Any]):
    """A JSON object as its pairs, so that a name may occur twice."""


_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0.5,
    -0.0,
    1e308,
    "",
    "\0",
    "\ud800",
    "..",
    "/",
    "a/../b",
    "\u202ename\x1b[31m",
    "x" * 1100,
    [],
    [[]],
    [0, 0],
    Pairs(),
    Pairs([("dtype", "F32"), ("shape", [1]), ("data_offsets", [0, 4])]),
    *_EDGES,
    *SIZES,
)
_LITERALS = tuple(map(Literal, ("NaN", "-Infinity", "1e999", "9" * 5000, "[" * 2000)))


def plain_mutation(data: bytes, rng: Random) -> bytes:
    """Change, remove or insert a byte; used where no fuzzer is installed."""
    place = rng.randrange(len(data) + 1)
    return rng.choice(
        (
            data[:place] + rng.randbytes(1) + data[place + 1 :],
            data[:place] + data[place + rng.randrange(1, 9) :],
            data[:place] + rng.randbytes(rng.randrange(1, 5)) + data[place:],
            data[:place],
        )
    )


def mutate_json(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change values, names and the order of an object."""
    tree = _parsed(data)
    if tree is None or rng.random() < 0.1:
        return plain(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        tree = _changed(tree, rng)
    return _text(tree, rng).encode("utf-8", "surrogatepass")


def mutate_report(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change a report; most times its hashes are right again, as whoever changes it can do."""
    changed = mutate_json(data, rng, plain)
    if rng.random() < 0.1:
        return changed
    try:
        return hashed_again(json.loads(changed))
    except (ValueError, TypeError, RecursionError):
        return changed


def mutate_safetensors(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change header or data; most times the length, the offsets and the size fit again."""
    if len(data) < 8 or rng.random() < 0.1:
        return plain(data)
    start = 8 + min(int.from_bytes(data[:8], "little"), len(data))
    header, body = data[8:start], data[start:]
    match rng.randrange(10):
        case 0:
            body = plain(body)
        case 1:
            header = plain(header)
        case _:
            header = mutate_json(header, rng, plain)
    if rng.random() < 0.7:
        header, body = _repaired(header, body)
    length = len(header) if rng.random() < 0.97 else rng.choice(_EDGES)
    return length.to_bytes(8, "little") + header + body


def mutate_npy(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change type, shape and order; most times the lengths fit again."""
    start = data.find(b"{")
    end = data.find(b"\n", start) + 1
    if start not in (10, 12) or not end or rng.random() < 0.15:
        return plain(data)
    header, body = data[start:end], data[end:]
    match rng.randrange(6):
        case 0:
            header = plain(header)
        case 1:
            types = (*NUMPY_TYPES, ">f4", "|O", "<U3", "<c8", "|V4", "=f4", "f4")
            header = _put(header, rb"'descr': '[^']*'", f"'descr': '{rng.choice(types)}'")
        case 2:
            order = rng.choice(("True", "False", "1"))
            header = _put(header, rb"'fortran_order': \w+", f"'fortran_order': {order}")
        case 3:
            body = plain(body)
        case _:
            shape = tuple(
                rng.choice(_EDGES[: rng.choice((4, 16))]) for _ in range(rng.randrange(5))
            )
            header = _put(header, rb"'shape': \([^)]*\)", f"'shape': {shape}")
    if rng.random() < 0.7:
        body = _sized(header, body)
    version = rng.choice((1, 1, 1, 2, 3, rng.randrange(256)))
    width = 2 if version == 1 else 4
    length = len(header) if rng.random() < 0.95 else rng.choice(_EDGES[:10])
    preamble = (
        b"\x93NUMPY" + bytes([version, 0]) + (length % (1 << 8 * width)).to_bytes(width, "little")
    )
    return preamble + header + body


def mutate_archive(inside: Callable[[str], Mutate]) -> Mutate:
    """Change members and write the archive anew, its checksums right, or a field of it."""

    def mutate(data: bytes, rng: Random, plain: Plain) -> bytes:
        match rng.randrange(10):
            case 0:
                return plain(data)
            case 1 | 2:
                return _with_field(data, rng)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [(e, archive.read(e)) for e in archive.infolist() if e.file_size < 2**16]
            _change_members(members, rng, plain, inside)
            return _zipped(members, rng)
        except Exception:  # The standard library lets much through.
            return plain(data)

    return mutate


def mutate_replies(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change one message, or which there are; most times the lengths fit again."""
    pieces = _messages(data[1:])
    if not pieces or rng.random() < 0.1:
        return plain(data)
    index = rng.randrange(len(pieces))
    match rng.randrange(8):
        case 0:
            del pieces[index]
        case 1:
            pieces.insert(rng.randrange(len(pieces) + 1), pieces[index])
        case _:
            end = 8 + min(int.from_bytes(pieces[index][:8], "little"), len(pieces[index]))
            changed = mutate_json(pieces[index][8:end], rng, plain)
            length = len(changed) if rng.random() < 0.95 else rng.choice(_EDGES)
            pieces[index] = length.to_bytes(8, "little") + changed + pieces[index][end:]
    return data[:1] + b"".join(pieces)


def _messages(data: bytes) -> list[bytes]:
    """Messages with their lengths; what is between them goes with the one before it."""
    starts = [found.start() for found in re.finditer(rb"[\0-\xff][\0-\x20]\0{6}\{", data)]
    return [data[a:b] for a, b in pairwise([*starts, len(data)])]


def mutate_pickle(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change, move, double and leave out instructions, so that most of them still are some."""
    pieces = _instructions(data)
    if len(pieces) < 3 or rng.random() < 0.1:
        return plain(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        index, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        match rng.randrange(6):
            case 0:
                pieces[index] = b""
            case 1:
                pieces.insert(other, pieces[index])
            case 2:
                pieces[index], pieces[other] = pieces[other], pieces[index]
            case 3:
                pieces[index] = rng.choice(_PICKLED)
            case 4:
                pieces[index] = pieces[index][:1] + plain(pieces[index][1:])[:32]
            case _:
                if pieces[index][:1] in (b"K", b"M", b"J"):
                    pieces[index] = b"J" + (rng.choice(_EDGES) % 2**32).to_bytes(4, "little")
    return b"".join(pieces)


def mutate_pickle_or_archive(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change what `torch.save` writes, in its old form and in that of today."""
    return (_mutate_pytorch if data.startswith(b"PK") else mutate_pickle)(data, rng, plain)


def mutate_folder(names: Sequence[str], inside: Callable[[str], Mutate]) -> Mutate:
    """Change one file of a folder by what is known of it, or which files there are."""

    def mutate(data: bytes, rng: Random, plain: Plain) -> bytes:
        files = unpack(data, names)
        if not files or rng.random() < 0.05:
            return plain(data)
        name = rng.choice(list(files))
        match rng.randrange(20):
            case 0:
                del files[name]
            case 1:
                files[rng.choice(names)] = files[name]
            case _:
                files[name] = inside(name)(files[name], rng, plain)
        return pack(files, names)

    return mutate


def mutate_by_suffix(name: str) -> Mutate:
    """Return the mutator for a file of such a name."""
    return mutate_json if name.endswith(".json") else mutate_safetensors


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return None


def _changed(tree: Any, rng: Random) -> Any:
    slots = list(_slots(tree))
    if not slots:
        return _value(rng)
    container, index = rng.choice(slots)
    entry = container[index]
    value = entry[1] if isinstance(container, Pairs) else entry
    match rng.randrange(8):
        case 0:
            del container[index]
        case 1:
            if isinstance(container, Pairs) and rng.random() < 0.8:
                entry = (f"{entry[0]}{rng.randrange(10)}", value)
            container.insert(rng.randrange(len(container) + 1), _copy(entry))
        case 2 if isinstance(container, Pairs):
            other, place = rng.choice(slots)
            name = other[place][0] if isinstance(other, Pairs) else str(rng.choice(_VALUES))
            container[index] = (name, value)
        case 3 | 4:
            other, place = rng.choice(slots)
            taken = other[place][1] if isinstance(other, Pairs) else other[place]
            _put_value(container, index, _copy(taken))
        case 5 if isinstance(value, int):
            _put_value(container, index, value + rng.choice((-8, -4, -1, 1, 4, 8)))
        case 6:
            _put_value(container, index, rng.choice(([value], Pairs([("a", value)]))))
        case _:
            _put_value(container, index, _value(rng))
    return tree


def _copy(tree: Any) -> Any:
    """A copy, in which nothing is shared: what holds itself has no end."""
    if isinstance(tree, Pairs):
        return Pairs((name, _copy(value)) for name, value in tree)
    if isinstance(tree, list | tuple):
        return type(tree)(_copy(value) for value in tree)
    return tree


def _value(rng: Random) -> Any:
    return rng.choice(_LITERALS) if rng.random() < 0.05 else _copy(rng.choice(_VALUES))


def _put_value(container: list[Any], index: int, value: Any) -> None:
    container[index] = (container[index][0], value) if isinstance(container, Pairs) else value


def _slots(tree: Any) -> Iterator[tuple[list[Any], int]]:
    waiting = [tree]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            for index, entry in enumerate(found):
                yield found, index
                waiting.append(entry[1] if isinstance(found, Pairs) else entry)


def _text(tree: Any, rng: Random) -> str:
    if isinstance(tree, Literal):
        return tree
    if isinstance(tree, Pairs):
        return "{" + ",".join(f"{json.dumps(n)}:{_text(v, rng)}" for n, v in tree) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(_text(value, rng) for value in tree) + "]"
    try:
        return json.dumps(tree, ensure_ascii=rng.random() < 0.9)
    except ValueError:  # more digits than Python writes
        return "0"


def _repaired(header: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Header and data of safetensors with offsets that follow from types and shapes."""
    tree = _parsed(header)
    if not isinstance(tree, Pairs):
        return header, body
    position = 0
    for _, entry in tree:
        fields = dict(entry) if isinstance(entry, Pairs) else {}
        dtype, shape = fields.get("dtype"), fields.get("shape")
        if dtype not in list(SIZES) or not isinstance(shape, list):
            continue
        if all(type(extent) is int and extent >= 0 for extent in shape):
            end = position + min(math.prod(shape) * SIZES[dtype], _REPAIRED_BYTES)
            for index, (name, _) in enumerate(entry):
                if name == "data_offsets":
                    entry[index] = (name, [position, end])
            position = end
    text = _text(tree, Random(0)).encode("utf-8", "surrogatepass")
    return text, body[:position].ljust(position, b"\1")


def _put(text: bytes, pattern: bytes, new: str) -> bytes:
    return re.sub(pattern, lambda _: new.encode(), text, count=1)


def _sized(header: bytes, body: bytes) -> bytes:
    descr = re.search(rb"'descr': '([^']*)'", header)
    shape = re.search(rb"'shape': \(([0-9, ]*)\)", header)
    if not descr or not shape or descr[1].decode("latin-1") not in NUMPY_TYPES:
        return body
    values = math.prod(int(extent) for extent in re.findall(rb"[0-9]+", shape[1]))
    size = values * SIZES[NUMPY_TYPES[descr[1].decode()]]
    return body[:size].ljust(min(size, _REPAIRED_BYTES), b"\1")


def _change_members(
    members: list[tuple[zipfile.ZipInfo, bytes]],
    rng: Random,
    plain: Plain,
    inside: Callable[[str], Mutate],
) -> None:
    if not members:
        return
    index = rng.randrange(len(members))
    entry, data = members[index]
    match rng.randrange(8):
        case 0:
            del members[index]
        case 1:
            members.append((_entry(rng.choice(members)[0].filename, entry), data))
        case 2:
            names = (plain(entry.filename.encode()).decode("latin-1"), "arr_0.npy", "arr_1.npy")
            others = ("a/data.pkl", "x" * 1100 + ".npy", "\u202e.npy", "../w.npy", ".npy")
            members[index] = (_entry(rng.choice(names + others), entry), data)
        case 3:
            entry.compress_type = rng.choice((0, 8, 8, 12, 14))
        case 4 if rng.random() < 0.02:
            # Little that becomes much.
            entry.compress_type = zipfile.ZIP_DEFLATED
            members[index] = (entry, data + bytes(2**26))
        case _:
            members[index] = (entry, inside(entry.filename)(data, rng, plain))


def _instructions(data: bytes) -> list[bytes]:
    """The instructions of a pickle, or of several in a row, and what comes after them."""
    starts, base = [], 0
    try:
        while base < len(data):
            stream = io.BytesIO(data[base:])
            starts += [base + (place or 0) for _, _, place in pickletools.genops(stream)]
            base += stream.tell()
    except Exception:  # What comes now is none.
        starts.append(base)
    return [data[a:b] for a, b in pairwise([*starts, len(data)])]


def _plain_member(data: bytes, _: Random, plain: Plain) -> bytes:
    return plain(data)


mutate_npz = mutate_archive(lambda _: mutate_npy)
_mutate_pytorch = mutate_archive(
    lambda name: mutate_pickle if name.endswith(".pkl") else _plain_member
)


def _entry(name: str, like: zipfile.ZipInfo) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = like.compress_type
    return entry


def _zipped(members: list[tuple[zipfile.ZipInfo, bytes]], rng: Random) -> bytes:
    out = io.BytesIO()
    # Names that occur twice are warned of, and wanted.
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        for entry, data in members:
            with archive.open(entry, "w", force_zip64=rng.random() < 0.1) as stream:
                stream.write(data)
    return out.getvalue()


def _with_field(data: bytes, rng: Random) -> bytes:
    """An archive with one field of its directory, a local header, or its end changed."""
    signatures = [
        m.start() for m in re.finditer(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07)", data)
    ]
    if not signatures:
        return data
    size = rng.choice((1, 2, 2, 4, 4, 8))
    place = rng.choice(signatures) + rng.randrange(4, 46)
    value = rng.choice((*_EDGES, len(data), rng.randrange(256), *signatures)) % (1 << 8 * size)
    return data[:place] + value.to_bytes(size, "little") + data[place + size :]
