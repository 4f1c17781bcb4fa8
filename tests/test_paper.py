"""The scripts that make the paper's tables and figures, and what collects their results."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ariba_cli.federated.defaults import DEFAULTS
from examples.paper.cells import collect
from examples.paper.collect import filled, main
from examples.paper.published import EXPERIMENTS, FIGURE_6A, FIGURES_7, TABLE_1
from examples.paper.tables import all_tables, table_1
from tests.conftest import REPOSITORY, environment

SCRIPTS = REPOSITORY / "examples" / "paper"
DOCUMENT = REPOSITORY / "docs" / "reproduction.md"
SEEDS = (1, 2, 3)
SPREAD = r"\d\.\d\d \[\d\.\d\d–\d\.\d\d\]"

# What `ariba` is to the scripts, where only they are tested: it notes what it was asked for, and
# makes what it should. Given FAIL_AT, it fails at the first command that has that in it.
STUB = """#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>commands
if [ -n "${FAIL_AT:-}" ]; then
    case "$*" in *"$FAIL_AT"*) exit 2 ;; esac
fi
command=$1 first=$2
while [ $# -gt 1 ]; do
    case $1 in --out | -o) to=$2 ;; esac
    shift
done
case $command in
    simulate) rm -rf "$first.partial" && mkdir -p "$first/round_0003" ;;
    attack) rm -rf "$to.partial" && mkdir -p "$to" && printf "{\\n}\\n" >"$to/truth.json" ;;
    *) printf "{\\n}\\n" >"$to" ;;
