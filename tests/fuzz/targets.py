"""The readers that are fuzzed, one row each: a new reader is a new row."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.progress import no_progress
from ariba_cli.files.opening import open_file
from ariba_cli.formats import hdf5, open_model, parts
from ariba_cli.formats.isolation import parent
from ariba_cli.formats.isolation.parent import Parser
from ariba_cli.formats.isolation.walls import Walls
from ariba_cli.formats.lowrank import LowRank
from ariba_cli.formats.model import Model, ReadOptions, Scratch
from ariba_cli.reports.audit_csv import AuditCsv
from ariba_cli.reports.audit_markdown import audit_markdown
from ariba_cli.reports.audit_table import audit_table
from ariba_cli.reports.diff_table import diff_table
from ariba_cli.reports.html.page import audit_html
from ariba_cli.reports.intoto import dsse_envelope
from ariba_cli.reports.report import content_of, parse_report, read_data, report_of
from ariba_cli.reports.sarif import audit_sarif
from ariba_cli.reports.sha256sums import sha256sums_of_inputs
from ariba_cli.reports.text import Paper
from ariba_cli.rounds.contents import RUN_NAME, TRUTH_NAME
from ariba_cli.rounds.manifest import NAME as MANIFEST_NAME
from ariba_cli.rounds.sealing import read_seal, verify_seal
from ariba_cli.rounds.truth import read_truth
from ariba_cli.runs.run_file import read_run
from ariba_cli.verdicts.comparison import compare
from ariba_cli.verdicts.verdict import Verdict
from tests.fuzz import hdf5_mutators, mutators, packing, seeds
from tests.fuzz.harness import INPUT_BYTES, LIMITS, TENSOR_BYTES, TENSORS, Target

TERMS = ReadOptions(LIMITS)
_TRUSTING = ReadOptions(LIMITS, trust_pickles=True)
_NEXT = "next"


def child_peaks() -> list[int]:
    """The most bytes that each child has held, as far as they run and that is known."""
    held = (*vars(TERMS.isolation).values(), *vars(_TRUSTING.isolation).values())
    return [_peak(parser) for parser in held if isinstance(parser, Parser)]


def _peak(parser: Parser) -> int:
    nursery = parser._nursery
    parent = nursery.process.pid if nursery else 0
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        status = Path(f"/proc/{children[0] if children else 0}/status").read_bytes()
        found = re.search(rb"VmHWM:\s*([0-9]+)", status)
        return int(found[1]) * 1024 if found else 0
    except OSError:
        return 0


def _file(name: str) -> Callable[[bytes, Path], Path]:
    def place(data: bytes, scratch: Path) -> Path:
        path = scratch / name
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return path

    return place


def _file_before(sound: Callable[[], dict[str, bytes]]) -> Callable[[bytes, Path], Path]:
    """A file, and beside it the next participant's."""
    place_file = _file("model")

    def place(data: bytes, scratch: Path) -> Path:
        if not (scratch / _NEXT).exists():
            (scratch / _NEXT).write_bytes(next(iter(sound().values())))
        return place_file(data, scratch)

    return place


def _folder(names: tuple[str, ...]) -> Callable[[bytes, Path], Path]:
    def place(data: bytes, scratch: Path) -> Path:
        path = scratch / "folder"
        packing.write(packing.unpack(data, names), path)
        return path

    return place


def _beside(name: str) -> Callable[[bytes, Path], Path]:
    """A file of ours in a round with one empty update."""

    def place(data: bytes, scratch: Path) -> Path:
        (scratch / seeds.SEALED).touch()
        (scratch / name).write_bytes(data)
        return scratch

    return place


def _read_model(path: Path, terms: ReadOptions = TERMS) -> str:
    """List a model and read its float tensors, and some of their values by themselves."""
    model = open_model(path, terms)
    scratch, left = Scratch(), INPUT_BYTES
    with model.reading() as reading:
        for name, tensor in list(model.tensors.items())[:TENSORS]:
            spec = tensor.spec
            size = max(tensor.raw_bytes, spec.bytes)
            if not spec.is_float or size > min(left, TENSOR_BYTES):
                continue
            left -= size
            values = tensor.values(reading.read(name, scratch))
            assert values.size == spec.values
            values[:].reshape(spec.shape)
            values[1:3]
            values[np.arange(min(values.size, 3))]
            if isinstance(values, LowRank):
                values.squares()
    return _described(model)


def _described(model: Model) -> str:
    kinds = {
        f"{type(one).__name__} {one.spec.dtype} {len(one.spec.shape)}"
        for one in list(model.tensors.values())[:TENSORS]
    }
    return f"{model.format} of {min(len(model.tensors), 8)}: {', '.join(sorted(kinds))}"


def _read_hdf5(path: Path) -> str:
    with _unharmed(path, TERMS):
        inside = parts(path, "/", TERMS)
        return f"{_read_model(path)}; {min(len(inside), 4)} groups"


