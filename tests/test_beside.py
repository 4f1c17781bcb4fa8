"""Files beside weights that cannot be scored are listed, and the rest is scored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.findings import FindingKind
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from tests.conftest import Ariba
from tests.models import random_model, safetensors_bytes, write_flat_round

TABLE = np.array([(1, 2.0)], dtype=[("epoch", "i4"), ("loss", "f8")])


def hdf5(path: Path, seed: int, *, weights: bool = True) -> set[str]:
    """Keras and others keep strings, tables and empty places beside datasets."""
    with h5py.File(path, "w") as file:
        for name, values in random_model(seed).items() if weights else ():
            file[f"model/{name}"] = values
        file["log/table"] = TABLE
        file["log/text"] = "a string"
        file["log/names"] = np.array([b"a", b"b"])
        file["log/z"] = np.ones(2, np.complex64)
        file["log/nothing"] = h5py.Empty("f4")
        file["log/big"] = np.ones(2, ">f4")
    return {f"log/{name}" for name in ("table", "text", "names", "z", "nothing", "big")}


def npz(path: Path, seed: int, *, weights: bool = True) -> set[str]:
    odd = {
        "text": np.array(["a"]),
        "z": np.ones(2, np.complex128),
        "when": np.array(["2020-01-01"], dtype="M8[ns]"),
        "big": np.ones(2, ">f8"),
        "objects": np.array([None], dtype=object),
    }
    with path.open("wb") as stream:
        arrays: dict[str, Any] = {**(random_model(seed) if weights else {}), **odd}
        np.savez(stream, **arrays)
    return set(odd)


def safetensors(path: Path, seed: int, *, weights: bool = True) -> set[str]:
    odd = {"z": ("C64", [2], 16), "scale": ("F8_E8M0", [3], 3), "packed": ("F4", [4, 4], 8)}
    header: dict[str, object] = {}
    data = b""
    for name, values in random_model(seed).items() if weights else ():
        offsets = [len(data), len(data) + values.nbytes]
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": offsets}
        data += values.tobytes()
    for name, (dtype, shape, size) in odd.items():
        offsets = [len(data), len(data) + size]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += bytes(size)
    path.write_bytes(safetensors_bytes(header, data))
    return set(odd)


FORMATS: list[Callable[..., set[str]]] = [hdf5, npz, safetensors]


@pytest.mark.parametrize("write", FORMATS)
def test_what_cannot_be_scored_is_listed(tmp_path: Path, write: Callable[..., set[str]]) -> None:
    odd = write(tmp_path / "m", 3)
    model = open_model(tmp_path / "m", ReadOptions())
    assert set(model.skipped) == odd
    assert all(what.isprintable() for what in model.skipped.values())
    values = {name.removeprefix("model/"): bytes(model.read(name)) for name in model.tensors}
    assert values == {name: one.tobytes() for name, one in random_model(3).items()}


def test_what_cannot_be_scored_in_shards_is_listed_too(tmp_path: Path) -> None:
    odd = safetensors(tmp_path / "m-1.safetensors", 3)
    index = {"weight_map": dict.fromkeys([*random_model(3), *odd], "m-1.safetensors")}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    model = open_model(tmp_path, ReadOptions())
    assert set(model.skipped) == odd
    assert set(model.tensors) == set(random_model(3))


@pytest.mark.parametrize("write", FORMATS)
def test_where_nothing_is_left_the_file_is_refused(
    tmp_path: Path, write: Callable[..., set[str]]
) -> None:
    write(tmp_path / "m", 3, weights=False)
    with pytest.raises(RefusedFileError, match=r"which weights cannot be|can be scored"):
        open_model(tmp_path / "m", ReadOptions())


@pytest.mark.parametrize("write", FORMATS)
def test_the_finding_names_all_who_hold_the_same(
    tmp_path: Path, ariba: Ariba, write: Callable[..., set[str]]
) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for seed in range(6):
        write(root / f"q{seed}", seed)
    found = [one for one in inspect_round(open_round(root)).findings if one.kind == "not-scored"]
    assert [one.group for one in found] == [tuple(f"q{seed}" for seed in range(6))]
    done = ariba("audit", root, "-f", "json")
    (own,) = [
        one for one in json.loads(done.stdout)["result"]["findings"] if one["kind"] == "not-scored"
    ]
    assert len(own["group"]) == 6
    assert len(json.loads(done.stdout)["result"]["ranking"]) == 6
    assert own["facts"] == {"entries": len(write(tmp_path / "m", 0))}
    converted = convert(open_round(root), tmp_path / "out")
    assert [one.kind for one in converted.findings] == ["not-scored"]
    assert inspect_round(open_round(tmp_path / "out")).findings == ()


def test_one_who_holds_more_is_named(tmp_path: Path) -> None:
    root = write_flat_round(tmp_path / "in", 6)
    npz(root / "p6", 6)
    (found,) = [one for one in inspect_round(open_round(root)).findings if one.kind == "not-scored"]
    assert (found.kind, found.participant) == (FindingKind.NOT_SCORED, "p6")
    assert found.detail.startswith("also holds text (<U1), z (<c16), when (<M8[ns]), big (>f8), ob")


@pytest.mark.parametrize("descr", ["|V2", "<V2"])
def test_two_bytes_without_a_type_are_bfloat16(tmp_path: Path, descr: str) -> None:
    """So Keras writes them into HDF5, and NumPy into its files."""
    values = np.array([1.5, -2.0, 3.0], np.float32)
    half = (values.view(np.uint32) >> 16).astype(np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["w"] = half.view("V2")
        file["packed"] = file.create_dataset(
            "chunks", data=half.view("V2"), chunks=(2,), compression="gzip"
        )
    np.savez(tmp_path / "a.npz", w=half.view("V2"))
    np.save(tmp_path / "a.npy", half.view("V2"))
    data = (tmp_path / "a.npy").read_bytes().replace(b"|V2", descr.encode())
    (tmp_path / "a.npy").write_bytes(data)
    for name, tensor in (("h5", "w"), ("h5", "packed"), ("npz", "w"), ("npy", "arr_0")):
        model = open_model(tmp_path / f"a.{name}", ReadOptions())
        assert model.tensors[tensor].spec.dtype == "BF16"
        assert dict(model.floats())[tensor].tolist() == values.tolist()


def test_a_type_that_nobody_knows_is_still_refused(tmp_path: Path) -> None:
    for dtype, size in (("X9", 4), ("F4", 5), ("", 0)):
        entry = {"dtype": dtype, "shape": [4], "data_offsets": [0, size]}
        (tmp_path / "m").write_bytes(safetensors_bytes({"w": entry}, bytes(size)))
        with pytest.raises(RefusedFileError):
            open_model(tmp_path / "m", ReadOptions())
