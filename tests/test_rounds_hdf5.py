"""The strict reading of HDF5 files: nothing outside the file, nothing larger than it."""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from tests.models import random_model, write_model


def external_storage(file: h5py.File) -> None:
    file.create_dataset("w", (4,), "<f4", external=[("/etc/hostname", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", shape=(4,))
    file.create_virtual_dataset("w", layout)


def soft_link(file: h5py.File) -> None:
    file["w"] = h5py.SoftLink("/nowhere")


def external_link(file: h5py.File) -> None:
    file["w"] = h5py.ExternalLink("other.h5", "/w")


def strings(file: h5py.File) -> None:
    file.create_dataset("w", data=["text"])


def big_endian(file: h5py.File) -> None:
    file.create_dataset("w", data=np.zeros(4, ">f4"))


def bomb(file: h5py.File) -> None:
    """200 GB that nobody has written."""
    file.create_dataset("w", (50 * 10**9,), "<f4")


def growing(file: h5py.File) -> None:
    """The library crashes where such a size and what is there do not fit."""
    file.create_dataset("w", data=np.zeros((2, 3), "<f4"), maxshape=(None, 9), chunks=(1, 3))


def shared_bytes(file: h5py.File) -> None:
    """One dataset under many names: small to send, and large to read."""
    file["w"] = np.zeros(100, "<f4")
    for index in range(50):
        file[f"w{index}"] = file["w"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (shared_bytes, "overlap"),
        (growing, "declared to grow to another size"),
        (external_storage, "in another file"),
        (virtual, "from other datasets"),
        (soft_link, "holds a link"),
        (external_link, "holds a link"),
        (strings, "which weights cannot be"),
        (big_endian, "which weights cannot be"),
        (bomb, "truncated"),
    ],
)
def test_what_is_not_allowed_is_refused(
    tmp_path: Path, make: Callable[[h5py.File], None], reason: str
) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(RefusedFileError, match=reason):
        open_model(path, ReadOptions())


def test_a_file_by_the_plain_library_is_read(tmp_path: Path) -> None:
    model = random_model(2)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for name, values in model.items():
            file[name] = values
    for name, values in open_model(tmp_path / "m.h5", ReadOptions()).floats():
        np.testing.assert_array_equal(values, model[name])


def test_truncation_is_refused(tmp_path: Path) -> None:
    terms = ReadOptions()
    write_model(tmp_path / "m.h5", random_model(3), "hdf5")
    data = (tmp_path / "m.h5").read_bytes()
    for length in range(8, len(data), 97):
        (tmp_path / "m.h5").write_bytes(data[:length])
        with pytest.raises(RefusedFileError):
            open_model(tmp_path / "m.h5", terms)


def test_our_files_are_plain_hdf5(tmp_path: Path) -> None:
    model = random_model(4)
    write_model(tmp_path / "m.h5", model, "hdf5")
    with h5py.File(io.BytesIO((tmp_path / "m.h5").read_bytes())) as file:
        assert sorted(file) == sorted(model)
        np.testing.assert_array_equal(file["conv2.weight"][()], model["conv2.weight"])


def test_rows_of_nothing_do_no_harm_to_the_next_file(tmp_path: Path) -> None:
    terms = ReadOptions()
    for name, shape in {"m.h5": (4, 0), "endless.h5": (2**50, 0), "next.h5": (3,)}.items():
        with h5py.File(tmp_path / name, "w") as file:
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple(shape)
            h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, creation)
        [(_, values)] = open_model(tmp_path / name, terms).floats()
        assert values.shape == shape
