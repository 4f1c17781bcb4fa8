"""LoRA factors, paired by module, and the change that each pair stands for.

The factors alone cannot be compared, since (B·M)·(M⁻¹·A) is the same change. The change
ΔW = s·B·A (Hu et al., arXiv 2106.09685) is compared instead, and never formed as a whole.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.lowrank import LowRank
from ariba_cli.formats.model import Reading, Tensor
from ariba_cli.formats.tensors import SIZES, TensorSpec, check_shape

_FACTORS = {
    "lora_A": ("A", False),
    "lora_B": ("B", False),
    "lora_embedding_A": ("A", True),
    "lora_embedding_B": ("B", True),
}
_MORE = ("lora_", "hada_", "lokr_", "oft_", "ia3_", "vera_", "boft_")
_SCALE_BYTES = 8
# Adapters have lower ones, also where a layer has fewer inputs or outputs than that. Of several
# groups it is the rank of each.
_LARGEST_RANK = 1024


@dataclass(frozen=True, slots=True)
class Change:
    """The change ΔW of one module, given by its factors.

    Attributes
    ----------
    spec : TensorSpec
        The type and shape of ΔW.
    left : Tensor
        B, of shape (out, r) and perhaps 1×1 kernels; in a grouped convolution (out, r/groups).
    right : Tensor
        A, of shape (r, in) and perhaps kernels.
    scale : float
        The scale s.
    transposed : bool
        True if the layer stores its weight as (in, out).
    """

    spec: TensorSpec
    left: Tensor
    right: Tensor
    scale: float
    transposed: bool = False

    @property
    def raw_bytes(self) -> int:
        """Return the number of bytes of A, B and the scale as a float64: all that decides ΔW."""
        return self.right.raw_bytes + self.left.raw_bytes + _SCALE_BYTES

    @property
    def held_bytes(self) -> int:
        """Return the number of bytes that both factors take in memory, as float64.

        With several groups, B is written out, with zeros for the inputs that a group does not take.
        """
        rank = self.right.spec.shape[0]
        return (self.left.spec.shape[0] * rank + self.right.spec.values) * SIZES["F64"]

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        """Fill a buffer; see `Tensor`."""
        middle = self.right.raw_bytes
        self.right.read_into(reading, buffer[:middle])
        self.left.read_into(reading, buffer[middle:-_SCALE_BYTES])
        buffer[-_SCALE_BYTES:] = np.float64(self.scale).tobytes()

    def values(self, raw: memoryview) -> LowRank:
        """Return ΔW by its factors; see `Tensor`."""
        middle, rank = self.right.raw_bytes, self.right.spec.shape[0]
        right = self.right.values(raw[:middle])[:].astype(np.float64).reshape(rank, -1)
        left = self.left.values(raw[middle:-_SCALE_BYTES])[:].astype(np.float64)
        left = _of_all_groups(left.reshape(self.left.spec.shape[0], -1), rank)
        if self.transposed:
            return LowRank(right.T, left.T, self.scale)
        return LowRank(left, right, self.scale)


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of one module, by their stored names.

    Attributes
    ----------
    module : str
        The name of the module.
    embedding : bool
        True for an embedding, whose weight is (in, out).
    names : dict of str to str
        The stored names of `A` and `B`, as far as the file has them.
    """

    module: str
    embedding: bool
    names: Mapping[str, str]

    def change(
        self,
        stored: Mapping[str, Tensor],
        scale: Callable[[str, int], float],
        limits: Limits,
        *,
        fan_in_fan_out: bool = False,
    ) -> Change:
        """Return the change that the factors stand for.

        Parameters
        ----------
        stored : dict of str to Tensor
            The tensors of the file.
        scale : callable
            A function of the module's name and its rank that returns s.
        limits : Limits
            The limits on each tensor.
        fan_in_fan_out : bool, optional
            True if matrices are stored as (in, out).

        Raises
        ------
        RefusedFileError
            When one is missing, they do not fit each other, or they take too much.
        """
        if len(self.names) < 2:
            raise RefusedFileError(f"has only one of the two factors of {self.module!r}")
        left, right = stored[self.names["B"]], stored[self.names["A"]]
        if not _fit(left.spec, right.spec):
            raise RefusedFileError(
                f"has factors of {self.module!r} that do not fit each other: {left.spec.shape} "
                f"and {right.spec.shape}"
            )
        shape = (left.spec.shape[0], *right.spec.shape[1:])
        rank = left.spec.shape[1]
        if rank > max(_LARGEST_RANK, min(shape[0], math.prod(shape[1:]))):
            # Any change of that shape has factors of a lower rank.
            raise RefusedFileError(
                f"has factors of rank {rank:,} for {self.module!r}, too many for its shape {shape}"
            )
        transposed = self.embedding or (fan_in_fan_out and len(shape) == 2)
        if transposed:
            shape = shape[::-1]
        check_shape(shape, limits)
        found = scale(self.module, right.spec.shape[0])
        change = Change(TensorSpec("F64", shape), left, right, found, transposed)
        if change.held_bytes > limits.expanded_bytes:
            raise RefusedFileError(
                f"has factors of {self.module!r} that take {change.held_bytes:,} bytes, more than "
                f"{limits.expanded_bytes:,}"
            )
        return change


