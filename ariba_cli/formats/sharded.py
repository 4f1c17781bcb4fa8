"""A model in shards: a folder with an index that maps each tensor to its file.

Shards are safetensors, or PyTorch's pickles where those are trusted.
"""

from collections.abc import Mapping
from typing import Any

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.opening import OpenFolder
from ariba_cli.files.strict_json import parse_object
from ariba_cli.formats import pytorch, safetensors
from ariba_cli.formats.model import Model, ReadOptions, Tensor
from ariba_cli.formats.tensors import check_count, check_name

NAME = "sharded-safetensors"

_INDEX_SUFFIXES = (".safetensors.index.json", ".bin.index.json")


def recognises(source: OpenFolder) -> bool:
    """Return whether a folder holds an index."""
    return bool(_indices(source))


def open_model(source: OpenFolder, terms: ReadOptions) -> Model:
    """List the tensors of all shards; see `Format`."""
    indices = _indices(source)
    if len(indices) > 1:
        raise RefusedFileError(f"holds {len(indices)} indices of shards instead of one")
    with source.open(indices[0], most_bytes=terms.limits.header_bytes) as file:
        index = _weight_map(parse_object(file.read(0, file.size), "an index"))
    check_count(len(index), terms.limits)
    for name in index:
        check_name(name, terms.limits)
    shards = sorted(set(index.values()))
    models = [_open_shard(source, shard, terms) for shard in shards]
    found: dict[str, Tensor] = {}
    for number, (shard, model) in enumerate(zip(shards, models, strict=True)):
        for name, tensor in model.tensors.items():
            if index.get(name) != shard:
                raise RefusedFileError(f"has {name!r} in {shard!r}, but its index does not say so")
            found[name] = pytorch.in_file(tensor, number)
    files = tuple(file for model in models for file in model.files)
    skipped = {name: what for model in models for name, what in model.skipped.items()}
    _check_complete(index, found, skipped)
    tensors = {name: found[name] for name in index if name in found}
    layout = models[0].layout if models else ""
    return Model(NAME, files, tensors, terms, skipped, layout=layout)


def _indices(source: OpenFolder) -> list[str]:
    names = (name for name in source.names if not name.startswith("."))
    return sorted(name for name in names if name.endswith(_INDEX_SUFFIXES))


def _weight_map(index: Mapping[str, Any]) -> dict[str, str]:
    found = index.get("weight_map")
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise RefusedFileError("has an index without a table of tensors and their files")
    return found


def _open_shard(source: OpenFolder, name: str, terms: ReadOptions) -> Model:
    with source.open(name) as file:
        if safetensors.recognises(file):
            return safetensors.open_model(file, terms)
        if pytorch.recognises(file):
            return pytorch.open_model(file, terms)
    raise RefusedFileError(f"names {name!r} as a shard, which is neither safetensors nor PyTorch's")


def _check_complete(
    index: Mapping[str, str], found: Mapping[str, Tensor], skipped: Mapping[str, str]
) -> None:
    missing = next((name for name in index if name not in found and name not in skipped), None)
    if missing is not None:
        raise RefusedFileError(
            f"has no {missing!r} in {index[missing]!r}, though its index says so"
        )
