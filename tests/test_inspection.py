"""The findings of `inspect` in rounds that are whole, spoiled or hostile."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import InspectedRound, inspect_file, inspect_round
from tests.conftest import FIXTURES
from tests.models import random_model, safetensors_bytes, write_flat_round, write_model


def inspect(root: Path) -> InspectedRound:
    return inspect_round(open_round(root))


def kinds(found: InspectedRound) -> list[tuple[str, str | None]]:
    return [(finding.kind, finding.participant) for finding in found.findings]


def test_norms_are_those_of_the_updates() -> None:
    from safetensors.numpy import load_file

    found = inspect(FIXTURES / "attacked")
    assert (found.seal, found.norm_of) == ("intact", "update")
    start = load_file(FIXTURES / "attacked" / "global.safetensors")
    for participant in found.participants:
        sent = load_file(FIXTURES / "attacked" / participant.path)
        moved = [(sent[name].astype(np.float64) - start[name]).ravel() for name in sent]
        assert participant.norm == pytest.approx(np.linalg.norm(np.concatenate(moved)))


def test_without_a_global_model_they_are_those_of_the_values(tmp_path: Path) -> None:
    found = inspect(write_flat_round(tmp_path, 3))
    assert (found.seal, found.norm_of, found.has_global) == ("none", "values", False)
    values = np.concatenate([v.ravel() for v in random_model(2).values()]).astype(np.float64)
    assert found.participants[2].norm == pytest.approx(np.linalg.norm(values))


def test_a_flipped_bit_breaks_the_seal(attacked: Path) -> None:
    for name, who in (("participants/p07", "p07"), ("global", None)):
        path = attacked / f"{name}.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        assert ("seal-broken", who) in kinds(inspect(attacked))
    assert inspect(attacked).seal == "broken"


def test_the_seal_is_checked_on_files_that_are_no_models(attacked: Path) -> None:
    truth = attacked / "truth.json"
    truth.write_text(truth.read_text().replace('"p15"', '"p14"'))
    found = inspect(attacked)
    assert (found.seal, kinds(found)) == ("broken", [("seal-broken", None)])


def test_the_seal_is_checked_on_files_that_are_refused(attacked: Path) -> None:
    path = attacked / "participants" / "p03.safetensors"
    path.write_bytes(b"x" * path.stat().st_size)
    found = inspect(attacked)
    assert found.seal == "broken"
    assert kinds(found) == [("seal-broken", "p03"), ("refused", "p03")]


def test_what_cannot_be_read_is_a_finding(attacked: Path) -> None:
    (attacked / "participants" / "p02.safetensors").write_bytes(b"")
    (attacked / "global.safetensors").write_bytes(b"")
    found = inspect(attacked)
    assert ("refused", "p02") in kinds(found)
    assert ("refused", None) in kinds(found)
    assert found.norm_of == "values"
    by_id = {participant.id: participant for participant in found.participants}
    assert by_id["p02"].norm is None


@pytest.mark.parametrize("bits", [0x7FA00000, 0x7F800000, 0x7FC00000])
def test_values_that_are_no_numbers_have_no_norm_and_no_warning(tmp_path: Path, bits: int) -> None:
    write_flat_round(tmp_path, 3)
    model = random_model(1)
    model["conv2.weight"].view(np.uint32)[0, 0, 0, 0] = bits
    write_model(tmp_path / "p1.safetensors", model)
    write_model(tmp_path / "global.safetensors", model)
    found = inspect(tmp_path)
    assert ("nonfinite", "p1") in kinds(found)
    layers = {layer.name: layer.norm for layer in inspect_file(tmp_path / "p1.safetensors").layers}
    assert layers["conv2.weight"] is None
    assert layers["conv1.weight"] is not None


def test_a_sparse_file_larger_than_memory_is_refused(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    size = 100 * 10**9
    header = {"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    path = tmp_path / "p9.safetensors"
    path.write_bytes(safetensors_bytes(header))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + size)
    assert ("refused", "p9") in kinds(inspect(tmp_path))


def test_a_file_of_holes_takes_no_memory(tmp_path: Path) -> None:
    size = 2**27
    header = {"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    path = tmp_path / "p9.safetensors"
    path.write_bytes(safetensors_bytes(header))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + size)
    tracemalloc.start()
    try:
        found = inspect_file(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.layers[0].norm == 0
    assert most < 2**24
