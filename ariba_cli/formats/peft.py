"""PEFT adapters (LoRA): a folder with the thin factors of each adapted module's change.

The factors alone cannot be compared, since (B·M)·(M⁻¹·A) is the same change; what is
compared is ΔW = s·B·A with s = α/r, or α/√r for rank-stabilised adapters (Hu et al.,
arXiv 2106.09685; Kalajdzievski, arXiv 2312.03732). It is never formed as a whole.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.clock import check_time
from ariba_cli.files.opening import OpenFolder
from ariba_cli.files.strict_json import parse_object
from ariba_cli.formats import safetensors
from ariba_cli.formats.lowrank import LowRank
from ariba_cli.formats.model import ListedFile, Model, Reading, ReadOptions, Tensor
from ariba_cli.formats.tensors import SIZES, TensorSpec, check_shape

NAME = "peft"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_FACTORS = re.compile(r"(?P<module>.+)\.lora_(?:embedding_)?(?P<which>[AB])(?:\.weight)?")
# What changes a layer by more than B·A.
_OTHER_ADAPTERS = ("lora_", "hada_", "lokr_", "oft_", "ia3_", "vera_", "boft_")
_SCALE_BYTES = 8

# Adapters have lower ones, also where a layer has fewer inputs or outputs than that.
_LARGEST_RANK = 1024

# What PEFT calls the network that is adapted.
_PREFIX = "base_model.model."

# Of the patterns that name modules, those that match what they say and nothing longer.
_PATTERN = re.compile(r"[A-Za-z0-9_.\-]{1,1024}")
# Of modules with patterns: every one is held against every other.
_MOST_COMPARISONS = 10**7


def recognises(source: OpenFolder) -> bool:
    """Whether a folder holds the configuration of an adapter."""
    return CONFIG in source.names


def open_model(source: OpenFolder, terms: ReadOptions) -> Model:
    """List the changes of an adapter; see `Format`."""
    with source.open(CONFIG, most_bytes=terms.limits.header_bytes) as file:
        config = _Config.read(parse_object(file.read(0, file.size), CONFIG))
        config_file = ListedFile(file.path, file.stamp)
    with source.open(WEIGHTS) as file:
        if not safetensors.recognises(file):
            raise RefusedFileError(f"has a {WEIGHTS} that is no safetensors")
        stored = safetensors.open_model(file, terms)
    tensors: dict[str, Tensor] = {}
    for name, tensor in _changes(stored.tensors, config, terms):
        if name in tensors:
            raise RefusedFileError(f"gives {name!r} twice")
        tensors[name] = tensor
    return Model(NAME, (*stored.files, config_file), tensors, terms)


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, bytes]:
    """Return the files of an adapter by their names, with a scale s of 1.

    Parameters
    ----------
    tensors : mapping of str to array
        A and B of each adapted module, under `MODULE.lora_A.weight` and `MODULE.lora_B.weight`,
        all of one rank; and those that were trained as they are.
    """
    modules = [match["module"] for name in tensors if (match := _FACTORS.fullmatch(name))]
    (rank,) = {len(tensors[f"{module}.lora_A.weight"]) for module in modules}
    whole = [name.rpartition(".")[0] for name in tensors if not _FACTORS.fullmatch(name)]
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": list(dict.fromkeys(modules)),
        "modules_to_save": list(dict.fromkeys(whole)),
        "bias": "none",
    }
    return {
        WEIGHTS: safetensors.encode({_PREFIX + name: one for name, one in tensors.items()}),
        CONFIG: (json.dumps(config, indent=2) + "\n").encode("ascii"),
    }


def changed_layers(names: Iterable[str]) -> list[str]:
    """Return what a reader calls the layers that tensors of these names change, in order."""
    found = ((_FACTORS.fullmatch(name), name) for name in names)
    layers = (f"{match['module']}.weight" if match else name for match, name in found)
    return [_PREFIX + name for name in dict.fromkeys(layers)]


@dataclass(frozen=True, slots=True)
class Change:
    """ΔW of one module, by its factors.

    Attributes
    ----------
    left : B, of shape (out, r) and perhaps 1×1 kernels.
    right : A, of shape (r, in) and perhaps kernels.
    scale : s.
    """

    spec: TensorSpec
    left: Tensor
    right: Tensor
    scale: float

    @property
    def raw_bytes(self) -> int:
        """The bytes of A, of B, and of the scale as a float64: all that decides ΔW."""
        return self.right.raw_bytes + self.left.raw_bytes + _SCALE_BYTES

    @property
    def held_bytes(self) -> int:
        """The bytes that both factors take in memory, as float64."""
        return (self.left.spec.values + self.right.spec.values) * SIZES["F64"]

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        """See `Tensor`."""
        middle = self.right.raw_bytes
        self.right.read_into(reading, buffer[:middle])
        self.left.read_into(reading, buffer[middle:-_SCALE_BYTES])
        buffer[-_SCALE_BYTES:] = np.float64(self.scale).tobytes()

    def values(self, raw: memoryview) -> LowRank:
        """See `Tensor`."""
        middle, rank = self.right.raw_bytes, self.right.spec.shape[0]
        right = self.right.values(raw[:middle])[:].astype(np.float64)
        left = self.left.values(raw[middle:-_SCALE_BYTES])[:].astype(np.float64)
        return LowRank(left.reshape(-1, rank), right.reshape(rank, -1), self.scale)


@dataclass(frozen=True)
class _Config:
    """What of an adapter's configuration decides ΔW."""

    alpha: float
    alphas: Mapping[str, float]
    rank_stabilised: bool

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "_Config":
        """Refuse what is not plain LoRA: its ΔW would be another."""
        if found.get("peft_type") != "LORA":
            raise RefusedFileError("is an adapter of another kind than LoRA")
        for option in ("use_dora", "use_qalora"):
            if found.get(option):
                raise RefusedFileError(f"is an adapter with {option}, which is more than B·A")
        rank_stabilised = found.get("use_rslora") or False
        if not isinstance(rank_stabilised, bool):
            raise RefusedFileError(
                f"has a {CONFIG} with a use_rslora that is neither true nor false"
            )
        alphas = found.get("alpha_pattern") or {}
        if not isinstance(alphas, dict):
            raise RefusedFileError(f"has a {CONFIG} whose alpha_pattern is no table")
        for pattern in alphas:
            # They are regular expressions, which strangers must not have run.
            if not _PATTERN.fullmatch(pattern):
                raise RefusedFileError(f"has a {CONFIG} with the pattern {pattern[:80]!r}")
        return cls(
            alpha=_number(found.get("lora_alpha", 8)),
            alphas={pattern: _number(alpha) for pattern, alpha in alphas.items()},
            rank_stabilised=rank_stabilised,
        )

    def scale(self, module: str, rank: int) -> float:
        """The scale s of one module."""
        special = (alpha for pattern, alpha in self.alphas.items() if _is_meant(module, pattern))
        alpha = next(special, self.alpha)
        return alpha / math.sqrt(rank) if self.rank_stabilised else alpha / rank


