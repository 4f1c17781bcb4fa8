"""The Python API: plain values in, a verdict out, and the bytes that the command writes."""

import json
import pickle
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import ariba_cli as ariba
from ariba_cli.api.errors import arguments_for_options
from ariba_cli.base.errors import InputError, OutputError, UsageError
from tests.conftest import FIXTURES, Ariba, environment

ATTACKED = FIXTURES / "attacked"
Models = dict[str, dict[str, npt.NDArray[np.float32]]]


def fixture_models() -> tuple[Models, dict[str, npt.NDArray[np.float32]]]:
    """Return what the participants of the attacked fixture sent, and the global model."""
    from safetensors.numpy import load_file

    sent = {path.stem: load_file(path) for path in (ATTACKED / "participants").iterdir()}
    return sent, load_file(ATTACKED / "global.safetensors")


def test_it_has_a_handful_of_names() -> None:
    names = [
        "AribaError",
        "RunningHistory",
        "Verdict",
        "audit",
        "open_round",
        "save_round",
        "score",
    ]
    assert dir(ariba) == sorted([*names, "__version__"])
    assert all(hasattr(ariba, name) for name in dir(ariba))
    with pytest.raises(AttributeError, match="has no attribute 'audits'"):
        _ = ariba.audits


def test_every_name_is_documented() -> None:
    for name in dir(ariba):
        if not name.startswith("__"):
            assert len(getattr(ariba, name).__doc__) > 40, name


def test_an_audit_imports_nothing_heavy() -> None:
    script = (
        f"import ariba_cli as ariba, sys; ariba.audit({str(ATTACKED)!r}, detectors=['krum', "
        "'mahalanobis']).to_json(); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=True
    )
    assert not {"torch", "scipy", "pyod", "pandas", "h5py"} & set(done.stdout.decode().split())


def test_the_report_is_that_of_the_command(ariba: Ariba) -> None:
    from ariba_cli import audit

    verdict = audit(str(ATTACKED), layers="conv2", k_est=4, detectors=["mahalanobis", "krum"])
    printed = json.loads(
        ariba(
            *("audit", ATTACKED, "--layer", "conv2", "--k-est", "4", "-f", "json"),
            *("--detector", "mahalanobis", "--detector", "krum"),
        ).stdout
    )
    content = verdict.to_dict()
    assert json.loads(verdict.to_json()) == content
    assert verdict.to_json().count(b"\n") > 100
    assert verdict.to_json(one_line=True).count(b"\n") == 1
    for part in ("result", "result_sha256", "words", "words_sha256", "schema_version"):
        assert content[part] == printed[part]
    assert content["run"].keys() == printed["run"].keys()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"k_est": 5}, {"k_est": "5"}),
        ({"level": 0.05}, {}),
        ({"k_est": "20%"}, {"detectors": "mahalanobis"}),
        ({"layers": "conv2"}, {"layers": ["conv2"]}),
        ({"detectors": "krum"}, {"detectors": {"krum": {}}}),
        ({"detectors": {"krum": {"f": 3}}}, {"detectors": "krum", "detector_arguments": {"f": 3}}),
        ({"exclude": "p03"}, {"exclude": ("p03",)}),
    ],
)
def test_plain_values_mean_the_same_however_they_are_written(
    one: dict[str, object], other: dict[str, object]
) -> None:
    first, second = (ariba.audit(ATTACKED, **given) for given in (one, other))  # type: ignore[arg-type]
    assert first.to_dict()["result_sha256"] == second.to_dict()["result_sha256"]


def test_updates_in_memory_are_scored_as_those_on_disk() -> None:
    sent, start = fixture_models()
    names = ["mahalanobis", "krum", "norm", "last-bias", "sign"]
    on_disk = ariba.audit(ATTACKED, detectors=names)
    in_memory = ariba.score(sent, global_model=start, detectors=names)
    assert in_memory.ranking == on_disk.ranking
    assert in_memory.detectors == on_disk.detectors
    # A manifest says what the order of the model is, and a safetensors file does not.
    assert {one.layer: one for one in in_memory.layers} == {
        one.layer: one for one in on_disk.layers
    }
    assert "round" not in in_memory.to_dict()["run"]


def test_a_saved_round_is_audited_as_what_was_saved(tmp_path: Path) -> None:
    sent, start = fixture_models()
    saved = ariba.save_round(tmp_path / "round", sent, global_model=start, number=7)
    assert saved.manifest is not None
    assert saved.manifest.round == 7
    found = ariba.audit(tmp_path / "round", verify_seal=True)
    assert found.findings == ()
    assert found.detectors == ariba.audit(ATTACKED).detectors
    with pytest.raises(OutputError):
        ariba.save_round(tmp_path / "round", sent)


