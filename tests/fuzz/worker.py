"""One search through the inputs of one reader, guided by coverage.

    python -m tests.fuzz.worker READER SECONDS FOLDER SEED

Failures are kept under `FOLDER`, one per kind, and the search goes on; `stats.json` there
says what was seen. `tests.fuzz` starts it, for a reader can take its process with it.
"""

import hashlib
import json
import os
import re
import resource
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from tests.fuzz.harness import SLOW, Outcome, Target, attempt

_MOST_INPUT_BYTES = 2**16
_HANG_SECONDS = 120
_MEMORY_MIB = 2048
_STATS_SECONDS = 2.0
_MARKS = 4096
# What was changed often is seldom read: some start anew.
_FROM_A_SEED = 0.3
# What happened in the child, and was not its word: the input is kept, though no failure.
_CHILD_FELL = re.compile(r"(?:crashed|stopped) the process|took longer than")


def main() -> None:
    """Search until the time is over."""
    import atheris

    with atheris.instrument_imports(include=["ariba_cli.rounds", "zipfile"]):
        from tests.fuzz.targets import TARGETS, child_peaks

    reader, seconds, folder, seed = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    search = _Search(atheris, TARGETS[reader], child_peaks, seconds, folder)
    search.lay_out_seeds()
    atheris.Setup(
        [
            sys.argv[0],
            str(folder / "corpus"),
            str(folder / "seeds"),
            f"-max_len={_MOST_INPUT_BYTES}",
            f"-timeout={_HANG_SECONDS}",
            f"-rss_limit_mb={_MEMORY_MIB}",
            f"-artifact_prefix={folder}/crash/",
            f"-seed={seed}",
            "-len_control=0",
            "-reload=0",
        ],
        search.one,
        custom_mutator=search.mutate,
    )
    atheris.Fuzz()


class _Search:
    def __init__(
        self,
        fuzzer: ModuleType,
        target: Target,
        child_peaks: Callable[[], list[int]],
        seconds: float,
        folder: Path,
    ) -> None:
        self.fuzzer = fuzzer
        self.target = target
        self.child_peaks = child_peaks
        self.seeds = list(target.seeds().values())
        self.folder = folder
        self.started = time.monotonic()
        self.ends = self.started + seconds
        self.written = self.started
        self.scratch = Path(os.environ["FUZZ_SCRATCH"])
        self.marks = _marks(fuzzer)
        self.executions = 0
        self.read = Counter[str]()
        self.refused = Counter[str]()
        self.failures = Counter[str]()
        self.fallen = Counter[str]()
        self.slowest = self.largest = self.child_peak = 0.0
        for name in ("corpus", "seeds", "crash", "failures", "fallen"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def lay_out_seeds(self) -> None:
        for name, data in self.target.seeds().items():
            (self.folder / "seeds" / name.replace(" ", "-")).write_bytes(data)

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < _FROM_A_SEED:
            data = rng.choice(self.seeds)
        try:
            changed = self.target.mutate(data, rng, lambda some: self._plainly(some, max_size))
        except (RecursionError, ValueError):
            changed = self._plainly(data, max_size)
        return changed[:max_size]

    def _plainly(self, data: bytes, max_size: int) -> bytes:
        return bytes(self.fuzzer.Mutate(data, max(max_size, len(data) + 1)))

    def one(self, data: bytes) -> None:
        outcome = attempt(self.target, data, self.scratch)
        if (outcome.failure or "").startswith(SLOW):
            # Other work on the machine may have held it up; a slow input is slow again.
            outcome = attempt(self.target, data, self.scratch)
        self.executions += 1
        self._count(data, outcome)
        now = time.monotonic()
        if now > self.written + _STATS_SECONDS or now > self.ends:
            self.written = now
            self._write_stats(done=now > self.ends)
        if now > self.ends:
            os._exit(0)

    def _count(self, data: bytes, outcome: Outcome) -> None:
        if outcome.failure is not None:
            kind = outcome.failure
            self.failures[kind] += 1
            self._keep("failures", kind, data)
        elif outcome.found is not None:
            kind = f"read {outcome.found}"
            self.read[outcome.found] += 1
        else:
            kind = template(outcome.reason or "")
            self.refused[kind] += 1
            if _CHILD_FELL.search(kind):
                self.fallen[kind] += 1
                self._keep("fallen", f"{kind} {self.fallen[kind] % 20}", data)
        # The fuzzer sees nothing of what a child does: what it says of a file counts, too.
        self.marks[zlib.crc32(kind.encode("utf-8", "replace")) % _MARKS]()
        if outcome.seconds > self.slowest:
            self.slowest = outcome.seconds
            (self.folder / "slowest").write_bytes(data)
        self.largest = max(self.largest, outcome.grown)

    def _keep(self, folder: str, kind: str, data: bytes) -> None:
        """Keep the smallest input of each kind."""
        path = self.folder / folder / hashlib.sha256(kind.encode()).hexdigest()[:12]
        if not path.exists() or path.stat().st_size > len(data):
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(kind + "\n")

    def _write_stats(self, *, done: bool) -> None:
        self._look_at_child()
        seconds = time.monotonic() - self.started
        stats: dict[str, Any] = {
            "done": done,
            "seconds": round(seconds, 1),
            "executions": self.executions,
            "executions_per_second": round(self.executions / seconds, 1),
            "read": sum(self.read.values()),
            "refused": sum(self.refused.values()),
            "kinds_of_read": len(self.read),
            "reasons": dict(self.refused.most_common()),
            "failures": dict(self.failures),
            "child_fell": dict(self.fallen),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "most_grown_mib": round(self.largest / 2**20, 1),
            "child_peak_mib": round(self.child_peak / 2**20),
            "slowest_seconds": round(self.slowest, 3),
        }
        part = self.folder / "stats.part"
        part.write_text(json.dumps(stats, indent=2, ensure_ascii=True) + "\n")
        part.rename(self.folder / "stats.json")

    def _look_at_child(self) -> None:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        self.child_peak = max(self.child_peak, ended, *self.child_peaks())


def template(reason: str) -> str:
    """A reason without what it quotes from the file, to be counted."""
    reason = re.sub(r"b?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", "…", reason)
    reason = re.sub(r" (as|of) .*, which weights", r" \1 …, which weights", reason)
    reason = re.sub(r"GLOBAL|asks for [\w.]+", "asks for …", reason)
    return re.sub(r"\((?:N(?:, )?)*,?\)", "(…)", re.sub(r"(?<![A-Za-z])[0-9][0-9,]*", "N", reason))


def _marks(fuzzer: ModuleType) -> list[Any]:
    """Functions that do nothing, and that the fuzzer can tell apart."""
    names: dict[str, Any] = {}
    source = "\n".join(f"def mark{index}(): pass" for index in range(_MARKS))
    exec(compile(source, "<marks>", "exec"), names)
    return [fuzzer.instrument_func(names[f"mark{index}"]) for index in range(_MARKS)]


if __name__ == "__main__":
    main()
