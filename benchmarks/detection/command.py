"""`python -m benchmarks detection`: make the rounds of a matrix, and measure each."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ariba_cli
from ariba_cli.files.atomic import write_atomically
from ariba_cli.rounds.truth import read_truth
from benchmarks.detection.making import attacked_round
from benchmarks.detection.matrix import CLEAN, MATRICES, Kind, Matrix
from benchmarks.detection.measuring import measured
from benchmarks.detection.page import page
from benchmarks.honest import honest_rounds
from benchmarks.records import Record, add_record, latest, method_digest, read_records
from benchmarks.seeds import DEVELOPMENT, PURPOSES

RECORDS = "records.jsonl"
PUBLISHED = "detection.jsonl"
PAGE = "detection.md"


def main(arguments: Sequence[str]) -> int:
    """Run a matrix, or write the page of one that has run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks detection", description=__doc__)
    parser.add_argument("--seeds", choices=PURPOSES, default=DEVELOPMENT)
    parser.add_argument("--out", type=Path, default=Path("runs/detection"))
    parser.add_argument("--data-dir", type=Path, help="with a folder for each data set but digits")
    parser.add_argument("--only", metavar="TEXT", help="federations whose name has it")
    parser.add_argument(
        "--publish", type=Path, metavar="DIR", help="write what is finished there, with its page"
    )
    options = parser.parse_args(arguments)
    matrix = MATRICES[options.seeds]
    records = options.out / options.seeds / RECORDS
    if options.publish:
        publish(latest(read_records(records), method_digest()), options.publish)
        return 0
    run(matrix, records.parent, options.data_dir, options.only)
    return 0


def publish(records: Sequence[Record], folder: Path) -> None:
    """Write records, and the page of them, as they stand in `docs`."""
    lines = [json.dumps(one, sort_keys=True).encode() + b"\n" for one in records]
    write_atomically(folder / PUBLISHED, lines)
    write_atomically(folder / PAGE, [page(records).encode()])


def run(matrix: Matrix, out: Path, data_dir: Path | None = None, only: str | None = None) -> None:
    """Make and measure every round that is not finished yet.

    Parameters
    ----------
    matrix : Matrix
        The matrix.
    out : path
        The directory for rounds and records.
    data_dir : path, optional
        The folder of data sets; None for the digits alone.
    only : str, optional
        The text that the names of the federations must contain.
    """
    out.mkdir(parents=True, exist_ok=True)
    method = method_digest()
    done = {one["key"] for one in latest(read_records(out / RECORDS), method)}
    for seed in matrix.seeds:
        for kind in matrix.kinds:
            if only is not None and only not in kind.base.name:
                continue
            why_not = kind.base.why_not(data_dir)
            if why_not:
                _say(f"{kind.base.name}: left out, {why_not}")
                continue
            for record in _records(kind, seed, out, data_dir, done):
                record |= {"purpose": matrix.purpose, "method": method}
                record |= {"version": ariba_cli.__version__}
                add_record(out / RECORDS, record)


def _records(
    kind: Kind, seed: int, out: Path, data_dir: Path | None, done: set[str]
) -> Iterator[Record]:
    """Yield the records of the rounds of one federation that are not done."""
    base, name = kind.base, f"{kind.base.name}-s{seed}"
    keys = [f"{name}/{attack.name}" for attack in kind.attacks]
    if f"{name}/{CLEAN}" in done and done.issuperset(keys):
        return
    rounds = honest_rounds(base, seed, out / "honest", data_dir)
    about: Record = {
        "dataset": base.dataset,
        "model": base.network_name,
        "optimizer": base.optimizer,
        "partition": base.partition,
        "participants": base.participants,
        "seed": seed,
    }
    # The last stands for all: its record is the one that is written last.
    for path in rounds:
        key = f"{name}/{CLEAN}" if path is rounds[-1] else f"{name}/{CLEAN}-{path.name}"
        if key not in done:
            yield _timed(key, {**about, "attack": CLEAN, "k": 0}, path, ())
    for key, attack in zip(keys, kind.attacks, strict=True):
        if key in done:
            continue
        path, effect = attacked_round(rounds[-1], attack, out / "attacked" / name, data_dir)
        own = {"attack": attack.family, "trigger": attack.trigger, "k": attack.k, **vars(effect)}
        yield _timed(key, {**about, **own}, path, read_truth(path).compromised)


def _timed(key: str, about: dict[str, Any], path: Path, compromised: Sequence[str]) -> Record:
    started = time.perf_counter()
    found = measured(path, compromised)
    seconds = time.perf_counter() - started
    _say(f"{key}: {seconds:.1f} s")
    return {"key": key, **about, **found, "seconds": round(seconds, 2)}


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
