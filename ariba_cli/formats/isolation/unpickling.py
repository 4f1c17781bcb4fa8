"""An unpickler that runs nothing: it describes tensors and arrays, and stands in for the rest.

A pickle is a program that may call whatever it names. Here the names are an allow-list:
tables, tensors and arrays are made by the methods below, which only take notes. Any other
class or function becomes a class of its own that only keeps its arguments.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats.isolation.described import (
    Described,
    Fixed,
    Mapped,
    StandIn,
    Storage,
    row_strides,
    view_of,
)
from ariba_cli.formats.tensors import NUMPY_TYPES, SIZES

# The storages that PyTorch names, by the type and the size of their values; None stands for
# types that cannot be scored.
_STORAGES: dict[str, tuple[str | None, int]] = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
    "UntypedStorage": (None, 1),
    "ComplexFloatStorage": (None, 8),
    "ComplexDoubleStorage": (None, 16),
    "QInt8Storage": (None, 1),
    "QUInt8Storage": (None, 1),
    "QInt32Storage": (None, 4),
    "QUInt4x2Storage": (None, 1),
    "QUInt2x4Storage": (None, 1),
}
_TYPES = {
    "float64": "F64",
    "double": "F64",
    "float32": "F32",
    "float": "F32",
    "float16": "F16",
    "half": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}

# Where NumPy has had its own functions.
_NUMPY_CORE = ("numpy.core.", "numpy._core.")
# What PyTorch makes tensors with that have no plain values.
_ODD_TENSORS = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_sparse_csr_tensor": "sparse",
    "_rebuild_qtensor": "quantised",
    "_rebuild_nested_tensor": "nested",
    "_rebuild_meta_tensor_no_storage": "without values",
    "_rebuild_wrapper_subclass": "of an unusual class",
}


class _Array(Described):
    """A NumPy array, which gets all of its contents in one state."""

    def __setstate__(self, state: object) -> None:
        match state:
            case (int(), tuple(shape), _DType() as dtype, by_column, bytes() | str() as data):
                # Python 2 had no bytes: here its strings are of Latin-1.
                raw = data.encode("latin-1") if isinstance(data, str) else data
                found = _of_bytes(raw, dtype, shape, by_column=bool(by_column))
                vars(self).update(vars(found))
            case (int(), tuple(), _DType() as dtype, *_):
                self.kind = f"array of {dtype}"
            case _:
                raise RefusedFileError("holds an array whose state NumPy did not write")


@dataclass
class _DType:
    """A NumPy type."""

    descr: str
    order: str = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def __str__(self) -> str:
        """Return the type in NumPy's notation."""
        return f">{self.descr}" if self.order == ">" else self.descr

    @property
    def name(self) -> str | None:
        """Return the type's name in safetensors; None if it has none."""
        if self.order == ">":
            return None
        for prefix in ("<", "|"):
            if prefix + self.descr in NUMPY_TYPES:
                return NUMPY_TYPES[prefix + self.descr]
        return None


@dataclass(frozen=True)
class _StorageType(Fixed):
    name: str


@dataclass(frozen=True)
class _TorchType(Fixed):
    name: str


