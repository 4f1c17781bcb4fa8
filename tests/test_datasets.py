"""Data sets: every form is read as it is written, and what is not sound is refused in one line."""

import gzip
import io
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.federated.datasets import DATASETS, Dataset, load_dataset
from tests.conftest import DATA, environment, needs_data
from tests.dataset_rows import SOURCES, TEST_LABELS
from tests.image_sets import (
    COLOUR,
    GREY,
    Set,
    Write,
    arrays,
    idx,
    images,
    records,
    save,
    write_arrays,
    write_cifar_binary,
    write_cifar_pickles,
    write_cifar_pickles_of_long_ago,
    write_idx,
)

FORMS = [(name, form) for name, row in SOURCES.items() for form in row.forms]
BAD = [(name, bad) for name, row in SOURCES.items() for bad in row.bad]


def refused(name: str, data_dir: Path | None) -> str:
    """Return the message when a set is not loaded: one line."""
    with pytest.raises(InputError) as caught:
        load_dataset(name, data_dir)
    message = str(caught.value)
    assert "\n" not in message
    return message


def loaded(name: str, data_dir: Path) -> Dataset:
    if name == "digits":
        return load_dataset(name)
    SOURCES[name].write(data_dir)
    return load_dataset(name, data_dir)


def check_content(dataset: Dataset, content: Set) -> None:
    expected = (content[0] / np.float32(255), content[1], content[2] / np.float32(255), content[3])
    found = (
        dataset.train_images,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
    )
    for found_part, expected_part in zip(found, expected, strict=True):
        np.testing.assert_array_equal(found_part, expected_part)


def test_the_table_covers_all_sources_that_read_files() -> None:
    assert set(SOURCES) == {name for name, source in DATASETS.items() if source.from_files}


@pytest.mark.parametrize("name", list(DATASETS))
def test_data_sets_are_images_with_labels(name: str, tmp_path: Path) -> None:
    dataset = loaded(name, tmp_path)
    assert dataset.name == name
    for pixels, labels in (
        (dataset.train_images, dataset.train_labels),
        (dataset.test_images, dataset.test_labels),
    ):
        assert pixels.ndim == 4
        assert pixels.dtype == np.float32
        assert labels.dtype == np.int64
        assert pixels.flags.c_contiguous
        assert (pixels.min(), pixels.max()) == (0.0, 1.0)
        assert sorted(set(labels.tolist())) == list(range(dataset.classes))


def test_digits_are_all_there_and_in_one_set_only() -> None:
    dataset = load_dataset("digits")
    assert len(dataset.train_labels) + len(dataset.test_labels) == 1797
    train = {image.tobytes() for image in dataset.train_images}
    assert not train & {image.tobytes() for image in dataset.test_images}


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_what_was_written_is_read(name: str, form: str, tmp_path: Path) -> None:
    SOURCES[name].forms[form](tmp_path)
    check_content(load_dataset(name, tmp_path), SOURCES[name].content)


def test_images_without_channels_get_one(tmp_path: Path) -> None:
    save(tmp_path / "all.npz", arrays(GREY, lambda pixels: pixels[:, 0]))
    check_content(load_dataset("arrays", tmp_path), GREY)


def test_one_training_batch_is_enough(tmp_path: Path) -> None:
    (tmp_path / "data_batch_3.bin").write_bytes(records(*COLOUR[:2]))
    (tmp_path / "test_batch.bin").write_bytes(records(*COLOUR[2:]))
    check_content(load_dataset("cifar10", tmp_path), COLOUR)


@pytest.mark.parametrize("name", list(SOURCES))
def test_the_folder_of_that_name_comes_first(name: str, tmp_path: Path) -> None:
    own = tmp_path / name
    own.mkdir()
    SOURCES[name].write(own)
    for path in own.iterdir():
        (tmp_path / path.name).write_bytes(b"of another set")
    check_content(load_dataset(name, tmp_path), SOURCES[name].content)


@pytest.mark.parametrize("parent", [".", "cifar10"])
@pytest.mark.parametrize(
    ("folder", "write"),
    [
        ("cifar-10-batches-bin", write_cifar_binary),
        ("cifar-10-batches-py", write_cifar_pickles(2)),
    ],
)
def test_cifar_is_found_in_the_folder_of_its_archive(
    parent: str, folder: str, write: Write, tmp_path: Path
) -> None:
    place = tmp_path / parent / folder
    place.mkdir(parents=True)
    write(place)
    check_content(load_dataset("cifar10", tmp_path), COLOUR)


def test_files_may_be_linked_to(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "mnist").mkdir()
    for path in tmp_path.glob("*.gz"):
        (tmp_path / "mnist" / path.name).symlink_to(path)
    check_content(load_dataset("mnist", tmp_path), GREY)


@pytest.mark.parametrize(
    ("name", "lacking", "place"),
    [
        ("mnist", "train-images-idx3-ubyte.gz, train-labels", "ossci-datasets.s3.amazonaws.com/"),
        ("fashion-mnist", "t10k-labels-idx1-ubyte.gz", "fashion-mnist.s3-website.eu-central-1."),
        ("cifar10", "data_batch_1.bin, test_batch.bin", "~kriz/cifar-10-binary.tar.gz"),
        ("arrays", ".npz", "--data-dir names another folder"),
    ],
)
def test_missing_files_are_named_with_where_they_are(
    name: str, lacking: str, place: str, tmp_path: Path
) -> None:
    for data_dir in (tmp_path, tmp_path / "none"):
        message = refused(name, data_dir)
        assert f"'{data_dir}'" in message
        assert lacking in message
        assert place in message
        assert ("--download" in message) == (name != "arrays")
    assert "--data-dir" in refused(name, None)


