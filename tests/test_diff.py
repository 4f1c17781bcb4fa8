"""Two reports, one beside the other: who moved, and what else is not the same."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ariba_cli.detectors import make_detectors
from ariba_cli.reports import published
from ariba_cli.reports.diff_table import diff_table
from ariba_cli.reports.report import parse_report
from ariba_cli.reports.text import Paper
from ariba_cli.verdicts.comparison import Comparison, compare
from tests.conftest import FIXTURES, Ariba
from tests.models import write_flat_round
from tests.reports import Json, Spoil, hashed_again, renamed, report_bytes, spoiled
from tests.test_cli_imports import HEAVY, imported
from tests.test_reports_text import HOSTILE_NAMES, harmless

PLAIN = Paper(width=100, color=False)


@pytest.fixture(scope="module")
def clean() -> bytes:
    return report_bytes(FIXTURES / "clean", layers=("conv2",))


@pytest.fixture(scope="module")
def attacked() -> bytes:
    return report_bytes(FIXTURES / "attacked", layers=("conv2",))


@pytest.fixture
def paths(tmp_path: Path, clean: bytes, attacked: bytes) -> tuple[Path, Path]:
    (tmp_path / "clean.json").write_bytes(clean)
    (tmp_path / "attacked.json").write_bytes(attacked)
    return tmp_path / "clean.json", tmp_path / "attacked.json"


def compared(first: bytes, second: bytes) -> Comparison:
    return compare(parse_report(first).verdict, parse_report(second).verdict)


def test_who_moved(clean: bytes, attacked: bytes) -> None:
    found = compared(clean, attacked)
    assert not found.same
    assert (found.entered, found.left) == (("p18", "p15"), ("p04", "p12"))
    assert [one.id for one in found.participants][:4] == ["p18", "p15", "p17", "p13"]
    first = found.moved[0]
    assert first.first is not None
    assert first.second is not None
    assert (first.id, first.first.rank, first.second.rank) == ("p18", 13, 1)
    assert len(found.participants) == 20
    assert not found.parameters
    assert not found.new + found.gone


def test_the_table_says_who_and_the_code_that_somebody_did(
    ariba: Ariba, paths: tuple[Path, Path]
) -> None:
    done = ariba("diff", *paths)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    row = next(line for line in lines if line.startswith("p18 "))
    assert row.split() == ["p18", "13", "→", "1", "0.178", "→", "0.430", "newly", "named"]
    assert "Named: newly named: p18, p15; no longer named: p04, p12." in lines
    assert "4 others have the same rank in both." in lines


def test_the_same_is_0(ariba: Ariba, paths: tuple[Path, Path]) -> None:
    done = ariba("diff", paths[0], paths[0])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\nThose who are named and the ranking are the same.\n")
    text = "".join(done.stdout.decode().split("\n"))
    assert text.startswith(f"First: {paths[0]}Second: {paths[0]}")


def lower_share(result: Json) -> None:
    for one in (result["ranking"][-1], result["detectors"][0]["scores"][-1]):
        one["share"] /= 2


def swap_the_last(result: Json) -> None:
    for several in (result["ranking"], result["detectors"][0]["scores"]):
        several[-2]["share"] = several[-1]["share"]
        several[-2:] = several[:-3:-1]
    one, other = result["ranking"][-2:]
    one["rank"], other["rank"] = other["rank"], one["rank"]


def one_suspect_less(result: Json) -> None:
    result["ranking"][3]["suspect"] = False
    result["decision"]["k_est"] = result["method"]["k_est"] = 3


def other_parameters(result: Json) -> None:
    result["method"]["layer_choice"] = "all"
    result["detectors"][0]["parameters"] = {"n_bins": 7}


@pytest.mark.parametrize(
    ("spoil", "same", "said"),
    [
        (lower_share, True, "Those who are named and the ranking are the same."),
        (swap_the_last, False, "The same participants are named; the ranking is not the same."),
        (one_suspect_less, False, "no longer named: p13"),
        (
            other_parameters,
            True,
            "layer_choice: named, then all\nmahalanobis.parameters.n_bins: none, then 7",
        ),
        (renamed([f"p{i:02}" for i in range(19)] + ["x"]), False, "Only in the second: x."),
    ],
)
def test_what_is_a_difference(attacked: bytes, spoil: Spoil, same: bool, said: str) -> None:
    found = compared(attacked, spoiled(attacked, spoil))
    assert found.same is same
    assert said in diff_table(found, PLAIN, ("a.json", "b.json"))
    back = compared(spoiled(attacked, spoil), attacked)
    assert back.same is same


def with_finding(data: bytes, detail: str) -> bytes:
    """A report that has found two to be equal, in these words."""
    content = json.loads(data)
    content["result"]["findings"] = [{"kind": "duplicate", "participant": "p03"}]
    content["words"]["findings"] = [detail]
    return hashed_again(content)


def test_a_finding_of_one_report_is_a_difference(attacked: bytes) -> None:
    other = with_finding(attacked, "equals p04")
    found = compared(attacked, other)
    assert found.same
    assert "new finding: duplicate: p03: equals p04" in diff_table(
        found, PLAIN, ("a.json", "b.json")
    )
    assert "gone finding: duplicate: p03" in diff_table(
        compared(other, attacked), PLAIN, ("a.json", "b.json")
    )


def test_a_finding_in_other_words_is_no_difference(attacked: bytes) -> None:
    one, other = with_finding(attacked, "equals p04"), with_finding(attacked, "is that of p04")
    assert parse_report(one).result_sha256 == parse_report(other).result_sha256
    found = compared(one, other)
    assert (found.new, found.gone) == ((), ())
    assert diff_table(found, PLAIN, ("a.json", "b.json")) == (
        "First: a.json\nSecond: b.json\n\nThose who are named and the ranking are the same.\n"
    )


def test_detectors_that_are_others_are_said(ariba: Ariba, tmp_path: Path, attacked: bytes) -> None:
    by_updates = report_bytes(
        FIXTURES / "attacked",
        layers=("conv2",),
        detectors=make_detectors(("norm", "krum"), {"f": 3}),
    )
    found = compared(attacked, by_updates)
    said = diff_table(found, PLAIN, ("a.json", "b.json"))
    assert "detectors: mahalanobis, then norm, krum" in said
    assert "decided by: mahalanobis, then norm" in said
    assert "inner_products: none, then exact" in said
    assert "krum.arguments.f: none, then 3" in said
    rows = [line.split() for line in said.splitlines() if line.startswith("p")]
    moved = {one.id: one for one in found.moved}
    assert {row[0] for row in rows[1:]} == set(moved)
    for row in rows[1:]:
        one = moved[row[0]]
        assert one.first is not None
        assert one.second is not None
        assert f"{one.first.share:.3f} → {one.second.score:.4g}" in " ".join(row)
    for name, data in (("first", attacked), ("second", by_updates)):
        (tmp_path / f"{name}.json").write_bytes(data)
    content = json.loads(ariba("diff", "first.json", "second.json", "-f", "json").stdout)
    jsonschema.validate(content, json.loads(published.schema("diff")))
    for place in content["result"]["participants"]:
        assert place["first"]["detector"] == "mahalanobis"
        assert (place["second"]["detector"], place["second"]["share"]) == ("norm", None)


def test_another_order_of_detectors_is_a_difference() -> None:
    one, other = (
        report_bytes(FIXTURES / "attacked", detectors=make_detectors(names))
        for names in (("norm", "sign"), ("sign", "norm"))
    )
    found = compared(one, other)
    said = diff_table(found, PLAIN, ("a.json", "b.json"))
    assert not found.same
    assert "detectors: norm, sign, then sign, norm" in said
    assert "decided by: norm, then sign" in said


def test_who_was_left_out_is_said() -> None:
    one, other = (
        report_bytes(FIXTURES / "attacked", layers=("conv2",), excluded=names)
        for names in ((), ("p18",))
    )
    found = compared(one, other)
    assert (found.only_in_first, found.only_in_second) == ((), ())
    assert "p18" in found.left
    assert "excluded: none, then p18" in diff_table(found, PLAIN, ("a.json", "b.json"))


def test_who_is_in_one_report_only(attacked: bytes) -> None:
    other = spoiled(attacked, renamed([f"p{i:02}" for i in range(18)] + ["new", "p19"]))
    found = compared(attacked, other)
    assert (found.only_in_first, found.only_in_second) == (("p18",), ("new",))
    assert (found.entered, found.left) == (("new",), ("p18",))
    said = diff_table(found, PLAIN, ("a.json", "b.json"))
    assert "only in the first" in said
    assert "only in the second, newly named" in said


def test_json_is_as_its_schema_says(ariba: Ariba, paths: tuple[Path, Path]) -> None:
    schema = json.loads(published.schema("diff"))
    jsonschema.Draft202012Validator.check_schema(schema)
    one, other = (ariba("diff", *paths, "-f", "json", "--reproducible") for _ in range(2))
    assert one.returncode == 1
    assert one.stdout == other.stdout
    content: dict[str, Any] = json.loads(one.stdout)
    jsonschema.validate(content, schema)
    result = content["result"]
    assert result["first"]["result_sha256"] == json.loads(paths[0].read_bytes())["result_sha256"]
    assert (result["same"], result["entered"], result["left"]) == (
        False,
        ["p18", "p15"],
        ["p04", "p12"],
    )
    assert len(result["participants"]) == 20
    content["result"]["more"] = 1
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        jsonschema.validate(content, schema)


def test_no_name_reaches_the_terminal_as_it_is(ariba: Ariba, tmp_path: Path) -> None:
    names = [name for name in HOSTILE_NAMES if name != "-"]
    root = write_flat_round(tmp_path / "flat", len(names))
    first = spoiled(report_bytes(root, layers=("conv2",)), renamed(names))
    second = spoiled(report_bytes(root, layers=("conv1",)), renamed(names[::-1]))
    (tmp_path / "first.json").write_bytes(first)
    (tmp_path / "second.json").write_bytes(second)
    done = ariba("diff", "first.json", "second.json")
    assert done.returncode == 1
    said = done.stdout.decode()
    assert harmless(said)
    assert r"\x1b[2J\x1b]0;owned\x07" in said
    assert "layers: conv2.weight, then conv1.weight" in said


def test_ascii_where_nothing_else_can_be_shown(clean: bytes, attacked: bytes) -> None:
    paper = Paper(width=100, color=False, encoding="ascii")
    assert diff_table(compared(clean, attacked), paper, ("a", "b")).isascii()
    assert "\x1b[1;31m" in diff_table(
        compared(clean, attacked), Paper(width=100, color=True), ("a", "b")
    )


def test_a_report_that_is_missing_is_2(ariba: Ariba, paths: tuple[Path, Path]) -> None:
    done = ariba("diff", paths[0], "nowhere.json")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: 'nowhere.json' cannot be opened: No such file")


def test_a_full_disk_is_2(ariba: Ariba, paths: tuple[Path, Path]) -> None:
    done = ariba("diff", *paths, "-o", "/dev/full")
    assert done.returncode == 2
    assert done.stderr == b"error: '/dev/full' cannot be written: No space left on device\n"


def test_nothing_heavy_is_imported(paths: tuple[Path, Path]) -> None:
    assert not imported("diff", paths[0], paths[0]) & (HEAVY | {"h5py", "safetensors"})
