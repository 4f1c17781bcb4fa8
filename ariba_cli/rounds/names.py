"""What tensors are called: the names that frameworks decorate, and what is no weight."""

from collections import Counter
from collections.abc import Iterable

# What wrappers put before the names: DistributedDataParallel and others, Hugging Face's
# models, PEFT, torch.compile.
_PREFIXES = ("module.", "base_model.model.", "model.", "_orig_mod.")

_STATISTICS = ("running_mean", "running_var")
_COUNTER = "num_batches_tracked"


def plain_name(name: str) -> str:
    """A tensor's name without the prefixes that frameworks add.

    >>> plain_name("_orig_mod.module.layer3.0.conv1.weight")
    'layer3.0.conv1.weight'
    """
    while True:
        prefix = next((p for p in _PREFIXES if name.startswith(p) and name != p), None)
        if prefix is None:
            return name
        name = name[len(prefix) :]


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """The tensors of one file by what they are called: their plain names, where these differ.

    Two that only a prefix tells apart keep their whole names.
    """
    plain = {name: plain_name(name) for name in names}
    counts = Counter(plain.values())
    return {short if counts[short] == 1 else name: name for name, short in plain.items()}


def is_statistic(name: str) -> bool:
    """Whether a tensor holds what batch normalisation measured, which nobody trains."""
    return name.rpartition(".")[2] in _STATISTICS


def is_counter(name: str) -> bool:
    """Whether a tensor only counts the batches of training."""
    return name.rpartition(".")[2] == _COUNTER