def test_only_what_is_missing_is_named(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / f"{TEST_LABELS}.gz").unlink()
    assert f"lacks {TEST_LABELS}.gz of" in refused("mnist", tmp_path)
    write_cifar_binary(tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    assert "lacks test_batch.bin of" in refused("cifar10", tmp_path)
    np.savez(tmp_path / "some.npz", x_train=COLOUR[0], y_test=COLOUR[3])
    assert "has y_train, x_test" in refused("arrays", tmp_path)


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_what_is_not_sound_is_refused(
    name: str, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    SOURCES[name].write(folder)
    case = SOURCES[name].bad[bad]
    case.spoil(folder)
    message = refused(name, tmp_path)
    assert message.startswith(f"'{folder / case.file}' ")
    assert case.reason in message
    assert not (tmp_path / "canary").exists()


def no_folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [no_folder, os.mkfifo, loop, nowhere])
@pytest.mark.parametrize("name", list(SOURCES))
def test_what_is_no_file_is_refused_at_once(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    SOURCES[name].write(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        path.unlink()
        make(path)
        assert refused(name, tmp_path).startswith(f"'{path}' ")
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(data)


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_data_folder_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    for make in (os.mkfifo, loop):
        path = tmp_path / make.__name__
        make(path)
        assert f"'{path}'" in refused(name, path)


@pytest.mark.parametrize(
    ("name", "file"),
    [("mnist", f"{TEST_LABELS}.gz"), ("arrays", "all.npz"), ("cifar10", "test_batch")],
)
def test_no_part_of_a_file_passes_for_the_whole(name: str, file: str, tmp_path: Path) -> None:
    if name == "arrays":
        save(tmp_path / file, arrays(images(1, 4, 4)), packed=True)
    else:
        write = write_idx if name == "mnist" else write_cifar_pickles_of_long_ago
        write(tmp_path)
    data = (tmp_path / file).read_bytes()
    ends = {*range(0, len(data), len(data) // 200 + 1), *range(len(data) - 20, len(data))}
    for end in sorted(ends):
        (tmp_path / file).write_bytes(data[:end])
        assert f"'{tmp_path / file}' " in refused(name, tmp_path), end


def test_a_bomb_is_not_unpacked_beyond_what_it_promises(tmp_path: Path) -> None:
    write_idx(tmp_path)
    bomb = gzip.compress(idx(GREY[3]) + bytes(2**27), 1)
    (tmp_path / f"{TEST_LABELS}.gz").write_bytes(bomb)
    del bomb
    tracemalloc.start()
    try:
        assert "goes on after the 10 bytes" in refused("mnist", tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_an_array_that_declares_terabytes_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (2**22, 2**10, 2**10)}
    )
    write_arrays(tmp_path)
    with zipfile.ZipFile(tmp_path / "train.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", header.getvalue())
    assert "declares" in refused("arrays", tmp_path)


def test_an_unknown_set_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="use one of digits, mnist, fashion-mnist, cifar10, arr"):
        load_dataset("imagenet", tmp_path)


def test_the_fingerprint_is_of_shapes_and_values(tmp_path: Path) -> None:
    dataset = loaded("mnist", tmp_path)
    other_pixel = dataset.test_images.copy()
    other_pixel[-1, 0, -1, -1] += 0.5
    other_label = dataset.train_labels.copy()
    other_label[0] += 1
    variants = [
        dataset,
        replace(dataset, test_images=other_pixel),
        replace(dataset, train_labels=other_label),
        replace(dataset, train_images=dataset.train_images.reshape(20, 1, 6, 4)),
    ]
    assert len({one.fingerprint for one in variants}) == len(variants)
    assert load_dataset("fashion-mnist", tmp_path).fingerprint == dataset.fingerprint
    strided = np.asfortranarray(dataset.train_images)
    assert replace(dataset, train_images=strided).fingerprint == dataset.fingerprint


def test_nothing_heavy_is_imported_for_files(tmp_path: Path) -> None:
    write_idx(tmp_path)
    script = (
        "import sys; from pathlib import Path; import ariba_cli.federated.datasets.download\n"
        "from ariba_cli.federated.datasets import load_dataset\n"
        f"load_dataset('mnist', Path({str(tmp_path)!r}))\n"
        "print({'pooch', 'requests', 'sklearn', 'torch', 'h5py', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=True
    )
    assert done.stdout == b"set()\n"


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(
    ("name", "train", "shape", "first"),
    [
        ("mnist", 60_000, (1, 28, 28), [5, 0, 4, 1, 9]),
        ("fashion-mnist", 60_000, (1, 28, 28), [9, 0, 0, 3, 0]),
        # All of it, or a part.
        ("cifar10", None, (3, 32, 32), None),
    ],
)
def test_published_sets_are_read(
    name: str, train: int | None, shape: tuple[int, ...], first: list[int] | None
) -> None:
    dataset = load_dataset(name, DATA)
    assert dataset.train_images.shape[1:] == shape
    assert train is None or len(dataset.train_images) == train
    assert dataset.test_images.shape == (10_000, *shape)
    assert (dataset.train_images.min(), dataset.train_images.max()) == (0.0, 1.0)
    assert np.bincount(dataset.train_labels).size == np.bincount(dataset.test_labels).size == 10
    assert first is None or dataset.train_labels[:5].tolist() == first
