"""The jobs: contestants and their tasks. A new job is a function here and a line in `JOBS`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.contestants import CONTESTANTS, OTHER_METHODS, PANEL
from benchmarks.federations import FederationSpec
from benchmarks.pagecache import evict, resident
from benchmarks.results import Row, Table, apart, difference, quality
from benchmarks.specs import ONE_LAYER, Rounds, RoundSpec
from benchmarks.tasks import Task
from benchmarks.timing import Timed, in_turns, say, yardstick_row
from benchmarks.trainers import ONE_PROCESS, TRAINERS, not_installed
from benchmarks.workers import Whole, whole_process

_LARGE = "layer4.1.conv1.weight"
_MIDDLE = "layer3.0.conv1.weight"

_OF_UPDATES = (
    "norm",
    "krum",
    "multi-krum",
    "bulyan",
    "foolsgold",
    "cosine",
    "spectral",
    "last-bias",
    "median-distance",
    "sign",
)
_DETECTORS = {
    "mahalanobis": ("mahalanobis",),
    "all of scope update": _OF_UPDATES,
    "both": ("mahalanobis", *_OF_UPDATES),
}

# More than any of these rounds takes.
_UNLIMITED = "1000GB"
_BOUND = "512MB"

# For what takes long, and for what reads from disk.
_LONG_REPEATS = 2

# For what takes minutes.
_TRAINING_REPEATS = 1

# By so much, in nats, the loss of the same training may differ: rounding grows where the loss
# falls steeply, by up to 1 from one round to the next.
_SAME_LOSS = 0.05


@dataclass(frozen=True)
class Bench:
    """The settings that all jobs share.

    Attributes
    ----------
    data : Path
        The directory of the rounds.
    rounds : Rounds
        The rounds.
    repeats : int
        The number of runs of each contestant after its first.
    contestants : sequence of str
        The contestants in `layer` and in `training`.
    federations : sequence of FederationSpec
        The federations in `training`.
    """

    data: Path
    rounds: Rounds
    repeats: int
    contestants: Sequence[str]
    federations: Sequence[FederationSpec]

    def beside_ours(self, known: Iterable[str]) -> list[str]:
        """Return those of a job's contestants, other than ours, that take part in it."""
        return [name for name in known if name != "ours" and name in self.contestants]

    def task(self, spec: RoundSpec, layers: Sequence[str], device: str = "auto") -> Task:
        """Return the audit of a whole round."""
        return Task(str(self.data / spec.name), tuple(layers), spec.k_est, device)


def layer(bench: Bench) -> Table:
    """Measure one large layer, by every contestant."""
    spec = bench.rounds.resnet
    task = bench.task(spec, [_LARGE])
    reference = in_turns("ours", task, bench.repeats)
    rows = [_judged(reference, reference, spec)]
    for name in bench.beside_ours(CONTESTANTS):
        rows.append(_judged(in_turns(name, task, bench.repeats), reference, spec))
    title = f"{spec.participants} × {_LARGE}, open to ranking"
    return Table("layer", title, (yardstick_row(rows), *rows))


def layers(bench: Bench) -> Table:
    """Measure all 3×3 convolutions of all participants, by ours."""
    spec = bench.rounds.resnet
    task = bench.task(spec, spec.layers_of_3x3())
    timed = in_turns("ours", task, bench.repeats)
    title = f"{spec.participants} × all {len(task.layers)} layers of 3×3, open to ranking"
    return Table("layers", title, (yardstick_row([timed.row]), timed.row))


def detectors(bench: Bench) -> Table:
    """Measure the whole model by fragments, by whole updates, and by both in one reading."""
    spec = bench.rounds.resnet
    names = _weights(spec)
    rows: list[Row] = []
    for name, chosen in _DETECTORS.items():
        task = replace(bench.task(spec, names), detectors=chosen, whole=True)
        rows.append(replace(in_turns("ours", task, bench.repeats).row, name=name))
    by_fragments, by_updates, _ = rows
    notes: tuple[str, ...] = ()
    if by_fragments.ratio and by_updates.ratio:
        times = by_updates.ratio / by_fragments.ratio
        notes = (f"all of scope update take {times:.2f} times as long as mahalanobis",)
    title = f"{spec.participants} × all layers, open to ranking"
    return Table("detectors", title, (yardstick_row(rows), *rows), notes)