def _read_pickle(path: Path) -> str:
    with _unharmed(path, _TRUSTING):
        return _read_model(path, _TRUSTING)


@contextmanager
def _unharmed(path: Path, terms: ReadOptions) -> Iterator[None]:
    """Whatever comes of an input, the next participant's file must be read."""
    try:
        yield
    finally:
        try:
            open_model(path.with_name(_NEXT), terms)
        except RefusedFileError as error:
            if "took longer" not in str(error):
                raise AssertionError(f"the next file {error}") from error


def _read_replies(path: Path) -> str:
    """Read a model of which another child says what it likes, and then ends."""
    data = path.read_bytes()
    said = iter([data[1:]])
    terms = ReadOptions(LIMITS, trust_pickles=True)
    with ExitStack() as opened:

        def start(*_: object) -> Any:
            """A child that has said all that it will, and the next one says nothing."""
            ours, theirs = map(opened.enter_context, socket.socketpair())
            theirs.setblocking(False)
            theirs.send(next(said, b""))
            theirs.shutdown(socket.SHUT_WR)
            return SimpleNamespace(number=1, connection=ours, walls=Walls())

        nursery = SimpleNamespace(start=start, end=lambda _: -(len(data) % 66), close=lambda: None)
        opened.enter_context(mock.patch.object(parent, "Nursery", return_value=nursery))
        sound = b"\x80" if data[:1] == b"\1" else b"\x89HDF\r\n\x1a\n"
        path.write_bytes(sound + bytes(100))
        if data[:1] == b"\2":
            with open_file(path, LIMITS) as file:
                return f"{min(len(hdf5.groups(file, '/', terms)), 4)} groups"
        return _read_model(path, terms)


def _read_seal(path: Path) -> str:
    files = [entry.name for entry in path.iterdir()]
    manifest, findings = read_seal(path, files, LIMITS)
    if manifest is None:
        raise RefusedFileError(findings[0].detail)
    findings += verify_seal(path, manifest, files, {}, LIMITS, no_progress).findings
    manifest.encode()
    return ", ".join(sorted({finding.kind for finding in findings}))


def _read_truth(path: Path) -> str:
    truth = read_truth(path)
    return f"truth of {min(len(truth.compromised), 4)}"


def _read_run(path: Path) -> str:
    read_run(path / "round_0001")
    return "run"


@cache
def _sound_verdict() -> Verdict:
    return parse_report(seeds.reports()["one"]).verdict


def _read_report(path: Path) -> str:
    """Read a report, and write it in every way that there is."""
    content = content_of(read_data(path, LIMITS), "the report")
    report = report_of(content)
    verdict = report.verdict
    for paper in (Paper(100, color=False), Paper(40, color=True, encoding="ascii")):
        paper.encode(audit_table(verdict, paper))
        paper.encode(diff_table(compare(verdict, _sound_verdict()), paper, ("one", "other")))
    AuditCsv(verdict, with_round=True).rows(verdict, "round")
    audit_html(report)
    audit_markdown(report).encode()
    audit_sarif(report)
    with suppress(InputError):  # Not every round has a seal.
        sha256sums_of_inputs(verdict, for_terminal=False)
        dsse_envelope(verdict, content)
    return f"{min(len(verdict.layers), 4)} layers, {min(len(verdict.evidence), 4)} with evidence"


_FOLDERS = {
    names: mutators.mutate_folder(names, mutators.mutate_by_suffix)
    for names in (seeds.SHARDS, seeds.ADAPTER)
}

TARGETS: dict[str, Target] = {
    "safetensors": Target(
        seeds.safetensors, _file("model"), _read_model, mutators.mutate_safetensors
    ),
    "sharded": Target(seeds.sharded, _folder(seeds.SHARDS), _read_model, _FOLDERS[seeds.SHARDS]),
    "peft": Target(seeds.adapters, _folder(seeds.ADAPTER), _read_model, _FOLDERS[seeds.ADAPTER]),
    "hdf5": Target(seeds.hdf5, _file_before(seeds.hdf5), _read_hdf5, hdf5_mutators.mutate_hdf5),
    "pickles": Target(
        seeds.pickles, _file_before(seeds.pickles), _read_pickle, mutators.mutate_pickle_or_archive
    ),
    "replies": Target(seeds.replies, _file("replies"), _read_replies, mutators.mutate_replies),
    "npz": Target(seeds.npz, _file("model"), _read_model, mutators.mutate_npz),
    "npy": Target(seeds.npy, _file("model"), _read_model, mutators.mutate_npy),
    "manifest": Target(seeds.manifests, _beside(MANIFEST_NAME), _read_seal, mutators.mutate_json),
    "truth": Target(seeds.truths, _beside(TRUTH_NAME), _read_truth, mutators.mutate_json),
    "run": Target(seeds.runs, _beside(RUN_NAME), _read_run, mutators.mutate_json),
    "report": Target(seeds.reports, _file("report"), _read_report, mutators.mutate_report),
}
