"""Every format of updates: the same numbers give the same scores, whoever wrote them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats import FILE_FORMATS, FOLDER_FORMATS, open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.names import plain_name
from ariba_cli.verdicts.verdict import Verdict
from tests.models import random_model

Model = Mapping[str, npt.NDArray[np.floating]]

NAMES = tuple(random_model(0))


def write_safetensors(path: Path, model: Model) -> None:
    safetensors.numpy.save_file(dict(model), path)


def write_with_prefix(path: Path, model: Model) -> None:
    write_safetensors(path, {f"_orig_mod.module.{name}": one for name, one in model.items()})


def write_shards(path: Path, model: Model) -> None:
    path.mkdir()
    weight_map = {}
    for number, (name, values) in enumerate(model.items(), 1):
        shard = f"model-{number:05}-of-{len(model):05}.safetensors"
        write_safetensors(path / shard, {name: values})
        weight_map[name] = shard
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))


def write_folder(path: Path, model: Model) -> None:
    path.mkdir()
    write_safetensors(path / "weights", model)
    (path / "config.json").write_text("{}")


def write_hdf5(path: Path, model: Model, **how: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, values in model.items():
            file.create_dataset(name, data=values, **how)


def write_packed_hdf5(path: Path, model: Model) -> None:
    write_hdf5(path, model, chunks=True, compression="gzip", shuffle=True, fletcher32=True)


def write_compact_hdf5(path: Path, model: Model) -> None:
    with h5py.File(path, "w") as file:
        for name, values in model.items():
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple(values.shape)
            dataset = h5py.h5d.create(
                file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, dcpl=creation
            )
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))


def write_npz(path: Path, model: Model) -> None:
    with path.open("wb") as stream:
        np.savez(stream, **dict[str, Any](model))


def write_unnamed_npz(path: Path, model: Model) -> None:
    """As the example of saving checkpoints in Flower's documentation does."""
    with path.open("wb") as stream:
        np.savez(stream, *model.values())


def write_packed_npz(path: Path, model: Model) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, *model.values())


def write_column_order(path: Path, model: Model) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, *map(np.asfortranarray, model.values()))


def write_npy(path: Path, model: Model) -> None:
    with path.open("wb") as stream:
        np.save(stream, model["conv2.weight"])


# The format as it must be found, and how somebody writes one participant in it.
WRITERS: dict[str, tuple[str, Callable[[Path, Model], None]]] = {
    "safetensors": ("safetensors", write_safetensors),
    "prefix": ("safetensors", write_with_prefix),
    "shards": ("sharded-safetensors", write_shards),
    "folder": ("safetensors", write_folder),
    "hdf5": ("hdf5", write_hdf5),
    "hdf5-packed": ("hdf5", write_packed_hdf5),
    "hdf5-compact": ("hdf5", write_compact_hdf5),
    "npz": ("npz", write_npz),
    "npz-unnamed": ("npz", write_unnamed_npz),
    "npz-packed": ("npz", write_packed_npz),
    "npz-column-order": ("npz", write_column_order),
    "npy": ("npy", write_npy),
}


