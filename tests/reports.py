"""Reports of audits, made for tests without a process of their own."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.reports.audit_json import audit_json
from ariba_cli.reports.canonical import RunRecord, canonical_bytes
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.verdicts.verdict import Verdict
from fixtures.make import GOLDEN
from tests.commands import run_command
from tests.conftest import FIXTURES, environment

Json = dict[str, Any]
Spoil = Callable[[Json], object]


@cache
def printed(name: str) -> bytes:
    """Return what the command of a golden report prints today."""
    done = run_command(GOLDEN[name].split(), FIXTURES, environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def report_bytes(root: Path, *, truth: bool = False, **settings: Any) -> bytes:
    """The JSON report of an audit of a round."""
    verdict = audit(open_round(root), AuditSettings(**settings))
    if truth:
        verdict = replace(verdict, truth=truth_metrics(verdict, read_truth(root).compromised))
    return verdict_bytes(verdict, root)


def verdict_bytes(verdict: Verdict, root: Path) -> bytes:
    """Return the JSON report of what an audit of a round found."""
    run = RunRecord(
        ariba="0.1.0",
        python="3.11.7",
        libraries={"numpy": "2.0.0"},
        argv=["audit", str(root)],
        started="1970-01-01T00:00:00Z",
        seconds=0.0,
        device=", ".join(verdict.devices),
        round=str(root),
    )
    return audit_json(verdict, run)


def spoiled(data: bytes, spoil: Spoil, *, version: str | None = None) -> bytes:
    """A report that says something else, with a hash that is right again.

    Parameters
    ----------
    spoil : changes the result.
    """
    content: Json = json.loads(data)
    spoil(content["result"])
    content["schema_version"] = version or content["schema_version"]
    return hashed_again(content)


def hashed_again(content: Json) -> bytes:
    """A report with the hashes of what it says."""
    for part in ("result", "words", "evidence"):
        if part in content:
            hashed = hashlib.sha256(canonical_bytes(content[part]))
            content[f"{part}_sha256"] = hashed.hexdigest()
    return json.dumps(content).encode()


def renamed(names: list[str]) -> Spoil:
    """Call the first participants otherwise, wherever they are named."""

    def spoil(result: Json) -> None:
        ids = [one["id"] for one in result["inputs"] if one["role"] == "participant"]
        new = dict(zip(ids, names, strict=False))
        text = json.dumps(result)
        for old, name in new.items():
            text = text.replace(json.dumps(old), json.dumps(name))
            text = text.replace(f"/{old}.", f"/{json.dumps(name)[1:-1]}.")
        result.clear()
        result.update(json.loads(text))

    return spoil