def _is_meant(module: str, pattern: str) -> bool:
    """Whether a pattern is that of a module: of its whole name, or of its last parts.

    To PEFT a dot in it is any character, and so it is here. No pattern that is allowed
    matches more or fewer characters than it has.
    """
    before, rest = module[: -len(pattern)], module[-len(pattern) :]
    return (
        len(rest) == len(pattern)
        and before[-1:] in ("", ".")
        and all(wanted in (".", found) for wanted, found in zip(pattern, rest, strict=True))
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise RefusedFileError(f"has a {CONFIG} with a lora_alpha that is no number")
    return float(value)


def _changes(
    stored: Mapping[str, Tensor], config: _Config, terms: ReadOptions
) -> Iterator[tuple[str, Tensor]]:
    """The change of every adapted module, and the tensors that were trained as they are."""
    factors: dict[str, dict[str, Tensor]] = {}
    for name, tensor in stored.items():
        match = _FACTORS.fullmatch(name)
        if match:
            pair = factors.setdefault(match["module"], {})
            if match["which"] in pair:
                raise RefusedFileError(
                    f"gives the factor {match['which']} of {match['module']!r} twice"
                )
            pair[match["which"]] = tensor
        elif any(part.startswith(_OTHER_ADAPTERS) for part in name.split(".")):
            raise RefusedFileError(f"has {name!r}, which is more than the factors of LoRA")
        else:
            yield name, tensor
    if len(factors) * len(config.alphas) > _MOST_COMPARISONS:
        raise RefusedFileError(f"has a {CONFIG} with {len(config.alphas):,} patterns")
    for module, pair in factors.items():
        check_time()
        yield f"{module}.weight", _change(module, pair, config, terms)


def _change(module: str, pair: Mapping[str, Tensor], config: _Config, terms: ReadOptions) -> Change:
    if len(pair) < 2:
        raise RefusedFileError(f"has only one of the two factors of {module!r}")
    left, right = pair["B"], pair["A"]
    out, inner = left.spec.shape[:1], right.spec.shape[1:]
    rank = right.spec.shape[0] if right.spec.shape else 0
    fits = (
        left.spec.is_float
        and right.spec.is_float
        and rank > 0
        and len(right.spec.shape) >= 2
        and left.spec.shape == (*out, rank, *(1 for _ in inner[1:]))
    )
    if not fits:
        raise RefusedFileError(
            f"has factors of {module!r} that do not fit each other: {left.spec.shape} and "
            f"{right.spec.shape}"
        )
    shape = (*out, *inner)
    check_shape(shape, terms.limits)
    if rank > max(_LARGEST_RANK, min(*out, math.prod(inner))):
        # Any change of that shape has factors of a lower rank.
        raise RefusedFileError(f"has factors of rank {rank:,} of {module!r}, of shape {shape}")
    change = Change(TensorSpec("F64", shape), left, right, config.scale(module, rank))
    if change.held_bytes > terms.limits.expanded_bytes:
        raise RefusedFileError(
            f"has factors of {module!r} that take {change.held_bytes:,} bytes, more than "
            f"{terms.limits.expanded_bytes:,}"
        )
    return change
