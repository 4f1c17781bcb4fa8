"""The strict reading of safetensors files."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats import ENCODERS, open_model
from ariba_cli.formats.model import ReadOptions
from tests.models import random_model, safetensors_bytes

A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
B = {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}


def read(path: Path) -> dict[str, np.ndarray]:
    return dict(open_model(path, ReadOptions()).floats())


@pytest.mark.parametrize("format_name", list(ENCODERS))
def test_what_is_written_is_read_back(tmp_path: Path, format_name: str) -> None:
    model = random_model(1)
    data = ENCODERS[format_name].encode(model)
    assert data == ENCODERS[format_name].encode(model)
    (tmp_path / "model").write_bytes(data)
    opened = open_model(tmp_path / "model", ReadOptions())
    assert opened.format == format_name
    for name, values in opened.floats():
        np.testing.assert_array_equal(values, model[name])


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_every_float_type_is_read(tmp_path: Path, dtype: str) -> None:
    values = np.array([1.5, -0.0, 2.0**-10, -3.0])
    if dtype == "BF16":
        raw = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    else:
        raw = values.astype(f"<f{int(dtype[1:]) // 8}").tobytes()
    header = {"w": {"dtype": dtype, "shape": [4], "data_offsets": [0, len(raw)]}}
    path = tmp_path / "m"
    path.write_bytes(safetensors_bytes(header, raw))
    assert read(path)["w"].tolist() == values.tolist()


def test_integers_are_listed_and_not_read(tmp_path: Path) -> None:
    header = {"steps": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}
    (tmp_path / "m").write_bytes(safetensors_bytes(header, bytes(8)))
    model = open_model(tmp_path / "m", ReadOptions())
    assert model.tensors["steps"].spec.shape == ()
    assert list(model.floats()) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (bytes(7), "format that ariba does not know"),
        (b"\xff" * 8 + b"{}", "declares a header"),
        (safetensors_bytes(b"{}", length=500), "truncated: its header"),
        (safetensors_bytes(b"{"), "not strict JSON"),
        (safetensors_bytes(b'{"\xff": 1}'), "not strict JSON"),
        (safetensors_bytes(b'{"a":' * 100_000), "not strict JSON"),
        (safetensors_bytes(b'{"a": NaN}'), "not strict JSON"),
        (safetensors_bytes({"a": 1}), "something other"),
        (safetensors_bytes({"a": {**A, "more": 1}}, bytes(8)), "something other"),
        (safetensors_bytes({"a": {**A, "dtype": "F128"}}, bytes(8)), "something other"),
        (safetensors_bytes({"a": {**A, "shape": [-2]}}, bytes(8)), "something other"),
        (safetensors_bytes({"a": {**A, "shape": [True, 2]}}, bytes(8)), "something other"),
        (safetensors_bytes({"a": {**A, "shape": [2.0]}}, bytes(8)), "something other"),
        (safetensors_bytes({"a": {**A, "shape": [0, 2**62]}}, bytes(8)), "larger than any"),
        (safetensors_bytes({"a": {**A, "shape": [0, 2**53, 2]}}, bytes(8)), "larger than any"),
        (safetensors_bytes({"a": {**A, "shape": [1] * 70}}, bytes(8)), "70 dimensions"),
        (safetensors_bytes({"a": {**A, "shape": [2**53] * 80_000}}), "80,000 dimensions"),
        (safetensors_bytes({"a" * 2000: A}, bytes(8)), "a name of 2,000 characters"),
        (safetensors_bytes({"a": {**A, "shape": [3]}}, bytes(8)), "than its shape takes"),
        (safetensors_bytes({"a": {**A, "shape": [2**50, 2**50]}}, bytes(8)), "larger than any"),
        (safetensors_bytes({"a": {**A, "data_offsets": [8, 0]}}, bytes(8)), "than its shape takes"),
        (safetensors_bytes({"a": A}, bytes(7)), "truncated"),
        (safetensors_bytes({"a": A}, bytes(9)), "1 bytes after"),
        (safetensors_bytes({"a": A, "b": A}, bytes(8)), "a gap or an overlap"),
        (safetensors_bytes({"b": B}, bytes(12)), "a gap or an overlap"),
        (safetensors_bytes({"__metadata__": {"a": 1}}), "metadata"),
        (safetensors_bytes({"__metadata__": []}), "metadata"),
        (b"\x80\x04\x95" + bytes(20), "pickle"),
        (b"PK\x03\x04" + bytes(20), "not a valid zip archive"),
        (b"not a model at all", "format that ariba does not know"),
    ],
)
def test_what_is_not_allowed_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(RefusedFileError, match=reason):
        read(tmp_path / "m")


def test_a_name_that_occurs_twice_is_refused_though_the_library_takes_it(tmp_path: Path) -> None:
    entry = b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    data = safetensors_bytes(b"{" + entry + b"," + entry + b"}", bytes(8))
    assert list(load(data)) == ["a"]
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(RefusedFileError, match="occurs twice"):
        read(tmp_path / "m")


def test_truncation_at_every_byte_is_refused(tmp_path: Path) -> None:
    data = safetensors_bytes({"a": A, "b": B}, bytes(12))
    for length in range(len(data)):
        (tmp_path / "m").write_bytes(data[:length])
        with pytest.raises(RefusedFileError):
            read(tmp_path / "m")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    sound = safetensors_bytes({"a": A, "b": B}, bytes(12))
    start = data.draw(st.integers(0, len(sound)))
    stop = data.draw(st.integers(start, len(sound)))
    path = tmp_path / "m"
    path.write_bytes(sound[:start] + data.draw(st.binary(max_size=30)) + sound[stop:])
    with suppress(RefusedFileError):
        read(path)
