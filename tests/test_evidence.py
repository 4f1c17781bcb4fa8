"""The evidence for pictures, against distances and components found in plain NumPy."""

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.evidence import LayerEvidence
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import FIXTURES, Ariba
from tests.test_several_layers import write_round

Float64 = npt.NDArray[np.float64]

ATTACKED = FIXTURES / "attacked"


def audited(root: Path, **chosen: object) -> Verdict:
    settings = AuditSettings(evidence=True, **chosen)  # type: ignore[arg-type]
    return audit(open_round(root), settings)


def centred(root: Path, layer: str, dimension: int) -> tuple[list[str], Float64]:
    """The ids, and all fragments of shape (n, m, d)."""
    round_ = open_round(root)
    rows = []
    for member in round_.participants:
        model = round_.open(member)
        values = np.frombuffer(model.read(layer), np.float32).astype(np.float64)
        rows.append(values[: values.size // dimension * dimension].reshape(-1, dimension))
    stacked = np.stack(rows)
    return [member.id for member in round_.participants], stacked - stacked.mean(axis=0)


def distances(fragments: Float64) -> Float64:
    rows = fragments.reshape(-1, fragments.shape[2])
    inverse = np.linalg.pinv(rows.T @ rows / len(rows))
    found: Float64 = np.sqrt(np.einsum("ij,jk,ik->i", rows, inverse, rows))
    return found.reshape(fragments.shape[:2])


@pytest.mark.parametrize(
    ("layer", "fragment", "dimension", "shape"),
    [
        ("conv2.weight", None, 9, (3, 3)),
        ("conv2.weight", "filter", 144, (16, 9)),
        ("fc1.weight", "row", 128, (8, 16)),
        ("conv2.weight", "block:20", 20, (2, 16)),
    ],
)
def test_the_most_distant_fragments_are_shown_beside_typical_ones(
    layer: str, fragment: str | None, dimension: int, shape: tuple[int, int]
) -> None:
    verdict = audited(ATTACKED, layers=(layer,), fragment=fragment)
    (found,) = verdict.evidence
    ids, fragments = centred(ATTACKED, layer, dimension)
    expected = distances(fragments)
    assert (found.layer, found.shape) == (layer, shape)
    assert found.median_distance == pytest.approx(np.median(expected))
    assert list(found.most_distant) == [one.id for one in verdict.ranking[:5]]
    suspects = {one.id for one in verdict.suspects}
    for identifier, shown in found.most_distant.items():
        own = ids.index(identifier)
        order = np.argsort(-expected[own])[:5]
        assert [number(one.index, fragments.shape[1]) for one in shown] == order.tolist()
        for one, index in zip(shown, order, strict=True):
            assert one.distance == pytest.approx(expected[own, index])
            assert one.times_median == pytest.approx(expected[own, index] / np.median(expected))
            assert one.values == pytest.approx(
                fragments[own, index, : len(one.values)], rel=1e-3, abs=1e-12
            )
            typical = ids.index(one.typical_id)
            others = [
                expected[i, index]
                for i, name in enumerate(ids)
                if name not in {*suspects, identifier}
            ]
            assert one.typical_distance == pytest.approx(np.sort(others)[(len(others) - 1) // 2])
            assert one.typical_values == pytest.approx(
                fragments[typical, index, : len(one.values)], rel=1e-3, abs=1e-12
            )


def number(index: tuple[int, ...], fragments: int) -> int:
    """The number of a fragment; conv2 of the fixture has 32 outputs."""
    return index[0] if len(index) == 1 else index[0] * (fragments // 32) + index[1]


def test_points_lie_along_the_first_two_components() -> None:
    (found,) = audited(ATTACKED, layers=("conv2",)).evidence
    plane = found.plane
    assert plane is not None
    ids, fragments = centred(ATTACKED, "conv2.weight", 9)
    rows = fragments.reshape(-1, 9)
    eigenvalues, eigenvectors = np.linalg.eigh(rows.T @ rows / len(rows))
    assert plane.explained == pytest.approx(eigenvalues[[-1, -2]] / eigenvalues.sum())
    components = eigenvectors[:, [-1, -2]]
    for column in components.T:
        column *= np.sign(column[np.abs(column).argmax()])
    expected = fragments[:, plane.fragments] @ components / np.sqrt(eigenvalues[-1])
    assert len(plane.fragments) == 2000 // 20
    assert list(plane.points) == ids
    for own, points in zip(expected, plane.points.values(), strict=True):
        assert points == pytest.approx(own.reshape(-1), abs=0.0051)


@pytest.mark.parametrize("width", [1, 2])
def test_fragments_that_lie_on_a_line_have_no_plane(tmp_path: Path, width: int) -> None:
    values = np.random.default_rng(0).standard_normal((5, 6, 1, 1, width))
    values[..., 1:] = values[..., :1]
    root = write_round(tmp_path, [{"conv.weight": one.astype(np.float32)} for one in values])
    (found,) = audited(root, layers=("conv",), fragment=f"block:{width}").evidence
    assert found.plane is None
    assert found.most_distant


def test_layers_share_the_room_of_a_report() -> None:
    one = size(audited(ATTACKED, layers=("conv2",)).evidence)
    four = size(audited(ATTACKED, layers=("all",)).evidence)
    assert four < 2 * one


def size(evidence: tuple[LayerEvidence, ...]) -> int:
    """Return the number of values that it holds."""
    points = sum(len(own) for e in evidence if e.plane for own in e.plane.points.values())
    shown = [one for e in evidence for own in e.most_distant.values() for one in own]
    return points + sum(len(one.values) + len(one.typical_values) for one in shown)


def test_whoever_is_to_be_explained_is_shown_whatever_the_score() -> None:
    last = audited(ATTACKED, layers=("conv2",)).ranking[-1].id
    (found,) = audited(ATTACKED, layers=("conv2",), explained=(last,)).evidence
    assert len(found.most_distant) == 6
    assert len(found.most_distant[last]) == 5
    with pytest.raises(InputError, match="cannot explain 'nobody': the round"):
        audited(ATTACKED, explained=("nobody",))


def test_nobody_is_typical_for_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    root = write_round(
        tmp_path, [{"conv.weight": rng.standard_normal((4, 2, 3, 3))} for _ in range(6)]
    )
    for k_est in (1, 5):
        settings = AuditSettings(evidence=True, k_est=KEst.parse(k_est), explained=("p0", "p5"))
        (found,) = audit(open_round(root), settings).evidence
        same = {
            name
            for name, shown in found.most_distant.items()
            if any(one.typical_id == name for one in shown)
        }
        # With a k_est of n − 1 there is only one who is typical at all.
        assert len(same) <= (k_est == 5)


def test_whoever_cannot_be_told_apart_is_said_to_be(tmp_path: Path, ariba: Ariba) -> None:
    root = write_round(tmp_path / "equal", [{"conv.weight": np.ones((2, 2, 3, 3))}] * 4)
    text = " ".join(ariba("audit", root, "--explain", "p1").stdout.decode().split())
    assert "p1 is not ranked: the updates cannot be told apart in the layers" in text
    done = ariba("audit", root, "--explain", "p1", "-f", "csv")
    assert done.stderr == b"error: --explain does not work with -f csv; use -f table, or -f json\n"


def test_evidence_does_not_change_the_result(ariba: Ariba) -> None:
    plain = json.loads(ariba("audit", ATTACKED, "--layer", "all", "-f", "json").stdout)
    done = ariba("audit", ATTACKED, "--layer", "all", "-f", "json", "--evidence")
    found = json.loads(done.stdout)
    assert found["result"] == plain["result"]
    assert "evidence" not in plain
    assert len(found["evidence"]) == 4
    # Fifty participants have as many points and fragments as these twenty.
    assert len(done.stdout) < 300_000


def test_an_explanation_is_beside_the_ranking(ariba: Ariba) -> None:
    text = ariba("audit", ATTACKED, "--layer", "conv2", "--explain", "p18").stdout.decode()
    assert "p18 is a suspect, rank 1 with share 0.430: marked are 220 of 512 fragments" in text
    assert "conv2.weight [0, 5]: distance 45.4, 724.1 times the median" in text
    assert "typical: p00" in text


def test_what_differs_where_most_are_alike_is_explained_first(tmp_path: Path, ariba: Ariba) -> None:
    rng = np.random.default_rng(0)
    models = [
        {"a.weight": rng.standard_normal((6, 6, 3, 3)), "b.weight": np.zeros((6, 6, 3, 3))}
        for _ in range(8)
    ]
    models[1]["a.weight"] *= 40
    models[1]["b.weight"][2, 2:] = 1e-3
    root = write_round(tmp_path / "round", models)
    done = ariba("audit", root, "--layer", "all", "--k-est", "2", "--explain", "p1")
    shown = re.findall(
        r"^  (.)\.weight \[.*: distance ([0-9.]+)", done.stdout.decode(), re.MULTILINE
    )
    assert [layer for layer, _ in shown] == ["b"] * 4 + ["a"]
    # Though distances are smaller there than the other is in medians of its layer.
    assert float(shown[0][1]) < 9


def test_an_explanation_can_be_written_in_ascii(ariba: Ariba) -> None:
    done = ariba(
        *("audit", ATTACKED, "--layer", "all", "--explain", "p18"), PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0
    assert "+9" in done.stdout.decode("ascii")


def test_a_page_is_the_same_to_the_byte_and_that_of_its_report(
    ariba: Ariba, tmp_path: Path
) -> None:
    page, report = tmp_path / "page.html", tmp_path / "report.json"
    audit = ("audit", ATTACKED, "--layer", "all", "--html", page, "-f", "json", "-o", report)
    pages = []
    for _ in range(2):
        done = ariba(*audit, "--evidence", "--reproducible")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        pages.append(page.read_bytes())
        page.unlink()
    pages.append(ariba("report", report, "-f", "html").stdout)
    assert pages[0] == pages[1] == pages[2]


def test_a_page_that_cannot_be_written_is_an_error(ariba: Ariba) -> None:
    done = ariba("audit", ATTACKED, "--html", "/dev/full")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"error: '/dev/full' cannot be written: No space left on device\n"
    done = ariba("audit", ATTACKED, "--html", "new", "-o", "new")
    assert done.returncode == 2
    assert b"--html and --output name the same file" in done.stderr
    done = ariba("audit", ATTACKED, ATTACKED, "--html", "new")
    assert b"there is no verdict on all rounds together" in done.stderr
