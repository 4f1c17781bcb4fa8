"""The arena: what its config may say, what is run, what is kept, and what its page shows."""

import json
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from ariba_cli.arena import running
from ariba_cli.arena.arena_json import arena_json, result
from ariba_cli.arena.config import Commands, Config, read_config
from ariba_cli.arena.figures import BY_KEY, compared, figure, naming_anybody, of, worst_attack
from ariba_cli.arena.measures import measured
from ariba_cli.arena.options import Known
from ariba_cli.arena.page import arena_html
from ariba_cli.arena.running import DONE, FAILED, Settings, run
from ariba_cli.arena.steps import cells
from ariba_cli.base.errors import AribaError, OutputError, UsageError
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.published import schema
from tests.conftest import REPOSITORY, Ariba, environment

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = Commands(
    simulate=Known("simulate", ["dataset", "partition", "participants", "rounds", "seed"]),
    attack=Known("attack", ["strategy", "trigger", "seed", "target-class"]),
    audit=Known("audit", ["detector", "k-est", "layer"]),
    aggregate=Known("aggregate", ["eta", "rule"]),
    prune=Known("prune", ["ranking", "most-lost"]),
)
TEXT = """
title = "Two <by> two"
[[federation]]
partition = ["iid", "dirichlet:0.5"]
seed = [0, 1]
[[attack]]
name = "boosted"
k = [1, 3]
[[attack]]
name = "hidden"
k = 2
strategy = ["anomalous", "norm-matching"]
target-class = 4
[[defence]]
name = "verdict"
audit = {}
[[defence]]
name = "krum"
audit = { detector = "krum", k-est = "20%" }
[[published]]
attack = "hidden-k2"
defence = "krum"
partition = "iid"
measure = "found"
value = 0.9
tolerance = 0.05
source = "Somebody (2020), Table 1"
"""
RUN = RunRecord(
    ariba="0.1.0",
    python="3.11.7",
    libraries={"numpy": "2.0.0"},
    argv=["arena"],
    started="1970-01-01T00:00:00Z",
    seconds=0.0,
    device="cpu",
)


def config(tmp_path: Path, text: str = TEXT) -> Config:
    path = tmp_path / "arena.toml"
    path.write_text(text)
    return read_config(path, COMMANDS)


