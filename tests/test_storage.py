"""The same numbers give the same report, however they are stored: but for the files themselves."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.reports.audit_json import audit_result
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES

Tensors = dict[str, Any]


def _hdf5(**how: Any) -> Callable[[Path, Tensors], None]:
    def write(path: Path, tensors: Tensors) -> None:
        import h5py

        with h5py.File(path.with_suffix(".h5"), "w") as file:
            for name, values in tensors.items():
                file.create_dataset(name, data=values, **how)

    return write


def _npz(path: Path, tensors: Tensors) -> None:
    np.savez(path.with_suffix(".npz"), **tensors)


def _npz_by_column(path: Path, tensors: Tensors) -> None:
    _npz(path, {name: np.asfortranarray(values) for name, values in tensors.items()})


def _npz_deflated(path: Path, tensors: Tensors) -> None:
    np.savez_compressed(path.with_suffix(".npz"), **tensors)


def _double(path: Path, tensors: Tensors) -> None:
    wide = {name: values.astype(np.float64) for name, values in tensors.items()}
    save_file(wide, path.with_suffix(".safetensors"))


WRITERS: dict[str, Callable[[Path, Tensors], None]] = {
    "hdf5": _hdf5(),
    "gzip": _hdf5(compression=4, chunks=True, shuffle=True, fletcher32=True),
    "npz": _npz,
    "npz by column": _npz_by_column,
    "npz deflated": _npz_deflated,
    "float64": _double,
}


def result_of(root: Path) -> dict[str, Any]:
    """Return the content of a report, without its statements on the files."""
    result = audit_result(audit(open_round(root), AuditSettings()))
    assert result.pop("inputs")
    return result


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_numbers_give_the_same_report(tmp_path: Path, name: str) -> None:
    (tmp_path / "as_is").mkdir()
    (tmp_path / "stored").mkdir()
    for path in sorted((FIXTURES / "attacked" / "participants").iterdir()):
        shutil.copy(path, tmp_path / "as_is")
        WRITERS[name](tmp_path / "stored" / path.stem, load_file(path))
    expected, found = result_of(tmp_path / "as_is"), result_of(tmp_path / "stored")
    if name == "float64":
        # The bytes that were scored are others, though the numbers are not.
        for layer in (*expected["layers"], *found["layers"]):
            assert layer.pop("tensor_sha256")
    assert found == expected
