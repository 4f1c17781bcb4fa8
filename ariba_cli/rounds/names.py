"""What tensors are called: the names that frameworks decorate, and what is no weight."""

import json
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_own

# What wrappers put before the names: DistributedDataParallel and others, Hugging Face's
# models, PEFT, torch.compile.
_PREFIXES = ("module.", "base_model.model.", "model.", "_orig_mod.")

_STATISTICS = ("running_mean", "running_var")
_COUNTER = "num_batches_tracked"

# All participants of a round use the same names.
_KEPT_NAMES = 4096


def read_names(path: Path, limits: Limits) -> tuple[str, ...]:
    """The names of a model's arrays from a file: one a line, or a JSON list of them.

    The file is the user's own: it may be a link or a pipe.

    Raises
    ------
    InputError
        When the file cannot be read, names nothing, or names something twice.
    """
    try:
        text = read_own(path, limits.json_bytes).decode("utf-8").strip()
        names = json.loads(text) if text.startswith("[") else _lines(text)
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' holds no list of names; --names takes one a line") from error
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"'{path}' names nothing; --names takes one name a line")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InputError(f"'{path}' names '{twice}' twice")
    return tuple(names)


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line]


@lru_cache(maxsize=_KEPT_NAMES)
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