def panel(bench: Bench) -> Table:
    """Measure the whole model as `ariba audit` takes it, against reading and hashing it."""
    spec = bench.rounds.resnet
    task = replace(bench.task(spec, _weights(spec)), detectors=PANEL, whole=True)
    row = in_turns("ours", task, bench.repeats, beside="hashing").row
    title = f"{spec.participants} × all layers by panel, open to verdict"
    rows = (yardstick_row([row], "hashing"), replace(row, name="panel"))
    return Table("panel", title, rows, beside="hashing")


def _weights(spec: RoundSpec) -> list[str]:
    """Return the names of the tensors in an audit of all layers."""
    return [name for name, shape in spec.tensors().items() if shape and "running" not in name]


def process(bench: Bench) -> Table:
    """Measure the command as its user starts it, and the parts of Python and NumPy in it."""
    spec = bench.rounds.resnet
    task = bench.task(spec, [_MIDDLE])
    audit = _audit(bench.data / spec.name, _MIDDLE, spec.k_est)
    bare: list[Whole] = []
    full: list[Whole] = []
    say("ariba audit, as a process")
    for _ in range(bench.repeats + 1):
        bare.append(whole_process(["-c", "import numpy"]))
        full.append(whole_process(audit))
    rows = (_whole_row("python, numpy", 0, bare), _whole_row("ariba audit", task.bytes, full))
    title = f"whole process, {spec.participants} × {_MIDDLE}, table"
    return Table("process", title, rows)