def test_differences_are_saved_as_such(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    updates = {f"p{i}": {"w": draw.standard_normal((6, 4))} for i in range(5)}
    ariba.save_round(tmp_path / "round", updates, kind="difference")
    found = ariba.audit(tmp_path / "round", detectors="norm", k_est=1)
    assert found.ranking == ariba.score(updates, deltas=True, detectors="norm", k_est=1).ranking


def test_a_single_array_is_a_model() -> None:
    draw = np.random.default_rng(0)
    updates = {f"p{i}": draw.standard_normal((6, 4)).tolist() for i in range(5)}
    assert ariba.score(updates, k_est=1).method.layers == ("weight",)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"k_est": 0}, UsageError, "must be between"),
        ({"k_est": "many"}, UsageError, "must be a number or a percentage"),
        ({"layers": "conv9"}, UsageError, "did you mean"),
        ({"detectors": "krumm"}, UsageError, "did you mean 'krum'"),
        ({"detectors": ()}, UsageError, "detector"),
        ({"detectors": {"krum": {"g": 1}}}, UsageError, "takes no argument 'g'"),
        ({"exclude": "nobody"}, InputError, "cannot exclude 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_one_line(
    given: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        ariba.audit(ATTACKED, **given)  # type: ignore[arg-type]
    assert isinstance(caught.value, ariba.AribaError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k_est": "many"}, "k_est must be a number or a percentage, such as 10 or 20%"),
        ({"level": 2.0}, "level must be between 0 and 1"),
        ({"level": 0.1, "detectors": "krum"}, "use detectors='panel', or k_est instead of level"),
        ({"global_model": "nowhere"}, "'nowhere' does not exist; global_model names"),
        ({"detectors": "krum", "fit_sample": 9}, "only detectors='pyod:NAME' does"),
    ],
)
def test_an_error_names_arguments_and_not_options(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ariba.AribaError) as caught:
        ariba.audit(ATTACKED, **given)
    assert message in str(caught.value)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        ("try --fragment block:64", "try fragment='block:64'"),
        ("use --fragment row or block:D", "use fragment='row' or block:D"),
        ("try --detector-arg n_components=3 now", "try detector_arguments={'n_components': 3} now"),
        ("(ariba audit --list-detectors), or --layer", "(ariba audit --list-detectors), or layers"),
        ("more than --max-memory; allow more", "more than max_memory; allow more"),
    ],
)
def test_options_become_arguments(option: str, argument: str) -> None:
    assert arguments_for_options(option) == argument


def test_another_process_can_be_sent_a_function() -> None:
    assert pickle.loads(pickle.dumps(ariba.audit)) is ariba.audit


def test_a_round_that_is_not_there_is_an_error() -> None:
    for path in ("nowhere", "nowhere.h5"):
        with pytest.raises(ariba.AribaError, match="nowhere"):
            ariba.audit(path)
        with pytest.raises(ariba.AribaError, match="nowhere"):
            ariba.open_round(path)


def test_updates_that_cannot_be_used_are_findings() -> None:
    sent, _ = fixture_models()
    sent["p03"]["conv2.weight"][0, 0, 0, 0] = np.nan
    del sent["p04"]["conv2.weight"]
    found = ariba.score(sent, layers="conv2")
    assert {(one.kind.value, one.participant) for one in found.findings} == {
        ("nonfinite", "p03"),
        ("missing-layer", "p04"),
    }
    with pytest.raises(UsageError, match="cannot exclude 'nobody'"):
        ariba.score(sent, exclude="nobody")
    with pytest.raises(InputError, match="at least 3"):
        ariba.score({"p1": sent["p01"], "p2": sent["p02"]})


class Cells(HTMLParser):
    """The text of a table's cells."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.found.append(data)


def test_a_notebook_shows_a_table_without_what_others_wrote() -> None:
    sent, _ = fixture_models()
    sent["<script>"] = sent.pop("p15")
    verdict = ariba.score(sent, layers="conv2", k_est=2)
    page = verdict._repr_html_()
    assert "<script" not in page
    cells = Cells()
    cells.feed(page)
    assert "<script>" in cells.found
    assert repr(verdict).startswith("<Verdict: Suspects: p18, <script>.")


def test_a_frame_has_a_row_for_each_participant() -> None:
    pandas = pytest.importorskip("pandas")
    verdict = ariba.audit(ATTACKED, detectors=["mahalanobis", "krum"])
    frame = verdict.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["id"]) == [one.id for one in verdict.ranking]
    assert frame.loc[frame["id"] == "p15", "mahalanobis:conv1.weight"].item() == 0.875
    krum = {one.id: one.score for one in verdict.detectors[1].scores}
    assert dict(zip(frame["id"], frame["krum"], strict=True)) == krum


def test_a_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        ariba.audit(ATTACKED).to_frame()
