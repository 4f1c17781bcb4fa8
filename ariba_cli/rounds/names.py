"""The names of tensors: the parts that frameworks add, and the names of statistics."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_own
from ariba_cli.formats.wrappers import unwrapped

# What Hugging Face's models and PEFT put before the names.
_PREFIXES = ("base_model.model.", "model.")

# What batch normalisation calls what it measured: PyTorch and MLX, Keras, Haiku, and the
# collection in which Flax has it.
_STATISTIC = re.compile(
    r"(?:.*[./])?(?:(?:running|moving)_(?:mean|var|variance)(?::\d+)?"
    r"|(?:mean|var)_ema[./](?:average|hidden|counter)|batch_stats[./].+)",
    re.DOTALL,
)
# In its own files, Keras numbers what a layer has: for batch normalisation γ and β, then what
# it measured.
_NUMBERED = re.compile(r"(?P<layer>.*)/vars/(?P<number>\d{1,4})", re.DOTALL)
_NORMALISATION = re.compile(r"(?:.*/)?batch_normalization(?:_\d+)?", re.DOTALL)
_MEASURED = ("mean", "var")
_COUNTER = "num_batches_tracked"

# All participants of a round use the same names.
_KEPT_NAMES = 4096


def read_names(path: Path, limits: Limits) -> tuple[str, ...]:
    """Read the names of a model's arrays from a file: one a line, or a JSON list of them.

    The file is the user's own, and may be a link or a pipe.

    Raises
    ------
    InputError
        When the file cannot be read, holds no names, or holds a name twice.
    """
    try:
        text = read_own(path, limits.json_bytes).decode("utf-8").strip()
        names = json.loads(text) if text.startswith("[") else _lines(text)
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' is not a list of names; --names takes one a line") from error
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"'{path}' does not hold a name; --names takes one a line")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InputError(f"'{path}' names '{twice}' twice")
    return tuple(names)


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line]


@lru_cache(maxsize=_KEPT_NAMES)
def plain_name(name: str) -> str:
    """Return a tensor's name without the parts that frameworks add.

    >>> plain_name("base_model.model.layer3._module.0.conv1.weight")
    'layer3.0.conv1.weight'
    """
    plain = unwrapped(name)
    while True:
        prefix = next((p for p in _PREFIXES if plain.startswith(p) and plain != p), None)
        if prefix is None:
            return plain
        plain = plain[len(prefix) :]


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Return the stored names of one file's tensors by their plain names, where these differ.

    Tensors that only the added parts distinguish keep their whole names.
    """
    plain = {name: plain_name(name) for name in names}
    counts = Counter(plain.values())
    return {short if counts[short] == 1 else name: name for name, short in plain.items()}


def twin_names(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the names of one file that mean the same layer, except for parts of frameworks."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(plain_name(name), []).append(name)
    return tuple(sorted(tuple(sorted(own)) for own in found.values() if len(own) > 1))


def statistics_among(shapes: Mapping[str, tuple[int, ...]]) -> frozenset[str]:
    """Return the tensors that hold the statistics of batch normalisation, which nobody trains.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        The tensors of a model. Where names are mere numbers, the other tensors of a layer decide.
    """
    found = {name for name in shapes if _STATISTIC.fullmatch(name)}
    numbered: dict[str, list[tuple[int, str]]] = {}
    for name in shapes:
        match = _NUMBERED.fullmatch(name)
        if match:
            numbered.setdefault(match["layer"], []).append((int(match["number"]), name))
        head, separator, last = name.rpartition("/" if "/" in name else ".")
        beside = [f"{head}{separator}{measured}" for measured in _MEASURED]
        if last in _MEASURED and _alike(beside, shapes):
            found.add(name)
    for layer, own in numbered.items():
        names = [name for _, name in sorted(own)]
        of_four = len(names) == 4 and _alike(names, shapes)
        if of_four or (_NORMALISATION.fullmatch(layer) and len(names) >= 2):
            found.update(names[-2:])
    return frozenset(found)


def _alike(names: Iterable[str], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether all of these exist, as vectors of one length."""
    found = {shapes.get(name, ()) for name in names}
    return len(found) == 1 and all(len(shape) == 1 for shape in found)


def is_counter(name: str) -> bool:
    """Return whether a tensor only counts the batches of training."""
    return name.rpartition(".")[2] == _COUNTER