esac
"""


def put(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) + "\n")


def report(compromised: list[str], scores: list[int], confidence: float) -> dict[str, Any]:
    """Return the parts of an audit report that collecting reads."""
    ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])
    metrics = {
        "p_m": 1,
        "confidence": confidence,
        "confidence_paper": 0.4 * confidence,
        "auc": 1,
    }
    truth = {"compromised": compromised, "detectors": {"mahalanobis": metrics}}
    return {
        "result": {
            "method": {"layers": ["conv2.weight"]},
            "decision": {"detector": "mahalanobis", "k_est": 10},
            "ranking": [
                {"id": f"p{place:02}", "score": score, "share": score / 512}
                for place, score in ranked
            ],
            **({"truth": truth} if compromised else {}),
        },
        "result_sha256": "0" * 64,
        "run": {"ariba": "0.1.0"},
    }


def made_up(out: Path) -> None:
    """Write a folder of results, of which everything is there."""
    put(out / "federations" / "mnist-1" / "run.json", {"versions": {"torch": "2.13.0"}})
    for experiment in EXPERIMENTS:
        for place, value in enumerate(experiment.values):
            for seed in SEEDS:
                folder = out / "results" / experiment.name / value / f"seed-{seed}"
                bad = [] if value == "clean" else ["p03", "p17"]
                scores = [90 + (7 * i + seed) % 60 for i in range(50)]
                for name in bad:
                    scores[int(name[1:])] = 400 + 10 * seed
                share = (place + 1) / (len(experiment.values) + 1)
                put(folder / "audit.json", report(bad, scores, share + 0.04 * seed))
                did = {"accuracy": 0.97 + 0.005 * seed, "backdoor_accuracy": share - 0.05 * seed}
                attack = {"before": did, "after": did, "backdoor_images": 30}
                put(folder / "attack.json", {"compromised": bad, "attack": attack})
                for name, backdoor in (("plain", 0.9), ("pruned", 0.1 * place / seed)):
                    if experiment.pruned and (name == "pruned" or experiment is TABLE_1):
                        result = {
                            "accuracy": 0.98 + 0.005 * seed,
                            "backdoor": {
                                "triggers": [{"backdoor_accuracy": backdoor, "images": 28}]
                            },
                        }
                        put(
                            folder / f"{name}.json",
                            {"result": result, "run": {"ariba": "0.1.0"}},
                        )


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def test_a_table_has_mean_lowest_and_highest_of_the_seeds_beside_the_paper(tmp_path: Path) -> None:
    made_up(tmp_path)
    targeted = rows(table_1(collect(tmp_path)))[:5]
    assert [row[1] for row in targeted] == ["paper", "ours, 3 seeds", "seed 1", "seed 2", "seed 3"]
    assert targeted[0][2:] == ["88.87", "0.90", "90.01", "0.13", "0.79", "–", "1.00"]
    assert targeted[1][4] == "99.00 [98.50–99.50]"
    assert targeted[1][6:] == [
        "0.33 [0.29–0.37]",
        "0.13 [0.12–0.15]",
        "1.00 [1.00–1.00]",
    ]
    # The evaluation of a model is taken where there is one, not the note of the attack.
    assert targeted[2][2:4] == ["98.50", "0.90"]


def test_the_scores_are_sorted_and_the_compromised_marked(tmp_path: Path) -> None:
    made_up(tmp_path)
    table = rows(all_tables(collect(tmp_path))["fig6a"])
    assert len(table) == 50
    assert table[0][:4] == ["1", "**p03**, compromised", "410", "0.801"]
    assert "compromised" not in "".join(cell for row in table[2:] for cell in row)
    for column in (2, 5):
        scores = [int(row[column]) for row in table]
        assert scores == sorted(scores, reverse=True)


def test_a_figure_has_a_row_for_every_value_also_for_others_than_the_papers(tmp_path: Path) -> None:
    made_up(tmp_path)
    results = tmp_path / "results"
    shutil.copytree(results / "fig7b" / "5", results / "fig7b" / "100")
    tables = all_tables(collect(tmp_path))
    assert [row[0] for row in rows(tables["fig7b"])] == ["5", "10", "20", "30", "40", "50", "100"]
    for figure in FIGURES_7:
        assert [row[0] for row in rows(tables[figure.name])][:2] == list(figure.values[:2])
        assert all(re.fullmatch(SPREAD, row[2]) for row in rows(tables[figure.name]))


@pytest.mark.parametrize("spoiled", [None, b"", b'{"result": {'])
def test_what_is_missing_or_cannot_be_read_is_a_dash(
    tmp_path: Path, spoiled: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(tmp_path)
    for path in (tmp_path / "results").glob("fig7a/0.5/*/audit.json"):
        path.unlink() if spoiled is None else path.write_bytes(spoiled)
    row = rows(all_tables(collect(tmp_path))["fig7a"])[3]
    assert row[:4] == ["0.5", "3", "–", "–"]
    assert row[4] != "–"
    assert capsys.readouterr().err.count("cannot be read") == (0 if spoiled is None else 3)


def test_collecting_writes_every_cell_with_the_versions_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made_up(tmp_path)
    document = tmp_path / "document.md"
    document.write_text("Before\n<!-- fig7b -->\nold\n<!-- /fig7b -->\nafter\n")
    assert main([str(tmp_path), "--into", str(document)]) == 0
    told = json.loads((tmp_path / "report" / "results.json").read_text())
    assert told["versions"] == {"ariba": ["0.1.0"], "torch": ["2.13.0"]}
    assert len(told["cells"]) == len(SEEDS) * sum(len(one.values) for one in EXPERIMENTS)
    assert {cell["backdoor_images"] for cell in told["cells"]} == {28, 30}
    for figure in (FIGURE_6A, *FIGURES_7):
        for ending in ("png", "svg"):
            assert (tmp_path / "report" / f"{figure.name}.{ending}").stat().st_size > 0
    table = all_tables(collect(tmp_path))["fig7b"]
    expected = f"Before\n<!-- fig7b -->\n\n{table}\n<!-- /fig7b -->\nafter\n"
    assert document.read_text() == expected
    assert table in (tmp_path / "report" / "tables.md").read_text()


def test_without_matplotlib_there_are_tables_and_a_hint(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['matplotlib'] = None; import runpy; "
    hidden += "runpy.run_module('examples.paper.collect', run_name='__main__', alter_sys=True)"
    done = subprocess.run(
        [sys.executable, "-c", hidden, str(tmp_path)],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"no pictures: matplotlib is missing; pip install -e '.[plots]'" in done.stderr
    assert (tmp_path / "report" / "tables.md").stat().st_size > 0


def test_the_document_has_a_place_for_every_table(tmp_path: Path) -> None:
    document = DOCUMENT.read_text()
    tables = all_tables(collect(tmp_path))
    assert re.findall(r"<!-- (\w\S*) -->", document) == list(tables)
    marked = {name: f"the table {name}\n" for name in tables}
    changed = filled(document, marked)
    for table in marked.values():
        assert table in changed


def test_the_document_has_the_defaults_of_the_commands() -> None:
    for dataset in ("mnist", "fashion-mnist", "cifar10"):
        default = DEFAULTS[dataset]
        honest, attack = (
            f"{t.optimizer}, {t.epochs} epoch{'s'[: t.epochs - 1]}, batches of {t.batch_size}, "
            f"{t.learning_rate:g}"
            for t in (default.training, default.attack)
        )
        row = f"| {dataset} | {default.rounds} | {honest} | {attack} |"
        assert row in DOCUMENT.read_text(), row


def test_what_the_documents_link_to_exists() -> None:
    for document in (DOCUMENT, SCRIPTS / "README.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), (document, link)


@pytest.fixture
def stub_path(tmp_path: Path) -> str:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ariba").write_text(STUB)
    (tmp_path / "bin" / "ariba").chmod(0o755)
    return f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"


def run(
    folder: Path, script: str, path: str, **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    kept = {k: v for k, v in environment(PATH=path).items() if not k.startswith("PAPER_")}
    return subprocess.run(
        ["bash", SCRIPTS / script],
        cwd=folder,
        env=kept | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def commands(folder: Path) -> list[str]:
    """Return the commands of `ariba` since the last time."""
    noted = (folder / "commands").read_text().splitlines() if (folder / "commands").exists() else []
    (folder / "commands").unlink(missing_ok=True)
    return noted


def test_the_scripts_make_every_cell_once(tmp_path: Path, stub_path: str) -> None:
    done = run(tmp_path, "all.sh", stub_path)
    assert done.returncode == 0, done.stderr
    asked = commands(tmp_path)
    results = tmp_path / "runs" / "paper" / "results"
    assert {path.name for path in results.iterdir()} == {one.name for one in EXPERIMENTS}
    for experiment in EXPERIMENTS:
        found = {path.name for path in (results / experiment.name).iterdir()}
        assert found == set(experiment.values)
    # One federation for each data set and seed.
    trained = [command for command in asked if command.startswith("simulate")]
    assert len(trained) == len(set(trained)) == 5 + 5 + 3
    made = [command.split(" --out ")[1].split()[0] for command in asked if " --out " in command]
    assert len(made) == len(set(made)) > 0
    # Rounds of the figures that look at one again are all that is left.
    left = sorted(path.name for path in (tmp_path / "runs" / "paper" / "rounds").iterdir())
    assert left == [f"mnist-{seed}-pattern" for seed in range(1, 6)]

    assert run(tmp_path, "all.sh", stub_path).returncode == 0
    assert commands(tmp_path) == []


@pytest.mark.parametrize(
    "fail_at", ["simulate", "attack", "audit", "aggregate", "evaluate", "--drop"]
)
def test_a_cell_that_failed_is_finished_by_the_next_run(
    tmp_path: Path, stub_path: str, fail_at: str
) -> None:
    assert run(tmp_path, "table1.sh", stub_path, PAPER_SEEDS="1", FAIL_AT=fail_at).returncode == 2
    before = commands(tmp_path)
    assert run(tmp_path, "table1.sh", stub_path, PAPER_SEEDS="1").returncode == 0
    after = commands(tmp_path)
    # Only what failed is asked for again, and what was finished is not.
    finished = {command for command in before[:-1] if not command.startswith("aggregate")}
    assert not finished & set(after)
    assert after[0].split()[0] == ("aggregate" if fail_at == "evaluate" else before[-1].split()[0])


def test_what_a_killed_run_left_is_resumed(tmp_path: Path, stub_path: str) -> None:
    out = tmp_path / "runs" / "paper"
    (out / "federations" / "mnist-1.partial").mkdir(parents=True)
    (out / "rounds" / "mnist-1-pattern.partial").mkdir(parents=True)
    cut_off = out / "results" / "fig6a" / "clean" / "seed-1" / "audit.json"
    cut_off.parent.mkdir(parents=True)
    cut_off.write_text('{\n  "result": {\n    "method": {}\n  }\n')
    assert run(tmp_path, "fig6a.sh", stub_path).returncode == 0
    simulate, attack, *audits = commands(tmp_path)
    assert simulate.endswith(" --resume")
    assert attack.endswith(" --resume")
    assert len(audits) == 2
    assert cut_off.read_text() == "{\n}\n"


def test_quick_results_are_not_mixed_with_others(tmp_path: Path, stub_path: str) -> None:
    there = {"PAPER_OUT": "out"}
    assert run(tmp_path, "fig6a.sh", stub_path, PAPER_QUICK="1", **there).returncode == 0
    done = run(tmp_path, "fig6a.sh", stub_path, **there)
    assert done.returncode == 2
    assert b"another PAPER_QUICK" in done.stderr


def test_the_scripts_vary_what_the_tables_have(tmp_path: Path) -> None:
    settings = (
        f'. "{SCRIPTS / "common.sh"}"; printf "%s\\n" "$RHOS" "$SIGMAS" "$K_ESTS" "$CNN_LAYERS" '
        '"$RESNET_LAYERS"'
    )
    done = subprocess.run(
        ["bash", "-c", settings],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    varied = [tuple(line.split()) for line in done.stdout.decode().splitlines()]
    assert varied == [figure.values for figure in FIGURES_7]


@pytest.mark.slow
def test_quick_mode_from_end_to_end(tmp_path: Path, command_path: str) -> None:
    done = run(tmp_path, "all.sh", command_path, PAPER_QUICK="1")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs" / "paper-quick"
    collected = collect(out)
    assert {cell.experiment for cell in collected.cells} == {one.name for one in EXPERIMENTS}
    for cell in collected.cells:
        assert cell.ranking
        if cell.experiment != FIGURE_6A.name:
            assert None not in (cell.accuracy, cell.backdoor, cell.confidence, cell.p_m)
        if cell.experiment in ("table1", "fig7c", "fig7d", "fig7d-cifar10"):
            assert None not in (cell.pruned_accuracy, cell.pruned_backdoor)
    # What plain FedAvg makes of a round is what the attack said that it would be.
    for cell in collected.cells:
        if cell.experiment == "table1":
            folder = out / "results" / "table1" / cell.value / f"seed-{cell.seed}"
            said = json.loads((folder / "attack.json").read_text())["attack"]["after"]
            assert cell.accuracy == pytest.approx(said["accuracy"], abs=1e-5)
            assert cell.backdoor == pytest.approx(said["backdoor_accuracy"], abs=1e-5)
    assert main([str(out)]) == 0
