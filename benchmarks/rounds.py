"""The script that makes the rounds, each once: `python -m benchmarks.rounds DIR full|quick`.

It is a process of its own, so that the one that measures stays small.
"""

import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.files.atomic import write_atomically
from ariba_cli.rounds.contents import PARTICIPANTS, TRUTH_NAME
from ariba_cli.rounds.truth import Truth
from ariba_cli.rounds.writing import RoundWriter, new_directory
from benchmarks.specs import FULL, QUICK, Rounds, RoundSpec

Tensors = dict[str, npt.NDArray[Any]]

# How far local training moves a weight, as a share of the size of the weights.
_CHANGE = 0.02
_BOOST = 10
_SEED = 20220204
_BATCHES_SEEN = 1000


def make_rounds(data: Path, rounds: Rounds) -> None:
    """Make the rounds that are not there yet."""
    data.mkdir(parents=True, exist_ok=True)
    made = (rounds.resnet, rounds.wide, rounds.many)
    for spec in made:
        if not (data / spec.name).exists():
            _make(data / spec.name, spec)
    if not (data / rounds.part).exists():
        _make_part(data / rounds.part, data / rounds.wide.name, rounds)
    for spec in made:
        _check_same(data / spec.name, spec)


def _make(path: Path, spec: RoundSpec) -> None:
    print(f"making {path}", file=sys.stderr, flush=True)
    sent_out = dict(_global(spec))
    with new_directory(path, resume=True) as partial:
        writer = RoundWriter(partial)
        writer.write_global(sent_out)
        for index, name in enumerate(spec.ids):
            boost = _BOOST if name in spec.compromised else 1
            writer.write_participant(name, dict(_update(sent_out, index, boost)))
        writer.write(TRUTH_NAME, [_truth(spec).encode()])
        writer.seal(round_number=1, kind="weights", layers=list(sent_out))


def _make_part(path: Path, whole: Path, rounds: Rounds) -> None:
    """Make a round of the first participants of another, without copies: by hard links."""
    with new_directory(path, resume=True) as partial:
        (partial / PARTICIPANTS).mkdir()
        for name in rounds.wide.ids[: rounds.few]:
            file = f"{PARTICIPANTS}/{name}.safetensors"
            os.link(whole / file, partial / file)
        present = [name for name in rounds.wide.compromised if name < rounds.wide.ids[rounds.few]]
        write_atomically(partial / TRUTH_NAME, [Truth(tuple(present)).encode()])


def _truth(spec: RoundSpec) -> Truth:
    return Truth(tuple(spec.compromised), {"benchmark": spec.as_dict()})


def _check_same(path: Path, spec: RoundSpec) -> None:
    """Refuse a round that an older version of this benchmark made differently."""
    if json.loads((path / TRUTH_NAME).read_bytes()) != json.loads(_truth(spec).encode()):
        raise SystemExit(f"'{path}' is another round than is wanted now; remove it")


def _global(spec: RoundSpec) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield weights as large as a trained model's (He et al. 2015), and batch-norm statistics."""
    random = np.random.default_rng(_SEED)
    for name, shape in spec.tensors().items():
        if name.endswith("num_batches_tracked"):
            yield name, np.array(_BATCHES_SEEN)
        elif len(shape) > 1:
            size = np.float32(math.sqrt(2 / math.prod(shape[1:])))
            yield name, random.standard_normal(shape, dtype=np.float32) * size
        else:
            around = 1 if name.endswith(("bn1.weight", "bn2.weight", "running_var")) else 0
            yield name, around + random.standard_normal(shape, dtype=np.float32) / 10


def _update(
    sent_out: Tensors, participant: int, boost: int
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the global weights with a change that differs in size between participants."""
    random = np.random.default_rng([_SEED, participant])
    size = boost * _CHANGE * random.uniform(0.8, 1.25)
    for name, start in sent_out.items():
        if start.dtype != np.float32:
            yield name, start
            continue
        change = random.standard_normal(start.shape, dtype=np.float32)
        change *= np.float32(size * float(np.sqrt(np.mean(np.square(start)))))
        change += start
        yield name, change


if __name__ == "__main__":
    make_rounds(Path(sys.argv[1]), {"full": FULL, "quick": QUICK}[sys.argv[2]])
