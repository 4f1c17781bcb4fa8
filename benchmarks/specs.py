"""The rounds that are measured, by name. They are the same on every machine."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

_BLOCKS = 2
_STAGES = 4
_CLASSES = 10

# A layer of that many kernels of 3×3, as one convolution of a wide model has it.
ONE_LAYER = "conv.weight"


@dataclass(frozen=True)
class RoundSpec:
    """A round: its participants, and the tensors that they send.

    Attributes
    ----------
    name : str
        The name of its directory.
    participants : int
        The number of participants.
    boosted : int
        The number of participants that send ten times their change.
    width : int
        The channels of the first stage of a ResNet18, 64 in the usual one; 0 for one
        layer of `kernels` times 3×3 values.
    kernels : int
        The number of kernels in that layer.
    """

    name: str
    participants: int
    boosted: int
    width: int = 0
    kernels: int = 0

    @property
    def k_est(self) -> int:
        """Return k_est: a fifth of the participants, as in the paper."""
        return self.participants // 5

    @property
    def ids(self) -> list[str]:
        """Return the participants, in id order."""
        digits = len(str(self.participants - 1))
        return [f"p{index:0{digits}}" for index in range(self.participants)]

    @property
    def compromised(self) -> list[str]:
        """Return those whose change is boosted, spread over all."""
        return self.ids[:: self.participants // self.boosted][: self.boosted]

    def as_dict(self) -> dict[str, Any]:
        """Return the content for `truth.json`, by which a round on disk is recognised."""
        return asdict(self)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of all tensors that a participant sends, in model order."""
        if self.width == 0:
            return {ONE_LAYER: (self.kernels, 1, 3, 3)}
        return dict(_resnet18(self.width))

    def layers_of_3x3(self) -> list[str]:
        """Return the names of all convolutions whose kernels are 3×3."""
        return [name for name, shape in self.tensors().items() if shape[2:] == (3, 3)]


@dataclass(frozen=True)
class Rounds:
    """The rounds of one size of benchmark: the real one, and one that takes seconds.

    Attributes
    ----------
    resnet : RoundSpec
        The round of a ResNet18.
    wide : RoundSpec
        The round of many participants.
    few : int
        The number of participants of `wide` in the part of it that is audited as well.
    many : RoundSpec
        The round of thousands of participants with a small layer.
    """

    resnet: RoundSpec
    wide: RoundSpec
    few: int
    many: RoundSpec

    @property
    def part(self) -> str:
        """Return the name of that part's directory."""
        return f"{self.wide.name}-{self.few}"


FULL = Rounds(
    resnet=RoundSpec("resnet18", participants=50, boosted=5, width=64),
    wide=RoundSpec("wide", participants=2000, boosted=200, kernels=32_768),
    few=500,
    many=RoundSpec("many", participants=10_000, boosted=1000, kernels=2048),
)
QUICK = Rounds(
    resnet=RoundSpec("quick-resnet18", participants=20, boosted=2, width=8),
    wide=RoundSpec("quick-wide", participants=40, boosted=4, kernels=256),
    few=10,
    many=RoundSpec("quick-many", participants=200, boosted=20, kernels=64),
)


def _resnet18(width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the state of the usual ResNet18 (He et al. 2015), under the names of torchvision."""
    yield "conv1.weight", (width, 3, 7, 7)
    yield from _batch_norm("bn1", width)
    before = width
    for stage in range(_STAGES):
        channels = width * 2**stage
        for block in range(_BLOCKS):
            name = f"layer{stage + 1}.{block}"
            yield f"{name}.conv1.weight", (channels, before, 3, 3)
            yield from _batch_norm(f"{name}.bn1", channels)
            yield f"{name}.conv2.weight", (channels, channels, 3, 3)
            yield from _batch_norm(f"{name}.bn2", channels)
            if before != channels:
                yield f"{name}.downsample.0.weight", (channels, before, 1, 1)
                yield from _batch_norm(f"{name}.downsample.1", channels)
            before = channels
    yield "fc.weight", (_CLASSES, before)
    yield "fc.bias", (_CLASSES,)


def _batch_norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()
