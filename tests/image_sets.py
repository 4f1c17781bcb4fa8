"""Small image sets, written in every form in which a set is read."""

import gzip
import io
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Set = tuple[Bytes, Bytes, Bytes, Bytes]
Write = Callable[[Path], None]


def images(channels: int, height: int, width: int) -> Set:
    """Random images with a black and a white pixel, every class in both parts."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (30, channels, height, width), dtype=np.uint8)
    pixels[:, 0, 0, :2] = (0, 255)
    labels = np.tile(np.arange(10, dtype=np.uint8), 3)
    return pixels[:20], labels[:20], pixels[20:], labels[20:]


GREY = images(1, 4, 6)
COLOUR = images(3, 32, 32)


def idx(values: npt.NDArray[Any]) -> bytes:
    """An IDX file of unsigned bytes."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def idx_files(content: Set = GREY) -> dict[str, bytes]:
    """The four files, by their stems."""
    train_x, train_y, test_x, test_y = content
    return {
        "train-images-idx3-ubyte": idx(train_x[:, 0]),
        "train-labels-idx1-ubyte": idx(train_y),
        "t10k-images-idx3-ubyte": idx(test_x[:, 0]),
        "t10k-labels-idx1-ubyte": idx(test_y),
    }


def write_idx(folder: Path) -> None:
    for stem, data in idx_files().items():
        (folder / f"{stem}.gz").write_bytes(gzip.compress(data))


def write_idx_unpacked(folder: Path) -> None:
    for stem, data in idx_files().items():
        (folder / stem).write_bytes(data)


def write_idx_dotted(folder: Path) -> None:
    """Write a set as in some copies, with folders of the other names beside the files."""
    for stem, data in idx_files().items():
        (folder / stem).mkdir()
        (folder / stem.replace("-idx", ".idx")).write_bytes(data)


def records(pixels: Bytes, labels: Bytes) -> bytes:
    """A binary batch of CIFAR-10."""
    return np.column_stack([labels, pixels.reshape(len(labels), -1)]).tobytes()


def batches() -> dict[str, tuple[Bytes, Bytes]]:
    """Twelve batches, by the names of the Python ones: their order is not that of their names."""
    train_x, train_y, test_x, test_y = COLOUR
    parts = np.array_split(np.arange(20), 12)
    train = {f"data_batch_{i}": (train_x[p], train_y[p]) for i, p in enumerate(parts, start=1)}
    return {**train, "test_batch": (test_x, test_y)}


def write_cifar_binary(folder: Path) -> None:
    for name, content in batches().items():
        (folder / f"{name}.bin").write_bytes(records(*content))


def pickled(pixels: Bytes, labels: Bytes, protocol: int) -> bytes:
    """A Python batch of CIFAR-10, written by this Python and NumPy."""
    content = {"data": pixels.reshape(len(labels), -1), "labels": labels.tolist(), "name": "x"}
    return pickle.dumps(content, protocol)


def pickled_long_ago(pixels: Bytes, labels: Bytes) -> bytes:
    """The same, as Python 2 and the NumPy of its time wrote it."""
    out = io.BytesIO()
    data = pixels.tobytes()
    shape = struct.pack("<cicic", b"J", len(labels), b"J", data and pixels[0].size, b"\x86")
    out.write(b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n")
    out.write(b"K\x00\x85U\x01b\x87R(K\x01" + shape)
    out.write(b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff")
    out.write(b"J\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<I", len(data)) + data + b"tb")
    out.write(b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels) + b"eu.")
    return out.getvalue()


def write_cifar_pickles(protocol: int) -> Write:
    def write(folder: Path) -> None:
        for name, content in batches().items():
            (folder / name).write_bytes(pickled(*content, protocol))

    return write


def write_cifar_pickles_of_long_ago(folder: Path) -> None:
    for name, content in batches().items():
        (folder / name).write_bytes(pickled_long_ago(*content))


def arrays(
    content: Set = COLOUR, change: Callable[[Bytes], npt.NDArray[Any]] = lambda pixels: pixels
) -> dict[str, npt.NDArray[Any]]:
    """The four arrays by name, with the images as `change` makes them."""
    train_x, train_y, test_x, test_y = content
    return {
        "x_train": change(train_x),
        "y_train": train_y,
        "x_test": change(test_x),
        "y_test": test_y.astype(np.int64),
    }


def save(path: Path, content: Mapping[str, npt.NDArray[Any]], *, packed: bool = False) -> None:
    """An archive of arrays."""
    write = np.savez_compressed if packed else np.savez
    write(path, allow_pickle=True, **content)


def write_arrays(folder: Path, **changed: npt.NDArray[Any]) -> None:
    """The arrays in a file for each part, one of them packed."""
    all_of_them = {**arrays(), **changed}
    for part in ("train", "test"):
        mine = {key: value for key, value in all_of_them.items() if key.endswith(part)}
        save(folder / f"{part}.npz", mine, packed=part == "test")