def models() -> dict[str, dict[str, npt.NDArray[np.float32]]]:
    scales = [20.0, 20.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    return {f"p{index}": random_model(index, scale) for index, scale in enumerate(scales)}


def scores(path: Path, **terms: Any) -> Verdict:
    round_ = open_round(path, ReadOptions(**terms))
    return audit(round_, AuditSettings(layers=("conv2",), k_est=KEst.parse(2)))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    root = tmp_path_factory.mktemp("ours")
    for name, model in models().items():
        write_safetensors(root / f"{name}.safetensors", model)
    return scores(root)


@pytest.mark.parametrize("writer", list(WRITERS))
def test_the_same_numbers_give_the_same_scores(
    tmp_path: Path, expected: Verdict, writer: str
) -> None:
    found_as, write = WRITERS[writer]
    (tmp_path / "round").mkdir()
    for name, model in models().items():
        write(tmp_path / "round" / name, model)
    names = ("conv2.weight",) if writer == "npy" else NAMES
    opened = open_model(tmp_path / "round" / "p3", ReadOptions(names=names))
    assert opened.format == found_as
    for name, values in opened.floats():
        np.testing.assert_array_equal(values, models()["p3"][plain_name(name)])
    found = scores(tmp_path / "round", names=names)
    assert (found.layers, found.detectors) == (expected.layers, expected.detectors)
    assert [one.tensor_sha256 for one in found.inputs] == [
        one.tensor_sha256 for one in expected.inputs
    ]
    convert(open_round(tmp_path / "round", ReadOptions(names=names)), tmp_path / "converted")
    converted = scores(tmp_path / "converted")
    assert (converted.layers, converted.detectors) == (expected.layers, expected.detectors)


def test_every_format_has_a_row() -> None:
    tested = {found_as for found_as, _ in WRITERS.values()}
    registered = {one.NAME for one in FILE_FORMATS} | {one.NAME for one in FOLDER_FORMATS}
    # Adapters and pickles have tests of their own: what is compared is not what is stored.
    assert tested == registered - {"peft", "pytorch"}


@pytest.mark.parametrize("layout", ["{}/{}", "participants/{}/{}"])
@pytest.mark.parametrize("as_path", ["directory", "file"])
def test_one_hdf5_file_holds_a_whole_round(
    tmp_path: Path, expected: Verdict, layout: str, as_path: str
) -> None:
    with h5py.File(tmp_path / "round.h5", "w") as file:
        for participant, model in models().items():
            for name, values in model.items():
                file[layout.format(participant, name)] = values
        file["global/conv2.weight"] = models()["p3"]["conv2.weight"]
    path = tmp_path if as_path == "directory" else tmp_path / "round.h5"
    read = scores(path)
    assert (read.layers, read.detectors) == (expected.layers, expected.detectors)
    found = open_round(path).global_model
    assert found is not None
    assert found.group == "global"


def test_what_is_no_group_in_the_file_of_a_round_hides_no_other(
    tmp_path: Path, expected: Verdict
) -> None:
    with h5py.File(tmp_path / "round.h5", "w") as file:
        for participant, model in models().items():
            for name, values in model.items():
                file[f"{participant}/{name}"] = values
        file["q0"] = h5py.SoftLink("/p0")
        file["q1"] = h5py.ExternalLink("other.h5", "/p1")
        file["q2"] = np.zeros(3)
        file["q3" * 600 + "/conv2.weight"] = np.zeros(3)
        file["q4/conv2.weight"] = h5py.SoftLink("/p0/conv2.weight")
    found = scores(tmp_path)
    assert (found.layers, found.detectors) == (expected.layers, expected.detectors)
    reasons = [finding.detail for finding in found.findings if finding.participant is not None]
    assert len(reasons) == 5
    for reason, words in zip(
        reasons,
        [
            "a link at 'q0'",
            "a link at 'q1'",
            "has a dataset instead of a group at 'q2'",
            "1,200 characters",
            "a link at",
        ],
        strict=True,
    ):
        assert words in reason


@pytest.mark.parametrize(
    ("names", "reason"),
    [(NAMES[:2], "3 arrays, but 2 names"), ((*NAMES, "more"), "3 arrays, but 4 names")],
)
def test_names_must_be_as_many_as_arrays(
    tmp_path: Path, names: tuple[str, ...], reason: str
) -> None:
    write_unnamed_npz(tmp_path / "p0", random_model(0))
    with pytest.raises(RefusedFileError, match=reason):
        open_model(tmp_path / "p0", ReadOptions(names=names))
    assert list(open_model(tmp_path / "p0", ReadOptions()).tensors) == ["arr_0", "arr_1", "arr_2"]


def test_arrays_that_have_names_keep_them(tmp_path: Path) -> None:
    write_npz(tmp_path / "p0", random_model(0))
    assert set(open_model(tmp_path / "p0", ReadOptions(names=("a", "b", "c"))).tensors) == set(
        NAMES
    )
