"""Any directory of updates into a sealed round; PyTorch files only when they are trusted."""

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.base.errors import InputError, OutputError
from ariba_cli.base.ids import file_stem
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model


class RunsCode:
    """A pickle that harms the one who opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.fspath(self.path),)


def test_every_bit_is_kept_and_sealed(tmp_path: Path) -> None:
    source = tmp_path / "round_0042"
    model = {**random_model(1), "steps": np.array([3, 4]), "half": np.ones(3, "f2")}
    for name in ("p0", "p1", "global"):
        write_model(source / f"{name}.h5", model, "hdf5")
    done = convert(open_round(source), tmp_path / "out")
    assert (done.participants, done.refused) == (("p0", "p1"), ())
    found = inspect_round(open_round(tmp_path / "out"))
    assert (found.seal, found.round, found.kind) == ("intact", 42, "weights")
    assert found.has_global
    opened = open_model(tmp_path / "out" / "participants" / "p1.safetensors", ReadOptions())
    assert {name: one.spec.dtype for name, one in opened.tensors.items()} == {
        **dict.fromkeys(random_model(1), "F32"),
        "steps": "I64",
        "half": "F16",
    }
    for name, values in model.items():
        assert bytes(opened.read(name)) == values.tobytes()


def test_the_record_says_where_it_all_comes_from(tmp_path: Path) -> None:
    write_flat_round(tmp_path / "in", 2)
    (tmp_path / "in" / "p9.safetensors").write_bytes(b"no model")
    done = convert(open_round(tmp_path / "in"), tmp_path / "out")
    assert [finding.participant for finding in done.refused] == ["p9"]
    record = json.loads((tmp_path / "out" / "conversion.json").read_text())["models"]
    data = (tmp_path / "in" / "p1.safetensors").read_bytes()
    assert record[1]["files"] == [
        {
            "name": "p1.safetensors",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    ]
    assert "format that ariba does not know" in record[2]["refused"]
    with pytest.raises(InputError, match=r"p9.safetensors.*ariba does not know"):
        convert(open_round(tmp_path / "in"), tmp_path / "strict", strict=True)
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


def test_a_round_of_our_own_stays_what_it_is(tmp_path: Path) -> None:
    convert(open_round(FIXTURES / "attacked"), tmp_path / "out")
    found = inspect_round(open_round(tmp_path / "out"))
    assert (found.seal, found.round, len(found.participants)) == ("intact", 60, 20)
    truth = (FIXTURES / "attacked" / "truth.json").read_bytes()
    assert (tmp_path / "out" / "truth.json").read_bytes() == truth
    layers = [layer.name for layer in found.layers]
    assert layers == [layer.name for layer in inspect_round(open_round(FIXTURES / "clean")).layers]


@pytest.mark.parametrize(
    ("identifier", "stem"),
    [
        ("p00", "p00"),
        ("p.1-b_c", "p.1-b_c"),
        ("..", "%2E."),
        ("a/b", "a%2Fb"),
        ("-rf", "-rf"),
        ("ü\n", "%C3%BC%0A"),
        ("\udcff", "%FF"),
        ("x" * 300, hashlib.sha256(b"x" * 300).hexdigest()),
    ],
)
def test_ids_never_become_paths(identifier: str, stem: str) -> None:
    assert file_stem(identifier) == stem


def test_nothing_is_left_when_nothing_can_be_converted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p0").write_bytes(b"no model")
    with pytest.raises(InputError, match="no update that can be converted: p0 is in a format"):
        convert(open_round(tmp_path / "in"), tmp_path / "out")
    with pytest.raises(OutputError, match="exists"):
        convert(open_round(FIXTURES / "clean"), tmp_path / "in")
    assert os.listdir(tmp_path) == ["in"]


def test_pytorch_files_are_read_when_they_are_trusted(tmp_path: Path, ariba: Ariba) -> None:
    import torch

    source = tmp_path / "round_7"
    source.mkdir()
    state = {name: torch.from_numpy(values) for name, values in random_model(3).items()}
    state["half"] = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    torch.save(state, source / "model_1.pt")
    torch.save(state, source / "p2.bin", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": state, "epoch": 3}, source / "p3.pth")
    torch.save({"model": state, "train_conf": {}, "meta_props": {}}, source / "FL_global_model.pt")
    torch.save({"w": RunsCode(tmp_path / "canary")}, source / "p4.pt")
    (source / "p5.pkl").write_bytes(pickle.dumps(RunsCode(tmp_path / "canary")))
    torch.save({"w": torch.ones(1).expand(10**12)}, source / "p6.pt")
    torch.save({"w": 3}, source / "p7.pt")
    torch.save(["no tensor"], source / "p8.pt")

    refused = ariba("convert", source, "--out", "no")
    assert refused.returncode == 2
    assert b"--trust-pickles" in refused.stderr
    done = ariba(
        *("convert", source, "--out", "out", "--trust-pickles"),
        *("--global", source / "FL_global_model.pt"),
    )
    assert (done.returncode, done.stdout) == (0, b"out\n")
    said = done.stderr.decode()
    for line in (
        "p4: holds no tensors that can be scored, only w: posix.mkdir",
        "p5: holds no tensors that can be scored, only posix.mkdir",
        "p6: would expand to 4,000,000,000,000 bytes",
        "p7: holds no tensors that can be scored, only w: int",
        "p8: holds no tensors that can be scored, only 0: str",
        "not-scored: p3: also holds epoch (int)",
        "3 converted, 5 refused",
    ):
        assert line in said
    assert not (tmp_path / "canary").exists()
    found = inspect_round(open_round(tmp_path / "out"))
    assert [one.id for one in found.participants] == ["model_1", "p2", "p3"]
    assert (found.seal, found.has_global, found.norm_of) == ("intact", True, "update")
    assert [one.norm for one in found.participants] == [0.0, 0.0, 0.0]
    opened = open_model(tmp_path / "out" / "participants" / "p2.safetensors", ReadOptions())
    values = dict(opened.floats())
    assert values.pop("half").tolist() == [1.5, -2.0]
    for name, expected in random_model(3).items():
        np.testing.assert_array_equal(values[name], expected)