class Fake:
    """Stands in for the commands: writes what they would, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran: list[str] = []
        self.fails: Callable[[str], bool] = lambda _: False
        self._lock = threading.Lock()

    def __call__(self, _: object, command: list[str]) -> str | None:
        typed = shlex.join(command)
        with self._lock:
            self.ran.append(typed)
        if self.fails(typed):
            return "error: it went wrong"
        value = dict(zip(command, [*command[1:], ""], strict=True))
        if command[0] == "simulate":
            (self.folder / command[1] / "round_0004").mkdir(parents=True)
        elif command[0] == "attack":
            (self.folder / value["--out"]).mkdir()
        elif command[0] == "audit":
            self._write(value["--output"], self._report(attacked="--truth" in command))
        elif command[0] in ("aggregate", "prune"):
            (self.folder / value["--out"]).write_bytes(b"model")
        else:
            triggers = [{"backdoor_accuracy": 0.25}]
            quality = {"accuracy": 0.5, "backdoor": {"triggers": triggers}}
            self._write(value["--output"], quality)
        return None

    def _report(self, *, attacked: bool) -> dict[str, Any]:
        ranking = [{"id": f"p{one}", "flagged": attacked and one < 2} for one in range(5)]
        found: dict[str, Any] = {"ranking": ranking, "decision": {"detector": "panel"}}
        if attacked:
            truth = {"compromised": ["p1", "p2"], "detectors": {"panel": {"auc": 0.75}}}
            found["truth"] = truth
        return found

    def _write(self, name: str, result_: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps({"result": result_}))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    stand_in = Fake(tmp_path / "out")
    stand_in.folder.mkdir()
    monkeypatch.setattr(running._Processes, "run", lambda self, command: stand_in(self, command))
    return stand_in


def test_every_choice_of_a_federation_meets_every_attack_and_every_defence(tmp_path: Path) -> None:
    read = config(tmp_path)
    assert len(read.federations) == 4
    assert [one.name for one in read.attacks] == ["boosted-k1", "boosted-k3", "hidden-k2"]
    assert [one.name for one in read.defences] == ["none", "verdict", "krum"]
    assert len(cells(read)) == read.cells == 4 * (3 + 1) * 3
    assert len({cell.path for cell in cells(read)}) == read.cells


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title", "titel", r"a key 'titel' .* did you mean title\?"),
        ("seed = [0, 1]", "sead = 1", r"simulate an option 'sead' .* did you mean seed\?"),
        ("target-class", "target", r"attack an option 'target' .* did you mean target-class\?"),
        ("detector", "detectr", r"audit an option 'detectr' .* did you mean detector\?"),
        ("audit = {}", "adit = {}", r"a key 'adit' .* did you mean audit\?"),
        ("audit = {}", "audit = 1", "audit must be a table of options"),
        ("audit = {}", "", "must have audit, aggregate or prune"),
        ("k = 2", "k = 0", "k must be one or more integers"),
        ("k = 2", "", "k must be one or more integers"),
        ("k = 2", "k = 2\nfrom-round = 0", "from-round, if given, one of them"),
        ('name = "hidden"', 'name = "../hidden"', "a name of small letters"),
        ('name = "krum"', 'name = "verdict"', "the defence 'verdict' twice"),
        ('attack = "hidden-k2"', 'attack = "hidden"', r"did you mean hidden-k2\?"),
        ('measure = "found"', 'measure = "fond"', r"did you mean found\?"),
        ("value = 0.9", 'value = "0.9"', "value must be a number"),
        ("tolerance = 0.05", "", "must have tolerance"),
        ("seed = [0, 1]", "seed = [[0]]", "seed must be text, a number"),
        ("seed = [0, 1]", "seed = []", "seed must be text, a number"),
        ("[[federation]]", "[federation]", r"each under a line \[\[federation\]\]"),
        ("seed = [0, 1]", f"seed = {list(range(9000))}", "the arena runs at most 100,000"),
        ("title =", "title", "is not TOML"),
    ],
)
def test_a_config_with_a_mistake_is_refused_in_a_line(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in TEXT
    with pytest.raises(AribaError, match=words) as error:
        config(tmp_path, TEXT.replace(old, new, 1))
    assert "\n" not in str(error.value).strip()


def test_an_arena_without_a_federation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"give it a table \[\[federation\]\]"):
        config(tmp_path, 'title = "nothing"')


def test_a_defence_can_prune_what_was_aggregated(tmp_path: Path, fake: Fake) -> None:
    pruned = '[[defence]]\nname = "pruned"\nprune = { ranking = "mvp" }\n'
    records = run(config(tmp_path, TEXT + pruned), Settings(fake.folder))
    own = next(one for one in records if one["name"].endswith("hidden-k2/pruned"))
    folder = f"{own['name']}"
    assert own["commands"][-3:-1] == [
        f"ariba aggregate {folder.split('/')[0]}/hidden-k2 --out {folder}/average.safetensors",
        f"ariba prune {folder}/average.safetensors --out {folder}/model.safetensors --ranking mvp",
    ]


def test_a_cell_is_made_by_the_commands_that_it_names(tmp_path: Path, fake: Fake) -> None:
    read = config(tmp_path)
    records = {one["name"]: one for one in run(read, Settings(fake.folder))}
    own = records["digits-partition-dirichlet-0.5-seed-1/cells/hidden-k2/krum"]
    run_ = "digits-partition-dirichlet-0.5-seed-1"
    folder = f"{run_}/cells/hidden-k2/krum"
    assert own["commands"] == [
        f"ariba simulate {run_} --partition dirichlet:0.5 --seed 1",
        f"ariba attack {run_}/round_0004 --out {run_}/hidden-k2 --k 2 --seed 1 "
        "--strategy anomalous --strategy norm-matching --target-class 4",
        f"ariba audit {run_}/hidden-k2 --detector krum --k-est 20% --truth --format json "
        f"--output {folder}/report.json",
        f"ariba aggregate {run_}/hidden-k2 --out {folder}/model.safetensors "
        f"--drop {folder}/report.json",
        f"ariba evaluate {folder}/model.safetensors --trigger pattern --target-class 4 --seed 1 "
        f"--format json --output {folder}/measures.json",
    ]
    ran = {line.removesuffix(" --resume") for line in fake.ran}
    assert {line.removeprefix("ariba ") for line in own["commands"]} <= ran
    assert own["measures"] == {
        "accuracy": 0.5,
        "auc": 0.75,
        "backdoor_accuracy": 0.25,
        "falsely_named": 0.333333,
        "found": 0.5,
        "named": 2,
    }
    clean = records[f"{run_}/cells/clean/none"]
    assert clean["measures"]["backdoor_accuracy"] is None
    assert clean["measures"]["named"] is None


def test_an_attack_that_goes_on_is_trained_with_its_federation(tmp_path: Path, fake: Fake) -> None:
    text = 'title = "x"\n[[federation]]\nrounds = 4\n[[attack]]\nname = "long"\nk = 1\n'
    read = config(tmp_path, text + "from-round = 2\n")
    records = run(read, Settings(fake.folder))
    assert records[1]["commands"][0] == (
        "ariba simulate digits-rounds-4.long-k1 --rounds 4 --attack 2 --k 1"
    )
    assert not any(line.startswith("attack ") for line in fake.ran)


def test_what_is_there_is_not_made_again(tmp_path: Path, fake: Fake) -> None:
    read = config(tmp_path)
    first = run(read, Settings(fake.folder, jobs=3))
    fake.ran.clear()
    assert run(read, Settings(fake.folder)) == first
    assert not fake.ran
    changed = config(tmp_path, TEXT.replace("20%", "30%"))
    run(changed, Settings(fake.folder))
    assert len(fake.ran) == 4 * 4 * 3
    with pytest.raises(UsageError, match="was made with other commands"):
        run(config(tmp_path, TEXT.replace("target-class = 4", "")), Settings(fake.folder))


def test_a_cell_that_fails_is_kept_and_tried_again(tmp_path: Path, fake: Fake) -> None:
    read = config(tmp_path)
    fake.fails = lambda line: line.startswith("attack") and "hidden-k2" in line
    said: list[str] = []
    records = run(read, Settings(fake.folder), warn=said.append)
    failed = [one for one in records if one["status"] == FAILED]
    assert {one["attack"]["name"] for one in failed} == {"hidden"}
    assert len(failed) == 4 * 3
    assert all(one["error"] == "ariba attack: it went wrong" for one in failed)
    assert len(said) == 4 * (3 + 1)
    fake.fails = lambda _: False
    fake.ran.clear()
    again = run(read, Settings(fake.folder))
    assert {one["status"] for one in again} == {DONE}
    assert not any(line.startswith("simulate") for line in fake.ran)


def test_a_record_that_is_none_is_named(tmp_path: Path, fake: Fake) -> None:
    read = config(tmp_path)
    run(read, Settings(fake.folder))
    record = fake.folder / cells(read)[0].record
    record.write_text('{"status": "fine"}')
    with pytest.raises(OutputError, match=r"cell\.json' is not the record of a step; remove it"):
        run(read, Settings(fake.folder))


def test_a_report_that_lacks_a_figure_is_named(tmp_path: Path) -> None:
    cell = cells(config(tmp_path))[0]
    (tmp_path / cell.path).mkdir(parents=True)
    place = tmp_path / cell.path / "measures.json"
    place.write_text('{"result": {"accuracy": 1}}')
    with pytest.raises(OutputError, match="lacks 'backdoor'"):
        measured(cell, tmp_path)
    place.write_text("[]")
    with pytest.raises(OutputError, match="is not the report of a command"):
        measured(cell, tmp_path)


def test_the_results_are_as_their_schema_says(tmp_path: Path, fake: Fake) -> None:
    read = config(tmp_path)
    fake.fails = lambda line: line.startswith("audit") and "boosted-k1" in line
    records = run(read, Settings(fake.folder))
    written = json.loads(arena_json(read, records, RUN))
    jsonschema.validate(written, json.loads(schema("arena")))
    assert written["result"]["attacks"] == ["boosted-k1", "boosted-k3", "hidden-k2"]


def test_figures_are_means_and_worst_cases() -> None:
    def cell(seed: int, k: int | None, found: float | None, named: int) -> dict[str, Any]:
        attack = None if k is None else {"name": "a", "k": k}
        measures = dict.fromkeys(BY_KEY) | {"found": found, "named": named}
        return {
            "federation": {"seed": seed},
            "attack": attack,
            "defence": "d",
            "status": "done",
            "measures": measures,
        }

    every = [
        cell(0, None, None, 0),
        cell(1, None, None, 2),
        cell(0, 1, 0.5, 1),
        cell(1, 1, 1.0, 1),
        cell(0, 2, 0.25, 1),
        cell(1, 2, 0.75, 1) | {"status": "failed", "measures": None},
    ]
    found = BY_KEY["found"]
    one = figure(of(every, "a-k1", "d"), found)
    assert (one.mean, one.worst, one.cells, one.failed) == (0.75, 0.5, 2, 0)
    assert figure(of(every, "a-k2", "d"), found).failed == 1
    assert worst_attack(every, ["a-k1", "a-k2"], "d", found) == ("a-k2", 0.25)
    assert worst_attack(every, ["a-k1"], "e", found) is None
    assert naming_anybody(every, "d") == 0.5
    entry = {
        "attack": "a-k1",
        "defence": "d",
        "federation": {"seed": "1"},
        "measure": "found",
        "value": 0.9,
        "tolerance": 0.05,
    }
    (beside,) = compared(every, [entry])
    assert (beside.ours, beside.reproduced) == (1.0, False)
    (beside,) = compared(every, [entry | {"tolerance": 0.2}])
    assert beside.reproduced
    (beside,) = compared(every, [entry | {"federation": {"seed": "7"}}])
    assert beside.reproduced is None


def test_the_page_shows_the_results_and_runs_nothing(tmp_path: Path, fake: Fake) -> None:
    read = config(tmp_path)
    fake.fails = lambda line: line.startswith("audit") and "boosted-k1" in line
    shown = arena_html(result(read, run(read, Settings(fake.folder)))).decode()
    assert "Two &lt;by&gt; two" in shown
    assert "<script" not in shown
    for words in ("hidden-k2", "ariba attack", "it went wrong", "not reproduced", "Worst cases"):
        assert words in shown
    for attack in ("clean", "boosted-k1", "boosted-k3", "hidden-k2"):
        for defence in ("none", "verdict", "krum"):
            assert f'id="c-{attack}-{defence}"' in shown


def test_the_command_refuses_what_no_command_takes(ariba: Ariba, tmp_path: Path) -> None:
    path = tmp_path / "arena.toml"
    path.write_text("[[federation]]\nparticipant = 12\n")
    done = ariba("arena", path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert b"did you mean participants?" in done.stderr
    assert not (tmp_path / "out").exists()


def shown_configs() -> list[str]:
    """Return the configs that come along, and the one that the page shows."""
    examples = sorted((REPOSITORY / "examples" / "arena").glob("*.toml"))
    page = (REPOSITORY / "docs" / "arena.md").read_text()
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return [*(path.read_text() for path in examples), shown]


@pytest.mark.parametrize("text", shown_configs())
def test_the_configs_that_are_shown_are_sound(ariba: Ariba, tmp_path: Path, text: str) -> None:
    """Their options are those that commands take: the run stops where it would write."""
    (tmp_path / "arena.toml").write_text(text)
    (tmp_path / "out").write_text("in the way")
    done = ariba("arena", tmp_path / "arena.toml", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.endswith(b"out: File exists\n")


@pytest.mark.slow
def test_a_small_arena_runs_and_its_commands_make_a_cell_again(
    ariba: Ariba, command_path: str, tmp_path: Path
) -> None:
    path = tmp_path / "arena.toml"
    path.write_text(
        "[[federation]]\nparticipants = 10\nrounds = 1\n"
        '[[attack]]\nname = "boosted"\nk = 2\n[[defence]]\nname = "verdict"\naudit = {}\n'
    )
    out = tmp_path / "out"
    assert ariba("arena", path, "--out", out).returncode == 0
    results = json.loads((out / "results.json").read_bytes())["result"]
    (own,) = (one for one in results["cells"] if one["name"].endswith("boosted-k2/verdict"))
    again = tmp_path / "again"
    again.mkdir()
    for command in own["commands"]:
        if command.startswith("ariba audit"):
            (again / own["name"]).mkdir(parents=True)
        subprocess.run(
            ["bash", "-c", command],
            cwd=again,
            env=environment(PATH=command_path),
            check=True,
            capture_output=True,
        )
    for name in ("report.json", "measures.json"):
        first, second = (
            json.loads((root / own["name"] / name).read_bytes())["result"] for root in (out, again)
        )
        assert first == second


def test_a_stopped_arena_ends_its_commands(tmp_path: Path) -> None:
    processes = running._Processes(Settings(tmp_path))
    waiting = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    processes.running.add(waiting)
    processes.stop()
    assert waiting.returncode is not None
    assert processes.run(["--version"]) == "stopped"
