"""Every command that the README shows works as it is written there, in that order."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

from ariba_cli.attacks.attacker import Attacker
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.triggers import TRIGGERS
from ariba_cli.cli.app import app
from ariba_cli.federated.federation import Federation, FederationSettings
from tests.conftest import DATA, REPOSITORY, Demo, environment, needs_data

README = (REPOSITORY / "README.md").read_text()
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "fixtures/README.md",
    "docs/README.md",
    "docs/aggregation.md",
    "docs/arena.md",
    "docs/attacks.md",
    "docs/detection.md",
    "docs/detectors.md",
    "docs/file-formats.md",
    "docs/forensic-pipeline.md",
    "docs/method.md",
    "docs/performance.md",
    "docs/reading-a-report.md",
    "docs/reproduction.md",
    "docs/simulating.md",
    "docs/verdict.md",
    "examples/paper/README.md",
)
COMMANDS = getattr(typer.main.get_command(app), "commands", {})


def test_the_commands(tmp_path: Path, command_path: str, demo: Demo) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    commands = [line.partition("#")[0].rstrip() for line in "".join(blocks).splitlines()]
    shown_ones = set(re.findall(r"\bariba (\w+)", "\n".join(commands)))
    # An arena takes minutes; its own tests run it.
    assert shown_ones == set(COMMANDS) - {"schema", "completion", "arena"}
    shutil.copytree(demo.runs, tmp_path / "runs")
    shown = {
        command: demo.printed[command]
        if command in demo.printed
        else run(command, tmp_path, PATH=command_path)
        for command in commands
    }
    after = shown["ariba attack runs/demo/round_0040 --out runs/demo/attacked"]
    compromised = after.splitlines()[0].removeprefix("compromised").replace(",", "").split()
    table = shown["ariba audit runs/demo/attacked --truth"]
    flagged = [
        line.split()[1] for line in table.splitlines() if line.endswith("flagged, compromised")
    ]
    assert sorted(flagged) == compromised
    table = shown["ariba audit runs/demo/attacked --layer conv2 --k-est 10"]
    suspects = [line.split()[1] for line in table.splitlines() if line.endswith("suspect")]
    assert len(suspects) == 10
    assert set(compromised) <= set(suspects)


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 1200


@pytest.mark.slow
@needs_data
def test_the_commands_on_real_data(tmp_path: Path, command_path: str) -> None:
    page = (REPOSITORY / "docs" / "simulating.md").read_text()
    (block,) = re.findall(r"^```sh data\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    shown = [
        run(command, tmp_path, PATH=command_path, ARIBA_DATA_DIR=str(DATA))
        for command in block.splitlines()
    ]
    assert "100% of the 5 compromised are suspects" in shown[-1]


def test_a_trigger_is_one_file_as_contributors_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    shown: dict[str, Any] = {}
    exec(code, shown)
    monkeypatch.setitem(TRIGGERS, "upside-down", shown["UpsideDown"]())
    settings = AttackSettings(trigger="upside-down", compromised=("p03", "p04"))
    with Federation(FederationSettings(participants=20)) as federation:
        attacker = Attacker(federation, settings)
        start = federation.initial_weights()
        sent = attacker.updates(start, {"p00": start}, 1)
        plain = Attacker(federation, replace(settings, trigger="pattern"))
        other = plain.updates(start, {"p00": start}, 1)
    assert list(sent) == ["p03", "p04"]
    for name, weights in sent.items():
        assert any(not np.array_equal(weights[key], other[name][key]) for key in weights)


def run(command: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout.decode()


def test_the_demo_finds_who_was_compromised_and_nobody_before(demo: Demo) -> None:
    simulated, attacked, clean, found = demo.printed.items()
    assert simulated[0] == "ariba simulate runs/demo"
    assert attacked[0] == "ariba attack runs/demo/round_0040 --out runs/demo/attacked"
    assert clean[0] == "ariba audit runs/demo/round_0040"
    assert clean[1].startswith("None of 50 participants stands out")
    assert found[0] == "ariba audit runs/demo/attacked --truth"
    assert found[1].startswith("5 of 50 participants stand out")


def test_what_the_readme_makes_can_be_made() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}: " in makefile


def test_every_file_that_the_documents_link_to_exists() -> None:
    for document in DOCUMENTS:
        text = (REPOSITORY / document).read_text()
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert os.path.exists((REPOSITORY / document).parent / link), (document, link)
