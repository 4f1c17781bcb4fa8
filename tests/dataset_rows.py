"""Every source that reads files: a small valid set in each of its forms, and how it is spoiled."""

import gzip
import pickle
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.image_sets import (
    COLOUR,
    GREY,
    Set,
    Write,
    arrays,
    idx,
    idx_files,
    pickled,
    records,
    save,
    write_arrays,
    write_cifar_binary,
    write_cifar_pickles,
    write_cifar_pickles_of_long_ago,
    write_idx,
    write_idx_dotted,
    write_idx_unpacked,
)

TRAIN_IMAGES = "train-images-idx3-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
EMPTY = np.empty(0, np.uint8)


@dataclass(frozen=True)
class Bad:
    """A way to spoil a valid set, the file that is to blame, and words of the reason."""

    spoil: Callable[[Path], object]
    file: str
    reason: str


@dataclass(frozen=True)
class Row:
    """A source: a small valid set in each of its forms, what is in it, and bad variants."""

    content: Set
    forms: Mapping[str, Write]
    bad: Mapping[str, Bad]

    @property
    def write(self) -> Write:
        """The first form, which is the one that is spoiled."""
        return next(iter(self.forms.values()))


def puts(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def bad_file(name: str, data: bytes, reason: str) -> Bad:
    return Bad(puts(name, data), name, reason)


def idx_is_bad(stem: str, data: bytes, reason: str) -> Bad:
    return bad_file(f"{stem}.gz", gzip.compress(data), reason)


def batch_is_bad(data: bytes, reason: str) -> Bad:
    return bad_file("data_batch_2.bin", data, reason)


def shaped(shape: tuple[int, ...], data: str | bytes) -> bytes:
    """A pickle of one array, which says of itself what NumPy would never write."""

    class Said:
        def __reduce__(self) -> tuple[object, ...]:
            dtype = np.dtype(np.uint8)
            reconstruct = np.zeros(0, np.uint8).__reduce__()[0]
            return reconstruct, (np.ndarray, (0,), b"b"), (1, shape, dtype, False, data)

    return pickle.dumps({"data": Said(), "labels": [1]}, 2)


def pickle_is_bad(data: bytes, reason: str) -> Bad:
    def spoil(folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        write_cifar_pickles(2)(folder)
        (folder / "data_batch_2").write_bytes(data)

    return Bad(spoil, "data_batch_2", reason)


def array_is_bad(key: str, value: object, reason: str) -> Bad:
    file = f"{key.partition('_')[2]}.npz"
    return Bad(lambda folder: write_arrays(folder, **{key: np.asarray(value)}), file, reason)


def float_images(value: float) -> Any:
    pixels = COLOUR[0] / 255
    pixels[3, 1, 4, 1] = value
    return pixels


IMAGES_BYTES = idx_files()[TRAIN_IMAGES]
ZIPPED = gzip.compress(IMAGES_BYTES, mtime=0)

IDX = Row(
    GREY,
    {"gzipped": write_idx, "unpacked": write_idx_unpacked, "dotted": write_idx_dotted},
    {
        "empty file": bad_file(f"{TRAIN_IMAGES}.gz", b"", "starts with nothing"),
        "other magic": idx_is_bad(TRAIN_IMAGES, b"\0\0\x0d\3" + bytes(99), "00 00 0d 03"),
        "labels for images": idx_is_bad(TRAIN_IMAGES, idx(GREY[1]), "00 00 08 01"),
        "images for labels": idx_is_bad(TEST_LABELS, IMAGES_BYTES, "1 dimension"),
        "no dimensions": idx_is_bad(TRAIN_IMAGES, IMAGES_BYTES[:15], "is not an IDX file"),
        "one byte less": idx_is_bad(TRAIN_IMAGES, IMAGES_BYTES[:-1], "has 479 of the 480"),
        "one byte more": idx_is_bad(TRAIN_IMAGES, IMAGES_BYTES + b"\0", "goes on after the 480"),
        "no images": idx_is_bad(TEST_IMAGES, idx(EMPTY.reshape(0, 4, 6)), "promises 0 bytes"),
        "no labels": idx_is_bad(TEST_LABELS, idx(EMPTY), "promises 0 bytes"),
        "more than is read": idx_is_bad(
            TRAIN_IMAGES, b"\0\0\x08\3" + b"\xff" * 12, "promises 79,228,162,458,924,105,385,"
        ),
        "fewer labels": idx_is_bad(TEST_LABELS, idx(GREY[3][1:]), "9 labels for the 10 images"),
        "label 10": idx_is_bad(TEST_LABELS, idx(GREY[3] + 1), "has the label 10"),
        "other shape": idx_is_bad(TEST_IMAGES, idx(np.zeros((10, 6, 4))), "images of 1×6×4"),
        "cut gzip": bad_file(f"{TRAIN_IMAGES}.gz", ZIPPED[:-9], "is not complete"),
        "wrong checksum": bad_file(
            f"{TRAIN_IMAGES}.gz", ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], "(BadGzipFile)"
        ),
        "wrong stream": bad_file(f"{TRAIN_IMAGES}.gz", ZIPPED[:10] + b"\xff" * 99, "(error)"),
        "something after it": bad_file(f"{TRAIN_IMAGES}.gz", ZIPPED + b"more", "(BadGzipFile)"),
    },
)

CIFAR = Row(
    COLOUR,
    {
        "binary": write_cifar_binary,
        "of long ago": write_cifar_pickles_of_long_ago,
        **{f"protocol {protocol}": write_cifar_pickles(protocol) for protocol in range(6)},
    },
    {
        "empty batch": batch_is_bad(b"", "has 0 bytes"),
        "a byte less": batch_is_bad(records(*COLOUR[:2])[:-1], "not a multiple of the 3,073"),
        "label 10": batch_is_bad(records(COLOUR[2], COLOUR[3] + 1), "has the label 10"),
        "call": pickle_is_bad(b"cos\nsystem\n(S'touch canary'\ntR.", "asks for 'os.system'"),
        "call by name on the stack": pickle_is_bad(
            pickle.dumps(subprocess.Popen, 4), "asks for 'subprocess.Popen'"
        ),
        "other function of NumPy's": pickle_is_bad(
            b"cnumpy\nfromfile\n.", "asks for 'numpy.fromfile'"
        ),
        "no pickle": pickle_is_bad(b"data_batch_2", "is not a valid pickle"),
        "nothing": pickle_is_bad(b"", "is not a valid pickle (EOFError)"),
        "terabytes": pickle_is_bad(b"\x80\x05\x96\0\0\0\0\0\0\1\0.", "memory"),
        "no dictionary": pickle_is_bad(pickle.dumps([1], 2), "without an array 'data'"),
        "no labels": pickle_is_bad(pickle.dumps({"data": EMPTY}, 4), "without a list"),
        "labels of another type": pickle_is_bad(
            pickle.dumps({"data": COLOUR[0], "labels": ["1"] * 20}, 2), "without a list"
        ),
        "empty pickle": pickle_is_bad(
            pickle.dumps({"data": EMPTY.reshape(0, 3072), "labels": []}, 4), "has no labels"
        ),
        "floats": pickle_is_bad(
            pickle.dumps({"data": np.zeros((1, 3072)), "labels": [1]}, 2), "unsigned bytes"
        ),
        "objects": pickle_is_bad(
            pickle.dumps({"data": np.array([[None]]), "labels": [1]}, 2), "unsigned bytes"
        ),
        "text as pixels": pickle_is_bad(shaped((1, 3072), "\u0100" * 3072), "unsigned bytes"),
        "too many dimensions": pickle_is_bad(shaped((1,) * 70, b"\0"), "unsigned bytes"),
        "fewer labels": pickle_is_bad(pickled(COLOUR[0], COLOUR[1][:4], 2), "for 4 labels"),
        "label −1": pickle_is_bad(
            pickle.dumps({"data": COLOUR[0][:1].reshape(1, -1), "labels": [-1]}, 2), "label -1"
        ),
        "unlikely label": pickle_is_bad(
            pickle.dumps({"data": COLOUR[0], "labels": [2**80]}, 2), "without a list"
        ),
        "state of another kind": pickle_is_bad(
            b"cnumpy.core.multiarray\n_reconstruct\n(tR(K\1K\2tb.", "is not a valid pickle"
        ),
    },
)

ARRAYS = Row(
    COLOUR,
    {
        "channels first": write_arrays,
        "channels last": lambda folder: save(
            folder / "all.npz", arrays(change=lambda pixels: pixels.transpose(0, 2, 3, 1))
        ),
        "column order": lambda folder: save(folder / "all.npz", arrays(change=np.asfortranarray)),
        "floats": lambda folder: save(
            folder / "all.npz", arrays(change=lambda pixels: pixels / 255), packed=True
        ),
        "beside others": lambda folder: save(folder / "all.npz", {**arrays(), "more": EMPTY}),
    },
    {
        "not an archive": bad_file("train.npz", b"images", "is not a valid zip archive"),
        "empty file": bad_file("train.npz", b"", "is not a valid zip archive"),
        "objects": array_is_bad("y_train", [None] * 20, "an array of |O"),
        "text": array_is_bad("y_train", ["1"] * 20, "an array of <U1"),
        "images of int64": array_is_bad("x_train", COLOUR[0].astype(int), "of type int64"),
        "images of bool": array_is_bad("x_train", COLOUR[0] > 9, "of type bool"),
        "labels of float": array_is_bad("y_test", np.zeros(10), "of type float64"),
        "labels of bool": array_is_bad("y_test", np.zeros(10, bool), "of type bool"),
        "labels in a column": array_is_bad("y_test", COLOUR[3][:, None], "in 2 dimensions"),
        "NaN": array_is_bad("x_train", float_images(np.nan), "x_train that are not in [0, 1]"),
        "infinity": array_is_bad("x_train", float_images(np.inf), "are not in [0, 1]"),
        "beyond 1": array_is_bad("x_train", float_images(1.001), "are not in [0, 1]"),
        "negative": array_is_bad("x_train", float_images(-0.001), "are not in [0, 1]"),
        "no images": array_is_bad("x_test", np.zeros((0, 3, 32, 32)), "with nothing in it"),
        "no labels": array_is_bad("y_test", EMPTY, "has no labels"),
        "two dimensions": array_is_bad("x_train", np.zeros((20, 9)), "of 20×9, which"),
        "five dimensions": array_is_bad("x_train", COLOUR[0][None], "does not show the channels"),
        "a number": array_is_bad("x_train", 1.0, "a single number"),
        "two channels": array_is_bad("x_train", COLOUR[0][:, :2], "does not show the channels"),
        "two ways": array_is_bad("x_train", COLOUR[0][:, :, :, :3], "does not show the channels"),
        "other shape": array_is_bad("x_test", COLOUR[2][:, :1], "images of 1×32×32"),
        "fewer labels": array_is_bad("y_test", COLOUR[3][1:], "9 labels in y_test for the 10"),
        "fewer images": array_is_bad("x_train", COLOUR[0][1:], "20 labels in y_train for the 19"),
        "labels from 1": array_is_bad("y_train", COLOUR[1] + 1, "but not 0"),
        "a gap": array_is_bad("y_train", np.where(COLOUR[1] == 4, 12, COLOUR[1]), "but not 4"),
        "negative label": array_is_bad("y_train", COLOUR[1].astype(int) - 1, "has the label -1"),
        "untrained label": array_is_bad("y_test", COLOUR[3] + 1, "has the label 10"),
        "huge label": array_is_bad("y_train", np.full(20, 2**64 - 1, np.uint64), "18446744073709"),
        "twice": Bad(
            lambda folder: save(folder / "again.npz", arrays()),
            "test.npz",
            "' both have x_test",
        ),
    },
)

SOURCES = {"mnist": IDX, "fashion-mnist": IDX, "cifar10": CIFAR, "arrays": ARRAYS}