class Unpickler(pickle.Unpickler):
    """An unpickler that reads one pickle from the current position of a stream.

    Parameters
    ----------
    stream : BinaryIO
        The source of the pickle.
    load_storage : callable
        A function that reads the bytes of a storage that was pickled by itself.

    Attributes
    ----------
    storages : dict of str to Storage
        The storages beside the pickle, by their keys, as far as it has named them.
    """

    def __init__(self, stream: BinaryIO, load_storage: Callable[[bytes], Storage]) -> None:
        super().__init__(stream, encoding="latin-1")
        self.storages: dict[str, Storage] = {}
        self._load_storage = load_storage
        # Bound methods, which no pickle can change: the next file is read by the same functions.
        self._makers: dict[tuple[str, str], object] = {
            ("collections", "OrderedDict"): Mapped,
            ("_codecs", "encode"): self._encode,
            ("builtins", "bytes"): self._no_bytes,
            ("__builtin__", "bytes"): self._no_bytes,
            ("copyreg", "_reconstructor"): self._reconstruct,
            ("copy_reg", "_reconstructor"): self._reconstruct,
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v3"): self._typed_tensor,
            ("torch._utils", "_rebuild_parameter"): self._first,
            ("torch._utils", "_rebuild_parameter_with_state"): self._first,
            ("torch._utils", "_rebuild_device_tensor_from_numpy"): self._first,
            ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): self._first,
            ("torch._tensor", "_rebuild_from_type_v2"): self._of_type,
            ("torch.storage", "_load_from_bytes"): self._storage_of_bytes,
            ("numpy", "dtype"): self._numpy_type,
        }

    def find_class(self, module: str, name: str) -> object:
        """Return a stand-in for a class or function of that name; import nothing."""
        if module.startswith("joblib."):
            raise RefusedFileError(
                "was written by joblib; load it with joblib, and write its arrays with numpy.savez"
            )
        if (module, name) in self._makers:
            return self._makers[module, name]
        if module in ("torch", "torch.storage", "torch.cuda") and name in _STORAGES:
            return _StorageType(name)
        if module == "torch" and _is_type(name):
            return _TorchType(name)
        if module == "torch._utils" and name in _ODD_TENSORS:
            return _Odd(_ODD_TENSORS[name])
        core = next((module.removeprefix(one) for one in _NUMPY_CORE if module.startswith(one)), "")
        made: object = {
            ("multiarray", "_reconstruct"): self._array,
            ("multiarray", "scalar"): self._scalar,
            ("numeric", "_frombuffer"): self._of_buffer,
        }.get((core, name))
        if made is None:
            named = {"named": f"{module}.{name}"}
            made = self._makers[module, name] = type("StandIn", (StandIn,), named)
        return made

    def persistent_load(self, key: Any) -> object:
        """Return the storage that PyTorch keeps beside the pickle."""
        match key:
            case ("storage", _StorageType(kind), str(name), _, int(values), *views):
                if any(view is not None for view in views):
                    raise RefusedFileError("holds views of storages, which only PyTorch 0.1 wrote")
                dtype, size = _STORAGES[kind]
                word = kind.removesuffix("Storage").lower().replace("complex", "complex ")
                found = Storage(dtype, word, size, name, values)
                self.storages.setdefault(name, found)
                return found
            case ("module", kind, *_):
                return kind
        raise RefusedFileError("is a pickle that keeps data outside of itself, unlike PyTorch's")

    def _encode(self, text: object, encoding: object = "latin1") -> bytes:
        """Return the bytes that a text encodes; old protocols write bytes so."""
        if isinstance(text, str) and encoding in ("latin1", "latin-1"):
            return text.encode("latin-1")
        raise RefusedFileError("is a pickle that encodes text in an unusual way")

    def _no_bytes(self, *arguments: object) -> object:
        """Return empty bytes, which old protocols write as a call without arguments."""
        return StandIn() if arguments else b""

    def _reconstruct(self, kind: object, *_: object) -> object:
        return kind() if isinstance(kind, type) and issubclass(kind, StandIn) else StandIn()

    def _first(self, found: object, *_: object) -> object:
        return found

    def _tensor(
        self,
        storage: object,
        start: object,
        shape: object,
        strides: object,
        _requires_grad: object = False,
        _hooks: object = None,
        notes: object = None,
    ) -> Described:
        if not isinstance(storage, Storage):
            raise RefusedFileError("holds a tensor without a storage")
        if storage.dtype is None or (isinstance(notes, dict) and any(notes.values())):
            return Described(storage.kind)
        return view_of(storage, storage.dtype, start, shape, strides)

    def _typed_tensor(
        self, storage: object, start: object, shape: object, strides: object, *rest: object
    ) -> Described:
        kind = rest[2].name if len(rest) > 2 and isinstance(rest[2], _TorchType) else ""
        dtype = _TYPES.get(kind)
        if not isinstance(storage, Storage) or dtype is None:
            return Described(kind or "tensor without a type")
        size = SIZES[dtype]
        values = storage.values * storage.item_bytes // size
        typed = Storage(dtype, kind, size, storage.key, values, storage.data)
        return view_of(typed, dtype, start, shape, strides)

    def _of_type(self, make: object, _kind: object, arguments: object, *_: object) -> object:
        if make not in (self._tensor, self._typed_tensor, self._first) or not isinstance(
            arguments, tuple
        ):
            return Described("of an unusual class")
        return make(*arguments)

    def _storage_of_bytes(self, data: object) -> Storage:
        if not isinstance(data, bytes | bytearray):
            raise RefusedFileError("holds a storage that is not made of bytes")
        return self._load_storage(bytes(data))

    def _numpy_type(self, descr: object, *_: object) -> _DType:
        text = str(descr) if isinstance(descr, str) else "another type"
        return _DType(text.lstrip("<|="), ">" if text.startswith(">") else "<")

    def _array(self, *_: object) -> _Array:
        return _Array("array")

    def _scalar(self, dtype: object, data: object = None) -> Described:
        if isinstance(dtype, _DType) and isinstance(data, bytes):
            return _of_bytes(data, dtype, (), by_column=False)
        return Described("scalar")

    def _of_buffer(self, data: object, dtype: object, shape: object, order: object) -> Described:
        if isinstance(dtype, _DType) and isinstance(data, bytes | bytearray):
            return _of_bytes(bytes(data), dtype, shape, by_column=order == "F")
        return Described("array")


@dataclass(frozen=True)
class _Odd(Fixed):
    """A factory of tensors that cannot be scored."""

    kind: str

    def __call__(self, *_: object, **__: object) -> Described:
        return Described(self.kind)


def _is_type(name: str) -> bool:
    starts = ("float", "bfloat", "half", "double", "int", "uint", "bool", "complex", "q", "bits")
    return name in _TYPES or (name.startswith(starts) and name[-1:].isdigit()) or "float8" in name


def _of_bytes(data: bytes, dtype: _DType, shape: object, *, by_column: bool) -> Described:
    name = dtype.name
    if name is None:
        return Described(f"array of {dtype}")
    size = SIZES[name]
    storage = Storage(name, dtype.descr, size, "", len(data) // size, data)
    if not isinstance(shape, tuple) or not all(type(one) is int and one >= 0 for one in shape):
        raise RefusedFileError("holds an array with an invalid shape")
    return view_of(storage, name, 0, shape, row_strides(shape, by_column=by_column))
