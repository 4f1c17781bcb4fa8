"""The JSON reports: the same everywhere, and as their schemas say."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ariba_cli.reports import audit_json, published
from ariba_cli.reports.canonical import rounded
from fixtures.make import GOLDEN
from tests.conftest import FIXTURES, Ariba, environment
from tests.models import write_flat_round
from tests.reports import printed, report_bytes


def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(published.schema(name))
    return content


def report(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(printed(name))
    return content


def golden_report(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIXTURES / "golden" / f"{name}.json").read_text())
    return content


@pytest.mark.parametrize("name", list(GOLDEN))
def test_results_are_the_golden_ones(name: str) -> None:
    found = report(name)
    golden = golden_report(name)
    assert {key: found[key] for key in golden} == golden


@pytest.mark.parametrize("name", list(GOLDEN))
def test_reports_are_as_their_schema_says(name: str) -> None:
    found = report(name)
    described = schema(name.split("-")[0])
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate(found, described)


def test_a_schema_forbids_what_it_does_not_know() -> None:
    found = report("audit-clean")
    found["result"]["method"]["more"] = 1
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        jsonschema.validate(found, schema("audit"))


def test_numbers_are_short_and_the_same_everywhere() -> None:
    for number, shown in [
        (1.0, "1"),
        (0.1234567, "0.123457"),
        (123456789.0, "123457000"),
        (1e150, "1e+150"),
        (1.3e-05, "1.3e-05"),
        (-0.0, "0"),
    ]:
        assert json.dumps(rounded(number)) == shown


def test_the_hash_is_of_the_canonical_result() -> None:
    found = report("audit-attacked-truth")
    canonical = json.dumps(found["result"], sort_keys=True, separators=(",", ":"))
    assert found["result_sha256"] == hashlib.sha256(canonical.encode("ascii")).hexdigest()


def test_the_result_has_no_sentences(ariba: Ariba, tmp_path: Path) -> None:
    root = write_flat_round(tmp_path / "flat", 5)
    shutil.copy(root / "p0.safetensors", root / "p9.safetensors")
    found = json.loads(ariba("audit", root, "--layer", "conv2", "-f", "json").stdout)
    jsonschema.validate(found, schema("audit"))
    kinds = [one["kind"] for one in found["result"]["findings"]]
    assert "duplicate" in kinds
    assert not any("detail" in one for one in found["result"]["findings"])
    assert len(found["words"]["findings"]) == len(kinds)
    assert found["words"]["headline"].startswith("Suspects: ")
    for sentence in (*found["words"]["findings"], found["words"]["coverage"]):
        assert sentence not in json.dumps(found["result"])


def test_another_wording_changes_the_hash_of_the_words_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = json.loads(report_bytes(FIXTURES / "attacked", layers=("conv2",)))
    canonical = json.dumps(before["words"], sort_keys=True, separators=(",", ":"))
    assert before["words_sha256"] == hashlib.sha256(canonical.encode("ascii")).hexdigest()
    monkeypatch.setattr(audit_json, "coverage_in_words", lambda _: "everything was examined")
    after = json.loads(report_bytes(FIXTURES / "attacked", layers=("conv2",)))
    assert after["words"]["coverage"] == "everything was examined"
    assert after["words_sha256"] != before["words_sha256"]
    assert (after["result"], after["result_sha256"]) == (before["result"], before["result_sha256"])


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("name", list(GOLDEN))
def test_the_hash_can_be_checked_with_jq(name: str) -> None:
    golden = FIXTURES / "golden" / f"{name}.json"
    command = f"jq -acS .result {golden} | tr -d '\n' | sha256sum | cut -c-64"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode().strip() == golden_report(name)["result_sha256"]


def test_the_bytes_are_plain_and_sorted() -> None:
    text = printed("audit-clean").decode("ascii")
    assert text.endswith("}\n")
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2) + "\n"


def test_a_reproducible_report_is_the_same_every_time(ariba: Ariba) -> None:
    command = ("audit", FIXTURES / "clean", "-f", "json")
    one, other = (ariba(*command, "--reproducible").stdout for _ in range(2))
    assert one == other
    assert json.loads(one)["run"]["started"] == "1970-01-01T00:00:00Z"
    for epoch, started in (("0", "1970-01-01T00:00:00Z"), ("86400", "1970-01-02T00:00:00Z")):
        found = json.loads(ariba(*command, SOURCE_DATE_EPOCH=epoch).stdout)
        assert (found["run"]["started"], found["run"]["seconds"]) == (started, 0.0)


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Nehalem"},
        {"OPENBLAS_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Haswell", "PYTHONHASHSEED": "1"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX"},
    ],
)
@pytest.mark.parametrize("name", ["audit-attacked", "audit-attacked-filter"])
def test_neither_blas_nor_threads_nor_processor_change_a_result(
    name: str, variables: dict[str, str]
) -> None:
    """An interpreter heeds them when it starts, so each has one of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "ariba_cli", *GOLDEN[name].split()],
        cwd=FIXTURES,
        env=environment(**variables),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["result_sha256"] == golden_report(name)["result_sha256"]
