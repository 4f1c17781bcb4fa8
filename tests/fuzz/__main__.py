"""Fuzz readers: `python -m tests.fuzz READER|all`; `--help` shows the options."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from tests.fuzz.targets import TARGETS

_REPOSITORY = Path(__file__).parent.parent.parent
# Files in memory, where there are such.
_TEMPORARY = "/dev/shm" if os.path.isdir("/dev/shm") else None
_GRACE_SECONDS = 300


def main() -> int:
    """Fuzz; 1 when something failed."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("reader", choices=["all", *TARGETS])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader")
    parser.add_argument("--jobs", type=int, default=1, help="readers at the same time")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the inputs; 0 for other ones each time"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"))
    options = parser.parse_args()
    readers = list(TARGETS) if options.reader == "all" else [options.reader]
    with ThreadPoolExecutor(options.jobs) as pool:
        sound = list(
            pool.map(
                lambda name: _fuzz(
                    name, options.seconds, options.out.resolve() / name, options.seed
                ),
                readers,
            )
        )
    return 0 if all(sound) else 1


def _fuzz(reader: str, seconds: float, folder: Path, seed: int) -> bool:
    """Search until the time is over, and start again where a reader ends the process."""
    ends = time.monotonic() + seconds
    fallen, stats = 0, _no_stats()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_TEMPORARY) as scratch, (folder / "log").open("wb") as log:
        while not stats["done"] and (left := ends - time.monotonic()) > 0:
            (folder / "stats.json").unlink(missing_ok=True)
            _work([reader, str(left), str(folder), str(seed)], left, scratch, log)
            found = _read_stats(folder / "stats.json")
            stats = _add(stats, found)
            fallen += not found["done"]
            if not found["executions"]:
                break
    stats["process_fell"] = fallen
    (folder / "summary.json").write_text(json.dumps(stats, indent=2) + "\n")
    print(_line(reader, stats, folder), flush=True)
    return not stats["failures"] and not fallen


def _work(arguments: list[str], seconds: float, scratch: str, log: IO[bytes]) -> None:
    try:
        subprocess.run(
            [sys.executable, "-m", "tests.fuzz.worker", *arguments],
            cwd=_REPOSITORY,
            env=os.environ | {"FUZZ_SCRATCH": scratch, "PYTHONPATH": str(_REPOSITORY)},
            stdout=log,
            stderr=log,
            timeout=seconds + _GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        log.write(b"it hung, and was ended\n")


def _no_stats() -> dict[str, Any]:
    return {"done": False, "executions": 0, "read": 0, "refused": 0, "reasons": {}, "failures": {}}


def _read_stats(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else _no_stats()


def _add(before: dict[str, Any], stats: dict[str, Any]) -> dict[str, Any]:
    """Add counts, and take the larger of other values."""
    total = dict(before)
    for name, value in stats.items():
        if name in ("executions", "read", "refused", "seconds"):
            total[name] = round(before.get(name, 0) + value, 1)
        elif isinstance(value, dict):
            known = before.get(name, {})
            total[name] = {k: known.get(k, 0) + value.get(k, 0) for k in known | value}
        else:
            total[name] = max(before.get(name, value), value)
    return total


def _line(reader: str, stats: dict[str, Any], folder: Path) -> str:
    share = stats["read"] / max(1, stats["executions"])
    text = (
        f"{reader}: {stats['executions']:,} inputs, {share:.0%} read, "
        f"{len(stats['reasons'])} reasons of refusal"
    )
    if stats["failures"] or stats["process_fell"]:
        kinds = ", ".join(stats["failures"]) or "the process ended"
        return f"{text}; FAILED ({kinds}), see {folder}"
    return text


if __name__ == "__main__":
    sys.exit(main())
