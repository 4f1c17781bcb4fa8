"""Files that ask for more than they are: of memory, of time, of the screen."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats import open_model
from ariba_cli.formats.model import Extent, ReadOptions
from ariba_cli.formats.tensors import to_array
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from fixtures.hostile.hdf5_files import bomb, hdf5
from fixtures.hostile.numpy_files import Entry, archive
from fixtures.hostile.weights import NAME, RAW, VALUES, npy, safetensors, stored
from tests.models import random_model, write_flat_round, write_model


def refused(path: Path, terms: ReadOptions | None = None) -> str:
    """Return why a file or folder is refused."""
    with pytest.raises(RefusedFileError) as caught:
        list(open_model(path, terms or ReadOptions()).floats())
    assert len(str(caught.value)) < 1500
    return str(caught.value)


def sound_safetensors() -> bytes:
    return stored({NAME: VALUES})


def sound_npz() -> bytes:
    return archive(Entry(f"{NAME}.npy".encode(), npy()))


def sound_hdf5() -> bytes:
    return hdf5(lambda file: file.create_dataset(NAME, data=VALUES))


def test_an_adapter_with_more_patterns_than_can_be_compared(tmp_path: Path) -> None:
    left, right = np.ones((2, 1)), np.ones((1, 2))
    factors = {f"m{index}.lora_A": right for index in range(1000)}
    factors |= {f"m{index}.lora_B": left for index in range(1000)}
    (tmp_path / "adapter_model.safetensors").write_bytes(stored(factors))
    patterns = {f"x{index}": 1 for index in range(100_000)}
    config = {"peft_type": "LORA", "alpha_pattern": patterns}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert "patterns that take too long to match" in refused(tmp_path)


def test_an_adapter_that_stands_for_more_values_than_can_be_formed(tmp_path: Path) -> None:
    """16 MB, and 2^42 values in the matrix that they make."""
    write_flat_round(tmp_path, 3)
    (tmp_path / "p9").mkdir()
    size = 2**21
    factors = {"m.lora_A": np.ones((1, size)), "m.lora_B": np.ones((size, 1))}
    (tmp_path / "p9" / "adapter_model.safetensors").write_bytes(stored(factors))
    (tmp_path / "p9" / "adapter_config.json").write_text('{"peft_type": "LORA", "lora_alpha": 1}')
    found = inspect_round(open_round(tmp_path))
    assert found.participants[3].norm == size


def test_running_out_of_memory_over_one_update_is_not_the_end_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of p9 alone: its values are twice as wide as those of the others."""
    write_flat_round(tmp_path / "round", 4)
    wide = {name: values.astype("f8") for name, values in random_model(9).items()}
    write_model(tmp_path / "round" / "p9.safetensors", wide)

    def values(self: Extent, raw: memoryview) -> object:
        if self.spec.dtype == "F64":
            raise MemoryError
        return to_array(self.spec, raw)

    monkeypatch.setattr(Extent, "values", values)
    round_ = open_round(tmp_path / "round")
    verdict = audit(round_, AuditSettings(layers=("conv2",)))
    assert len(verdict.ranking) == 4
    for findings in (verdict.findings, inspect_round(round_).findings):
        assert ("refused", "needs more memory than this machine has", "p9") in [
            (one.kind, one.detail, one.participant) for one in findings
        ]


HEADER = b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"[" * 100_000, "is in a format that ariba does not know"),
        (b'{"a":' * 100_000, "not strict JSON (RecursionError)"),
        (b'{"a":' + b"[" * 10_000_000, "not strict JSON (RecursionError)"),
        (HEADER + b', "a": [' + b"[]," * 1_000_000 + b"[]]}", "something other than"),
        (b"{" + b",".join(b'"%d":0' % index for index in range(300_000)) + b"}", "300,000 ten"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"1," * 1_000_000 + b"1]}}", "something other"),
        (b'{"' + b"a" * 10_000_000 + b'": 0}', "a name of 10,000,000 characters"),
        (b'{"a": ' + b"1" * 10_000_000 + b"}", "not strict JSON"),
    ],
    ids=[
        "lists",
        "tables",
        "lists in a table",
        "many lists",
        "many names",
        "shape",
        "name",
        "digits",
    ],
)
def test_headers_that_are_long_to_read(tmp_path: Path, header: bytes, why: str) -> None:
    (tmp_path / "m").write_bytes(safetensors(header, bytes(4)))
    assert why in refused(tmp_path / "m")


@pytest.mark.parametrize("make", [sound_hdf5, sound_npz, npy, sound_safetensors])
def test_truncation_at_any_byte_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    """Every byte of the headers, and every 97th of the values."""
    terms, data = ReadOptions(), make()
    for length in [*range(300), *range(300, len(data), 97), len(data) - 1]:
        (tmp_path / "m").write_bytes(data[:length])
        refused(tmp_path / "m", terms)


def test_a_gzip_stream_takes_no_more_memory_than_is_allowed(tmp_path: Path) -> None:
    """128 MB of zeros in as many kB, which are said to be a layer of 1 kB.

    The library says that something is wrong, and not that it is memory that it lacks.
    """
    (tmp_path / "m.h5").write_bytes(hdf5(bomb(len(RAW), 2**27)))
    terms = ReadOptions(limits=Limits(memory_bytes=2**26))
    assert "not valid HDF5" in refused(tmp_path / "m.h5", terms)


def test_hdf5_of_more_links_than_tensors_are_allowed(tmp_path: Path) -> None:
    def make(file: h5py.File) -> None:
        file["w"] = VALUES
        for index in range(1000):
            file[f"w{index}"] = file["w"]

    (tmp_path / "m.h5").write_bytes(hdf5(make))
    assert "1,001 tensors" in refused(tmp_path / "m.h5", ReadOptions(limits=Limits(tensors=1000)))


def test_hdf5_of_groups_in_groups_in_all_directions(tmp_path: Path) -> None:
    """Ten groups, each of which holds all ten: 10^8 ways to go."""

    def make(file: h5py.File) -> None:
        groups = [file.create_group(str(index)) for index in range(10)]
        for group in groups:
            for index, other in enumerate(groups):
                group[f"to{index}"] = other

    (tmp_path / "m.h5").write_bytes(hdf5(make))
    assert "tensors, more than" in refused(
        tmp_path / "m.h5", ReadOptions(limits=Limits(tensors=5000))
    )


def test_an_archive_of_many_arrays(tmp_path: Path) -> None:
    entries = [Entry(f"{index}.npy".encode(), b"") for index in range(2000)]
    (tmp_path / "m.npz").write_bytes(archive(*entries))
    assert "2,000 tensors" in refused(tmp_path / "m.npz", ReadOptions(limits=Limits(tensors=1999)))
    assert "list of contents of" in refused(
        tmp_path / "m.npz", ReadOptions(limits=Limits(header_bytes=1000))
    )


def test_an_index_of_many_shards(tmp_path: Path) -> None:
    index = {"weight_map": {f"w{number}": f"s{number}" for number in range(100_001)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "100,001 tensors" in refused(tmp_path)


@pytest.mark.parametrize("name", ["adapter_config.json", "model.safetensors.index.json"])
def test_a_configuration_larger_than_any(tmp_path: Path, name: str) -> None:
    """JSON takes twenty times as much memory as it has bytes."""
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, 2**25)
    assert "has 33,554,432 bytes" in refused(tmp_path)


def test_a_file_larger_than_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "m").touch()
    os.truncate(tmp_path / "m", 2**40)
    assert "has 1,099,511,627,776 bytes" in refused(tmp_path / "m")
