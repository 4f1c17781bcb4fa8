"""Formats that cannot be opened: named by their first bytes, with the way out."""

import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from tests.conftest import Ariba
from tests.models import random_model, write_flat_round, write_model


def archive(*names: str) -> bytes:
    """A zip archive of files with these names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name in names:
            opened.writestr(name, b"x" * 40)
    return buffer.getvalue()


def tar() -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("client_0.safetensors"), io.BytesIO())
    return buffer.getvalue()


FILES = [
    (b"", "is empty"),
    (b"\x08\x09\x12\x07pytorch\x1a\x052.1.0" + bytes(99), "seems to be ONNX; write its arrays"),
    (b"\x08\x07\x12\x0ctf2onnx" + bytes(99), "seems to be ONNX"),
    (b"GGUF\x03\0\0\0" + bytes(99), "is GGUF"),
    (b"\x0a\x1b\x0a\x06conv_1" + bytes(99), "seems to be protobuf"),
    (b"\x81\xa6params\x81\xa6Conv_0" + bytes(99), "read it with flax.serialization"),
    (b"\xde\x00\x20\xd9\x24layer_one" + bytes(99), "read it with flax.serialization"),
    (b"\x1c\0\0\0TFL3" + bytes(99), "is TensorFlow Lite"),
    (gzip.compress(bytes(99)), "is compressed with gzip; unpack it first"),
    (lzma.compress(bytes(99)), "is compressed with xz"),
    (b"\x28\xb5\x2f\xfd" + bytes(99), "is compressed with zstd"),
    (b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7z archive"),
    (b"BZh91AY&SY" + bytes(99), "is compressed with bzip2"),
    (b"\x78\x9c" + bytes(99), "probably by joblib"),
    (tar(), "is a tar archive"),
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "fetch the file with git lfs pull",
    ),
    (b"<!DOCTYPE html><html>404</html>", "is a web page"),
    (b"\n<HTML><body>502 Bad Gateway", "is a web page"),
    (b"<?xml version='1.0'?><Error>", "is a web page"),
    (b'{"conv1.weight": [[0.1, 0.2]]}', "is JSON or other text"),
    (b"[[0.1, 0.2]]", "is JSON or other text"),
    (b"age-encryption.org/v1\n", "is encrypted"),
    (b"PAR1" + bytes(99), "is Parquet"),
    (bytes(100) + bytes.fromhex("57fb808b247547db"), "is a part of a TensorFlow checkpoint"),
    (archive("client_0.safetensors"), "is a zip archive of other files ('client_0.safetensors')"),
    (archive("metadata.json", "config.json", "model.weights.h5"), "is a Keras archive"),
    (archive("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"), "is TorchScript"),
    (archive("m/archive_format", "m/models/model.json"), "from torch.export"),
    (b"PK\x05\x06" + bytes(18), "is an empty zip archive"),
    (bytes(99), "is in a format that ariba does not know"),
    (b"0.1,0.2\n", "is in a format that ariba does not know"),
]


@pytest.mark.parametrize(("data", "words"), FILES, ids=range(len(FILES)))
def test_a_file_is_named_by_its_first_bytes(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "client_0.safetensors").write_bytes(data)
    with pytest.raises(RefusedFileError) as error:
        open_model(tmp_path / "client_0.safetensors", ReadOptions())
    assert words in str(error.value)
    assert len(str(error.value)) < 200


FOLDERS = [
    (("_CHECKPOINT_METADATA", "manifest.ocdbt", "d"), "is an Orbax checkpoint"),
    ((".metadata", "__0_0.distcp", "__1_0.distcp"), "dcp_to_torch FOLDER FILE"),
    (("saved_model.pb", "variables", "fingerprint.pb"), "is a TensorFlow SavedModel"),
    (("checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001"), "a TensorFlow checkpoint"),
    (("m.weights.json", "m_00000.weights.h5"), "call save_weights without max_shard_size"),
    (("zarr.json", "c"), "is Zarr"),
    (("zero_to_fp32.py", "latest", "global_step5"), "is a DeepSpeed checkpoint"),
    (("blobs", "refs", "snapshots"), "is a Hugging Face cache"),
    (("notes", "weights"), "is a folder without a model file"),
]


@pytest.mark.parametrize(("names", "words"), FOLDERS, ids=range(len(FOLDERS)))
def test_a_folder_is_named_by_what_is_in_it(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    (tmp_path / "client_0").mkdir()
    for name in names:
        (tmp_path / "client_0" / name).write_bytes(b"\x01\x02")
    with pytest.raises(RefusedFileError) as error:
        open_model(tmp_path / "client_0", ReadOptions())
    assert words in str(error.value)


def test_weights_in_shards_of_keras_are_named_though_each_can_be_opened(tmp_path: Path) -> None:
    for shard in range(2):
        name = f"m_0000{shard}.weights.h5"
        write_model(tmp_path / "client_0" / name, random_model(shard), "hdf5")
    (tmp_path / "client_0" / "m.weights.json").write_text("{}")
    with pytest.raises(RefusedFileError, match="call save_weights without"):
        open_model(tmp_path / "client_0", ReadOptions())


def test_a_model_beside_the_marks_of_another_is_opened(tmp_path: Path) -> None:
    write_model(tmp_path / "client_0" / "w.safetensors", random_model(0))
    (tmp_path / "client_0" / "checkpoint-1.data-00000-of-00001").write_bytes(b"\x01\x02")
    assert open_model(tmp_path / "client_0", ReadOptions()).format == "safetensors"


def test_what_is_wrong_with_an_array_is_still_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "p0.npz", a=np.array(["text"]))
    with pytest.raises(RefusedFileError, match="which weights cannot be"):
        open_model(tmp_path / "p0.npz", ReadOptions())


def test_the_way_out_stands_in_the_error_of_an_audit(tmp_path: Path, ariba: Ariba) -> None:
    for index in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"c{index}.keras").write_bytes(archive("model.weights.h5"))
    done = ariba("audit", tmp_path / "in")
    assert done.returncode == 2
    assert b"c0: is a Keras archive; unzip it" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_cache_of_links_says_how_to_copy_it(tmp_path: Path, ariba: Ariba) -> None:
    """Hugging Face has links in snapshots/REVISION that lead to files in blobs."""
    write_flat_round(tmp_path / "cache" / "blobs", 3)
    for index in range(3):
        folder = tmp_path / "cache" / "snapshots" / "abc" / f"client_{index}"
        folder.mkdir(parents=True)
        os.symlink(f"../../../blobs/p{index}.safetensors", folder / "model.safetensors")
    done = ariba("audit", tmp_path / "cache")
    assert b"is a Hugging Face cache" in done.stderr
    assert b"snapshots/REVISION DIR, and give DIR" in done.stderr
    done = ariba("audit", tmp_path / "cache" / "snapshots" / "abc")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"client_0: is a link, which ariba does not follow; put the file itself" in done.stderr
