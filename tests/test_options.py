"""Options that `audit`, `inspect` and `convert` share."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model


def test_a_larger_file_than_allowed_is_refused_and_the_rest_goes_on(
    tmp_path: Path, ariba: Ariba
) -> None:
    write_flat_round(tmp_path / "round", 4, boosted=0)
    write_model(tmp_path / "round" / "p9.safetensors", {"w": np.zeros(2000)})
    done = ariba("audit", "round", "--layer", "conv2", "--max-file-bytes", "9000", "-f", "json")
    report = json.loads(done.stdout)
    kinds = [(one["participant"], one["kind"]) for one in report["result"]["findings"]]
    assert ("p9", "refused") in kinds
    assert "more than 9,000" in report["words"]["findings"][kinds.index(("p9", "refused"))]


def test_strict_stops_at_what_is_refused(tmp_path: Path, ariba: Ariba) -> None:
    write_flat_round(tmp_path / "round", 4, boosted=0)
    (tmp_path / "round" / "p9.pt").write_bytes(b"\x80\x04.")
    assert ariba("audit", "round").returncode == 0
    for command in (["audit", "round"], ["convert", "round", "--out", "out"]):
        stopped = ariba(*command, "--strict")
        assert (stopped.returncode, stopped.stdout) == (2, b"")
        assert stopped.stderr.startswith(b"error: ")
        assert b"p9" in stopped.stderr
        assert b"is a pickle" in stopped.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_that_takes_too_long_is_refused(tmp_path: Path, ariba: Ariba) -> None:
    for index in range(4):
        write_model(tmp_path / "round" / f"p{index}.safetensors", random_model(index))
    with h5py.File(tmp_path / "round" / "p9.h5", "w") as file:
        for index in range(500):
            file[f"layer{index}.weight"] = np.zeros(1)
    done = ariba("audit", "round", "--timeout", "0.001", "-f", "csv")
    assert done.returncode == 0
    assert b"p9: took longer than 0.001 s to parse (--timeout allows more)" in done.stderr
    assert ariba("audit", "round", "--timeout", "nan").returncode == 2
    assert ariba("audit", "round", "--timeout", "1e300").returncode == 0


def test_arrays_are_named_by_a_list_in_the_directory(tmp_path: Path, ariba: Ariba) -> None:
    (tmp_path / "round").mkdir()
    for index in range(4):
        np.savez(tmp_path / "round" / f"p{index}.npz", *random_model(index).values())
    (tmp_path / "round" / "layers.txt").write_text("\n".join(random_model(0)))
    done = ariba("audit", "round", "--names", "round/layers.txt", "--layer", "conv2", "-f", "csv")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5)
    unnamed = ariba("audit", "round", "--layer", "conv2")
    assert b"no layer 'conv2'" in unnamed.stderr


def test_the_global_model_can_be_anywhere(tmp_path: Path, ariba: Ariba) -> None:
    write_flat_round(tmp_path / "round", 4, boosted=0)
    write_model(tmp_path / "sent.safetensors", random_model(3))
    write_model(tmp_path / "round" / "start.safetensors", random_model(3))
    for path in ("sent.safetensors", "round/start.safetensors"):
        arguments = ("inspect", "round", "--global", path, "-f", "json")
        found = json.loads(ariba(*arguments).stdout)["result"]
        assert (found["has_global"], found["norm_of"]) == (True, "update")
        norms = {one["id"]: one["norm"] for one in found["participants"]}
        assert norms["p3"] == 0
        assert ("start" in norms) == (path == "sent.safetensors")
    missing = ariba("audit", "round", "--global", "nowhere")
    assert b"'nowhere' does not exist; --global names the model" in missing.stderr


def test_inspect_takes_a_model_in_a_folder(tmp_path: Path, ariba: Ariba) -> None:
    folder = tmp_path / "p0"
    write_model(folder / "one.safetensors", {"conv.weight": np.zeros((2, 2))})
    index = {"weight_map": {"conv.weight": "one.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    found = json.loads(ariba("inspect", "p0", "-f", "json").stdout)["result"]
    assert (found["type"], found["format"]) == ("file", "sharded-safetensors")
    table = ariba("inspect", FIXTURES / "clean" / "participants" / "p00.safetensors").stdout
    assert b"safetensors, 37,616 bytes" in table


def test_whoever_sends_another_layer_is_refused_as_others_are(tmp_path: Path, ariba: Ariba) -> None:
    write_flat_round(tmp_path / "round", 4, boosted=0)
    condition = ("--layer", "conv2", "--fail-on", "refused", "-q")
    assert ariba("audit", "round", *condition).returncode == 0
    for model in ({"a": np.ones(3)}, {"conv2.weight": np.ones(3)}):
        write_model(tmp_path / "round" / "p9.safetensors", model)
        assert ariba("audit", "round", *condition).returncode == 1


def test_whoever_is_excluded_is_in_the_report_and_in_no_ranking(ariba: Ariba) -> None:
    command = ("audit", FIXTURES / "attacked", "--exclude", "p15", "--exclude", "p03")
    result = json.loads(ariba(*command, "-f", "json").stdout)["result"]
    excluded = [one["id"] for one in result["inputs"] if one["status"] == "excluded"]
    assert excluded == ["p03", "p15"]
    assert sorted(result["method"]["requested"]["excluded"]) == excluded
    ranked = {one["id"] for one in result["ranking"]}
    assert len(ranked) == 18
    assert not ranked & set(excluded)
    wrong = ariba("audit", FIXTURES / "attacked", "--exclude", "p99")
    assert (wrong.returncode, wrong.stderr.decode()) == (
        2,
        "error: cannot exclude 'p99': the round has no such participant\n",
    )


def test_a_table_shows_as_many_as_are_asked_for(ariba: Ariba) -> None:
    for top, rows in (("3", 3), ("all", 20), (None, 12)):
        asked = () if top is None else ("--top", top)
        shown = ariba("audit", FIXTURES / "attacked", *asked).stdout.decode()
        lines = [line.split() for line in shown.splitlines()]
        named = [line for line in lines if len(line) > 1 and line[1].startswith("p")]
        assert sum(line[0].isdecimal() for line in named) == rows
        assert ("--top all shows them" in shown) == (rows < 20)
    assert b"--top" in ariba("audit", FIXTURES / "attacked", "--top", "0").stderr


def test_nothing_is_written_among_the_updates_that_are_read(attacked: Path, ariba: Ariba) -> None:
    before = sorted(path.name for path in attacked.rglob("*"))
    for command in (
        ("audit", attacked, "-f", "json", "-o", attacked / "report.json"),
        ("audit", attacked, "--html", attacked / "participants" / "p.html"),
        ("inspect", attacked, "-f", "json", "-o", attacked / "contents.json"),
    ):
        done = ariba(*command)
        assert done.returncode == 2
        assert b"would lie among the updates" in done.stderr
    assert sorted(path.name for path in attacked.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("a.html", "--html a.html"), ("a.json", "-f json -o a.json"), ("a.CSV", "-f csv -o a.CSV")],
)
def test_a_table_is_not_written_to_a_file_of_another_kind(
    ariba: Ariba, tmp_path: Path, name: str, way_out: str
) -> None:
    done = ariba("audit", FIXTURES / "attacked", "-o", name)
    assert done.returncode == 2
    assert f"would hold a text table; write {way_out}, or name it .txt" in done.stderr.decode()
    assert not (tmp_path / name).exists()
    assert ariba("audit", FIXTURES / "attacked", "-o", "a.txt").returncode == 0


@pytest.mark.parametrize(
    ("command", "name", "said"),
    [
        (("report", "r.json"), "a.html", "write -f html -o a.html, or name it .txt"),
        (("report", "r.json"), "a.md", "write -f markdown -o a.md, or name it .txt"),
        (("report", "r.json"), "a.json", "text table; name it .txt"),
        (("diff", "r.json", "r.json"), "a.json", "write -f json -o a.json, or name it .txt"),
        (("diff", "r.json", "r.json"), "a.html", "text table; name it .txt"),
        (("inspect", FIXTURES / "attacked"), "a.html", "text table; name it .txt"),
        (("evaluate", "model.npz"), "a.json", "write -f json -o a.json, or name it .txt"),
    ],
)
def test_nor_is_one_by_other_commands(
    ariba: Ariba, tmp_path: Path, command: tuple[object, ...], name: str, said: str
) -> None:
    done = ariba(*command, "-o", name)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", FIXTURES / "attacked", "--k-est", "3", "--k-est=4"),
        ("attack", FIXTURES / "clean", "--out", "x", "--trigger", "dba", "--trigger", "pattern"),
        ("audit", FIXTURES / "attacked", "-f", "json", "--format", "csv"),
    ],
)
def test_an_option_of_one_value_is_given_once(ariba: Ariba, arguments: tuple[object, ...]) -> None:
    done = ariba(*arguments)
    assert done.returncode == 2
    assert b" is given twice; give it once\n" in done.stderr


def test_what_says_how_much_to_say_may_be_repeated(ariba: Ariba) -> None:
    assert ariba("audit", FIXTURES / "attacked", "-q", "-q").returncode == 0
