"""`python -m benchmarks history`: make runs that are attacked for long, and measure each."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ariba_cli
from ariba_cli.files.atomic import write_atomically
from benchmarks.detection.matrix import CLEAN
from benchmarks.history.making import attacked_run, clean_run
from benchmarks.history.matrix import ATTACKED, ATTACKS, BASES, LEAD, MATRICES, Matrix
from benchmarks.history.measuring import measured
from benchmarks.history.page import page
from benchmarks.honest import Base
from benchmarks.records import Record, add_record, latest, method_digest, read_records
from benchmarks.seeds import DEVELOPMENT, PURPOSES

RECORDS = "records.jsonl"
PUBLISHED = "history.jsonl"
PAGE = "history.md"


def main(arguments: Sequence[str]) -> int:
    """Run a matrix, or write the page of one that has run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks history", description=__doc__)
    parser.add_argument("--seeds", choices=PURPOSES, default=DEVELOPMENT)
    parser.add_argument("--out", type=Path, default=Path("runs/history"))
    parser.add_argument("--data-dir", type=Path, help="with a folder for each data set but digits")
    parser.add_argument("--only", metavar="TEXT", help="runs whose name has it")
    parser.add_argument(
        "--made", action="store_true", help="measure the runs that are there, and make no others"
    )
    parser.add_argument(
        "--publish", type=Path, metavar="DIR", help="write what is finished there, with its page"
    )
    options = parser.parse_args(arguments)
    records = options.out / options.seeds / RECORDS
    if options.publish:
        publish(latest(read_records(records), method_digest()), options.publish)
        return 0
    run(MATRICES[options.seeds], records.parent, options.data_dir, options.only, made=options.made)
    return 0


def publish(records: Sequence[Record], folder: Path) -> None:
    """Write records, and the page of them, as they stand in `docs`."""
    lines = [json.dumps(one, sort_keys=True).encode() + b"\n" for one in records]
    write_atomically(folder / PUBLISHED, lines)
    write_atomically(folder / PAGE, [page(records).encode()])


def run(
    matrix: Matrix, out: Path, data_dir: Path | None, only: str | None, *, made: bool = False
) -> None:
    """Make and measure every run that is not finished yet.

    Parameters
    ----------
    matrix : Matrix
        The matrix.
    out : path
        The directory for runs and records.
    data_dir : path, optional
        The folder of data sets; None for the digits alone.
    only : str, optional
        The text that the names of runs must contain.
    made : bool, optional
        True to leave out the runs that are not there.
    """
    out.mkdir(parents=True, exist_ok=True)
    method = method_digest()
    done = {one["key"] for one in latest(read_records(out / RECORDS), method)}
    for base in BASES:
        why_not = base.why_not(data_dir)
        if why_not:
            _say(f"{base.name}: left out, {why_not}")
            continue
        for seed in matrix.seeds:
            for key, about, rounds in _runs(base, seed, out, data_dir, only or "", made=made):
                if key in done:
                    continue
                started = time.perf_counter()
                record = {"key": key, **about, **measured(rounds, about["compromised"])}
                record |= {"purpose": matrix.purpose, "method": method}
                record |= {"version": ariba_cli.__version__}
                add_record(out / RECORDS, record)
                _say(f"{key}: {time.perf_counter() - started:.1f} s")


def _runs(
    base: Base, seed: int, out: Path, data_dir: Path | None, only: str, *, made: bool
) -> Iterator[tuple[str, dict[str, Any], Sequence[Path]]]:
    """Yield each run of a federation by its key, with its description, and its rounds."""
    name = f"{base.name}-s{seed}"
    if made and not (out / "honest" / name).is_dir():
        return
    about: dict[str, Any] = {"dataset": base.dataset, "partition": base.partition, "seed": seed}
    clean: Sequence[Path] | None = None
    key = f"{name}/{CLEAN}"
    if only in key:
        clean = clean_run(base, seed, out / "honest", data_dir)
        own = about | {"attack": CLEAN, "k": 0, "compromised": []}
        yield key, own, clean
        yield f"{key}-{ATTACKED}", own, clean[-ATTACKED:]
    for attack in ATTACKS:
        key, place = f"{name}/{attack.name}", out / "attacked" / name / attack.name
        if only not in key or (made and not (place / "effect.json").exists()):
            continue
        clean = clean or clean_run(base, seed, out / "honest", data_dir)
        found = attacked_run(clean, base, seed, attack, place, data_dir)
        own = about | {"attack": attack.family, "k": attack.k}
        own |= {"compromised": list(found.compromised), "works": list(found.works)}
        yield key, own, found.rounds
        lead = clean[-ATTACKED - LEAD : -ATTACKED]
        yield f"{key}-after-{LEAD}", own | {"lead": LEAD}, [*lead, *found.rounds]


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
