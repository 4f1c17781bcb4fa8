"""`python -m benchmarks [JOB …] [--json FILE]`, and `--compare OLD.json NEW.json`.

`detection`, `calibration` and `history` measure no time, and have options of their own.
"""

import argparse
import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import federations
from benchmarks.contestants import CONTESTANTS
from benchmarks.jobs import JOBS, WITHOUT_ROUNDS, Bench
from benchmarks.machine import machine
from benchmarks.specs import FULL, QUICK
from benchmarks.table import comparison_text, table_text
from benchmarks.trainers import TRAINERS
from benchmarks.workers import REPOSITORY, environment

# Their modules import much, which would be counted to what is measured here.
_WITH_OPTIONS_OF_THEIR_OWN = ("detection", "calibration", "history")


def main() -> int:
    """Run jobs, or compare; return 1 when a job failed or marks differ that should be the same."""
    if sys.argv[1:2] and sys.argv[1] in _WITH_OPTIONS_OF_THEIR_OWN:
        command = importlib.import_module(f"benchmarks.{sys.argv[1]}.command")
        return int(command.main(sys.argv[2:]))
    options = _parser().parse_args()
    if options.compare:
        old, new = (json.loads(Path(path).read_bytes()) for path in options.compare)
        print(comparison_text(old, new), end="")
        return 0
    if options.quick:
        options.repeats = min(options.repeats, 1)
    document = _measure(options)
    if options.json:
        text = json.dumps(document, indent=2, allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if document["sound"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"{', '.join(JOBS)}; all by default")
    parser.add_argument("--data", type=Path, default=Path("runs/bench"), help="where rounds are")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--repeats", type=int, default=5, help="runs after the first one")
    parser.add_argument("--quick", action="store_true", help="small rounds: does it work?")
    parser.add_argument("--images", type=int, help="made up to train on in `training`")
    parser.add_argument("--rounds", type=int, help="trained in `training`")
    everybody = list(dict.fromkeys([*CONTESTANTS, *TRAINERS]))
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=everybody,
        default=everybody,
        help="who is measured beside ours",
    )
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="run nothing")
    return parser


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the jobs one after the other, and print each when it is done."""
    names = options.jobs or list(JOBS)
    unknown = [name for name in names if name not in JOBS]
    if unknown:
        raise SystemExit(f"there is no job '{unknown[0]}'; known are {', '.join(JOBS)}")
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    found = machine()
    data, size = options.data.resolve(), "quick" if options.quick else "full"
    if not WITHOUT_ROUNDS.issuperset(names):
        command = [sys.executable, "-m", "benchmarks.rounds", str(data), size]
        subprocess.run(command, check=True, cwd=REPOSITORY, env=environment())
    rounds = QUICK if options.quick else FULL
    specs = federations.QUICK if options.quick else federations.FULL
    trained = federations.resized(specs, options.images, options.rounds)
    bench = Bench(data, rounds, options.repeats, options.contestants, trained)
    tables = []
    for name in names:
        table = JOBS[name](bench)
        print(table_text(table), flush=True)
        tables.append(table)
    return {
        "machine": found,
        "started": started,
        "size": size,
        "repeats": options.repeats,
        "jobs": [table.as_dict() for table in tables],
        "sound": all(table.sound for table in tables),
    }


if __name__ == "__main__":
    raise SystemExit(main())