def memory(bench: Bench) -> Table:
    """Measure the command with little memory and with all, on many participants and on fewer."""
    rounds = bench.rounds
    rows: list[Row] = []
    for name, count in ((rounds.wide.name, rounds.wide.participants), (rounds.part, rounds.few)):
        task = Task(str(bench.data / name), (ONE_LAYER,), count // 5)
        found = [_limited(task, limit, bench.repeats) for limit in (_UNLIMITED, _BOUND)]
        rows += (replace(row, agrees=row.marks == found[0].marks) for row in found)
    title = f"whole process, participants × {rounds.wide.kernels:,} × 9, JSON"
    return Table("memory", title, tuple(rows))


def many(bench: Bench) -> Table:
    """Measure thousands of participants with a small layer, against reading and hashing it."""
    spec = bench.rounds.many
    task = bench.task(spec, [ONE_LAYER])
    repeats = min(bench.repeats, _LONG_REPEATS)
    row = in_turns("ours", task, repeats, beside="hashing").row
    say("ariba audit, as a process")
    command = [*_audit(bench.data / spec.name, ONE_LAYER, spec.k_est), "--format", "json"]
    whole = _whole_row(
        "ariba audit", task.bytes, [whole_process(command) for _ in range(repeats + 1)]
    )
    title = f"{spec.participants:,} participants × {spec.kernels:,} × 9, open to ranking, and JSON"
    return Table("many", title, (yardstick_row([row], "hashing"), row, whole), beside="hashing")


def cold(bench: Bench) -> Table:
    """Measure the large layer with the files out of memory, against reading them from disk."""
    spec = bench.rounds.resnet
    task = bench.task(spec, [_LARGE])
    left: list[float] = []

    def forget() -> None:
        evict(task.files)
        left.append(resident(task.files))

    row = in_turns("ours", task, min(bench.repeats, _LONG_REPEATS), before=forget).row
    note = f"of the files' pages {max(left):.1%} at most were in memory before a run"
    title = f"cold files, {spec.participants} × {_LARGE}, open to ranking"
    return Table("cold", title, (yardstick_row([row]), row), (note,))


def device(bench: Bench) -> Table:
    """Measure the large layer on a graphics card, against reading it and copying it there."""
    spec = bench.rounds.resnet
    title = f"graphics card, {spec.participants} × {_LARGE}, files to ranking"
    asked = ["-c", "import torch; print(torch.cuda.is_available())"]
    if whole_process(asked).output.split() != [b"True"]:
        return Table("device", title, notes=("skipped: PyTorch finds no graphics card here",))
    reference = in_turns("ours", bench.task(spec, [_LARGE], device="cpu"), bench.repeats)
    card = in_turns("card-copy", bench.task(spec, [_LARGE]), bench.repeats).row
    timed = in_turns("ours", bench.task(spec, [_LARGE], device="cuda"), bench.repeats)
    ours = replace(_judged(timed, reference, spec), name="ours, cuda")
    rows = (yardstick_row([ours]), card, ours)
    return Table("device", title, rows, ("card-copy reads and writes these bytes on the card",))


def training(bench: Bench) -> Table:
    """Measure federations from scratch, by our engines, a loop in PyTorch, and Flower."""
    rows: list[Row] = []
    for spec in bench.federations:
        reference = _trained("ours", spec, bench.repeats)
        rows.append(_same_training(reference, reference, spec))
        for name in bench.beside_ours(TRAINERS):
            rows.append(_same_training(_trained(name, spec, bench.repeats), reference, spec))
    title = "; ".join(map(str, bench.federations))
    return Table("training", title, tuple(rows), beside="ours")


def _trained(name: str, spec: FederationSpec, repeats: int) -> Timed:
    missing = not_installed(name)
    if missing:
        words = f"not installed: {', '.join(missing)}"
        return Timed(Row(name=name, bytes=0, marks=words), {})
    return in_turns(name, spec, min(repeats, _TRAINING_REPEATS), beside="ours")


def _same_training(timed: Timed, reference: Timed, spec: FederationSpec) -> Row:
    """Return the row with its final loss, and the agreement of that with ours."""
    row = replace(timed.row, name=f"{timed.row.name}, {spec.name}")
    if row.name.partition(",")[0] not in ONE_PROCESS:
        row = replace(row, peak=None, peak_of_imports=None)
    if not timed.found or not reference.found:
        return row
    by = apart(timed.found["loss"], reference.found["loss"])
    words = f"{timed.found['how']}; loss {timed.found['loss'][-1]:.4f}"
    words += _later_rounds(timed.found["ended"])
    if by > _SAME_LOSS:
        words += f"; loss DIFFERS from ours by {by:.4f}"
    return replace(row, marks=words, agrees=by <= _SAME_LOSS)


def _later_rounds(ended: Sequence[float]) -> str:
    """Return the speed without the first round, which has the start of all processes in it."""
    if len(ended) == 1:
        return ""
    return f"; {60 * (len(ended) - 1) / (ended[-1] - ended[0]):.1f} rounds/min after the first"


def _judged(timed: Timed, reference: Timed, spec: RoundSpec) -> Row:
    """Return the row with the quality of its marks, and their agreement with ours."""
    if timed.row.failure or reference.row.failure:
        return timed.row
    (scores,) = timed.found.values()
    worth = quality(scores, spec.ids, spec.compromised, spec.k_est)
    if timed.row.name in OTHER_METHODS:
        return replace(timed.row, marks=f"other marks, {worth}")
    differs = difference(timed.found, reference.found)
    marks = f"{differs or 'the same marks'}, {worth}"
    return replace(timed.row, marks=marks, agrees=differs is None)


def _audit(root: Path, layer_name: str, k_est: int) -> list[str]:
    command = ["-m", "ariba_cli", "audit", str(root)]
    return [*command, "--layer", layer_name.removesuffix(".weight"), "--k-est", str(k_est)]


def _limited(task: Task, limit: str, repeats: int) -> Row:
    """Return the row of the command with `--max-memory`; its marks are the hash of the result."""
    name = f"{len(task.files):,} participants"
    command = [*_audit(Path(task.root), task.layers[0], task.k_est), "--format", "json", "--quiet"]
    command += ["--max-memory", limit]
    name += ", unlimited" if limit == _UNLIMITED else f", {limit}"
    say(f"ariba audit, {name}")
    runs = [whole_process(command) for _ in range(min(repeats, _LONG_REPEATS) + 1)]
    digests = {json.loads(run.output)["result_sha256"] for run in runs}
    marks = " and ".join(f"result {digest[:16]}" for digest in sorted(digests))
    return replace(_whole_row(name, task.bytes, runs), marks=marks)


def _whole_row(name: str, size: int, runs: Sequence[Whole]) -> Row:
    return Row(
        name=name,
        bytes=size,
        seconds=tuple(run.seconds for run in runs),
        peak=int(median(run.peak for run in runs)),
    )


JOBS: Mapping[str, Callable[[Bench], Table]] = {
    "layer": layer,
    "layers": layers,
    "detectors": detectors,
    "panel": panel,
    "process": process,
    "memory": memory,
    "many": many,
    "cold": cold,
    "device": device,
    "training": training,
}

# They need no round on disk.
WITHOUT_ROUNDS = frozenset({"training"})
