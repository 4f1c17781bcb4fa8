"""PEFT adapters (LoRA): a folder with a configuration and the thin factors of each change."""

import json
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.clock import check_time
from ariba_cli.files.opening import OpenFolder
from ariba_cli.files.strict_json import parse_object
from ariba_cli.formats import pytorch, safetensors
from ariba_cli.formats.adapter_config import CONFIG, PREFIX, AdapterConfig
from ariba_cli.formats.factors import check_plain, find_factors, module_of
from ariba_cli.formats.model import ListedFile, Model, ReadOptions, Tensor

NAME = "peft"
WEIGHTS = "adapter_model.safetensors"
# What earlier releases of PEFT wrote, and it reads where there is no other.
PICKLED_WEIGHTS = "adapter_model.bin"


def recognises(source: OpenFolder) -> bool:
    """Return whether a folder holds the configuration of an adapter."""
    return CONFIG in source.names


def open_model(source: OpenFolder, terms: ReadOptions) -> Model:
    """List the changes of an adapter; see `Format`."""
    with source.open(CONFIG, most_bytes=terms.limits.header_bytes) as file:
        config = AdapterConfig.read(parse_object(file.read(0, file.size), f"an {CONFIG}"))
        config_file = ListedFile(file.path, file.stamp)
    stored = _stored(source, terms)
    tensors: dict[str, Tensor] = {}
    for name, tensor in _changes(stored.tensors, config, terms):
        if name in tensors:
            raise RefusedFileError(f"has {name!r} twice")
        tensors[name] = tensor
    return Model(NAME, (*stored.files, config_file), tensors, terms, stored.skipped)


def _stored(source: OpenFolder, terms: ReadOptions) -> Model:
    """List the tensors of an adapter as they are stored."""
    pickled = WEIGHTS not in source.names and PICKLED_WEIGHTS in source.names
    with source.open(PICKLED_WEIGHTS if pickled else WEIGHTS) as file:
        if pickled:
            return pytorch.open_model(file, terms)
        if not safetensors.recognises(file):
            raise RefusedFileError(f"has a {WEIGHTS} that is not safetensors")
        return safetensors.open_model(file, terms)


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, bytes]:
    """Return the files of an adapter by their names, with a scale s of 1.

    Parameters
    ----------
    tensors : mapping of str to array
        A and B of each adapted module, under `MODULE.lora_A.weight` and `MODULE.lora_B.weight`,
        all of one rank; and the tensors that were trained in full.
    """
    modules = [module for name in tensors if (module := module_of(name)) is not None]
    (rank,) = {len(tensors[f"{module}.lora_A.weight"]) for module in modules}
    whole = [name.rpartition(".")[0] for name in tensors if module_of(name) is None]
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": list(dict.fromkeys(modules)),
        "modules_to_save": list(dict.fromkeys(whole)),
        "bias": "none",
    }
    return {
        WEIGHTS: safetensors.encode({PREFIX + name: one for name, one in tensors.items()}),
        CONFIG: (json.dumps(config, indent=2) + "\n").encode("ascii"),
    }


def changed_layers(names: Iterable[str]) -> list[str]:
    """Return the names that a reader gives to the layers that these tensors change, in order."""
    found = ((module_of(name), name) for name in names)
    layers = (name if module is None else f"{module}.weight" for module, name in found)
    return [PREFIX + name for name in dict.fromkeys(layers)]


def _changes(
    stored: Mapping[str, Tensor], config: AdapterConfig, terms: ReadOptions
) -> Iterator[tuple[str, Tensor]]:
    """Yield the change of every adapted module, and the tensors that were trained in full."""
    check_plain(stored)
    yield from ((name, one) for name, one in stored.items() if module_of(name) is None)
    for factors in find_factors(stored):
        check_time()
        yield (
            f"{factors.module}.weight",
            factors.change(
                stored, config.scale, terms.limits, fan_in_fan_out=config.fan_in_fan_out
            ),
        )
