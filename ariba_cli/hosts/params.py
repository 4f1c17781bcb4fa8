"""Parameters as NVFlare holds them: arrays, tensors of PyTorch, or references to files."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import AribaError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats import open_model
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.formats.model import Extent, Model, ReadOptions, Tensor
from ariba_cli.formats.tensors import check_count, check_name

NAME = "params"


def lie_in_files(params: object) -> bool:
    """Return True if some parameters are references to files, which their owner removes."""
    return isinstance(params, Mapping) and any(_is_reference(value) for value in params.values())


def model_of_params(params: object, *, copy: bool = False) -> Model:
    """Return a model of parameters, which are read where they are.

    Parameters
    ----------
    params : dict of str to array, tensor or reference
        The parameters, by the names of the tensors.
    copy : bool, optional
        True to copy arrays, since other code may change them.

    Raises
    ------
    RefusedFileError
        When they are something else, or a file is not one that a model may be read from.
    """
    if not isinstance(params, Mapping):
        raise RefusedFileError(f"is of {type(params).__name__}, not a dict of arrays")
    check_count(len(params), Limits())
    files: dict[Path, Model] = {}
    tensors: dict[str, Tensor] = {}
    for name, value in params.items():
        if not isinstance(name, str):
            raise RefusedFileError(f"has a name that is of {type(name).__name__}")
        check_name(name, Limits())
        if _is_reference(value):
            tensors[name] = _in_file(value, name, files)
        else:
            tensors[name] = _in_memory(value, name, copy=copy)
    listed = tuple(one.files[0] for one in files.values())
    return Model(NAME, listed, tensors, ReadOptions())


def _is_reference(value: object) -> bool:
    """Return True if a value is a `_LazyRef` of NVFlare: a path, and a name in that file."""
    return hasattr(value, "file_path") and hasattr(value, "key")


def _in_file(reference: Any, name: str, files: dict[Path, Model]) -> Tensor:
    path = Path(reference.file_path)
    if path not in files:
        files[path] = open_model(path, ReadOptions())
    found = files[path].tensors.get(reference.key)
    if not isinstance(found, Extent):
        raise RefusedFileError(f"has no {reference.key!r} in the file for {name!r}")
    return Extent(found.spec, found.offset, list(files).index(path))


def _in_memory(value: Any, name: str, *, copy: bool) -> Tensor:
    array = np.array(_array(value, name), copy=True if copy else None)
    try:
        return model_in_memory({name: array}).tensors[name]
    except AribaError as error:
        raise RefusedFileError(str(error)) from error


def _array(value: Any, name: str) -> npt.NDArray[Any]:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        tensor = value.detach().cpu().contiguous()
        if tensor.dtype == torch.bfloat16:
            # NumPy has no such type.
            bits: npt.NDArray[Any] = tensor.view(torch.int16).numpy().view("V2")
            return bits
        if not tensor.dtype.is_complex and not tensor.is_quantized:
            plain: npt.NDArray[Any] = tensor.numpy()
            return plain
    elif isinstance(value, np.ndarray | np.generic | float | int):
        return np.asarray(value)
    raise RefusedFileError(
        f"holds {name!r} as {type(value).__name__}, which is not an array of numbers"
    )