def check_plain(names: Iterable[str]) -> None:
    """Refuse tensors that change a layer by more than B·A, such as the magnitudes of DoRA.

    Raises
    ------
    RefusedFileError
        When the file has any beside the factors.
    """
    for name in names:
        if module_of(name) is None and any(part.startswith(_MORE) for part in name.split(".")):
            raise RefusedFileError(f"has {name!r}, which is not a factor of LoRA")


def module_of(name: str) -> str | None:
    """Return the module to which a tensor of this name is a factor; None for other tensors."""
    found = _factor(name)
    return None if found is None else found[0]


def find_factors(names: Iterable[str]) -> Iterator[Factors]:
    """Yield the factors among the tensors of a file, by module.

    Raises
    ------
    RefusedFileError
        When a module has one of them twice.
    """
    found: dict[tuple[str, bool], dict[str, str]] = {}
    for name in names:
        factor = _factor(name)
        if factor is None:
            continue
        module, (which, embedding) = factor
        pair = found.setdefault((module, embedding), {})
        if which in pair:
            raise RefusedFileError(f"has the factor {which} of {module!r} twice")
        pair[which] = name
    for (module, embedding), pair in found.items():
        yield Factors(module, embedding, pair)


def _factor(name: str) -> tuple[str, tuple[str, bool]] | None:
    """Return the module of a factor, the factor's letter, and whether it is of an embedding.

    In a state dict the names of its adapter and of wrappers come between it and `weight`.
    """
    parts = name.split(".")
    at = max((place for place, part in enumerate(parts) if part in _FACTORS), default=0)
    if at == 0 or parts[-1] == "bias":
        return None
    return ".".join(parts[:at]), _FACTORS[parts[at]]


def _fit(left: TensorSpec, right: TensorSpec) -> bool:
    """Return whether the shapes are those of B and A; only convolutions have groups."""
    if not left.is_float or not right.is_float or len(left.shape) < 2:
        return False
    if len(left.shape) != len(right.shape) or any(one != 1 for one in left.shape[2:]):
        return False
    if 0 in left.shape or 0 in right.shape:
        return False
    (out, width), rank = left.shape[:2], right.shape[0]
    if rank == width:
        return True
    return len(left.shape) > 2 and rank % width == 0 and out % (rank // width) == 0


def _of_all_groups(left: npt.NDArray[np.float64], rank: int) -> npt.NDArray[np.float64]:
    """Return B of shape (out, r), with zeros where a group of outputs does not use the rank."""
    out, width = left.shape
    groups = rank // width
    if groups == 1:
        return left
    whole = np.zeros((groups, out // groups, groups, width))
    each = np.arange(groups)
    whole[each, :, each] = left.reshape(groups, -1, width)
    return whole.reshape(out, rank)
