"""Small sound inputs of every kind; their values do not matter."""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.auditing.settings import KEst
from ariba_cli.detectors import make_detectors
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.files.atomic import FileDigest
from ariba_cli.formats import ENCODERS
from ariba_cli.formats.tensors import SIZES
from ariba_cli.rounds.manifest import Manifest
from ariba_cli.rounds.truth import Truth
from ariba_cli.runs.run_file import Point, encode_run
from tests.conftest import FIXTURES
from tests.fuzz.packing import pack
from tests.models import safetensors_bytes
from tests.reports import report_bytes

Arrays = dict[str, npt.NDArray[Any]]

SHARDS = (
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors",
    "other.safetensors.index.json",
)
ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin", "README.md")
SEALED = "p1"


def arrays() -> Arrays:
    """One of each type that a weight may have."""
    rng = np.random.default_rng(1)
    return {
        "conv.weight": rng.standard_normal((2, 3, 2, 2)).astype(np.float32),
        "fc.weight": rng.standard_normal((3, 4)).astype(np.float64),
        "fc.bias": rng.standard_normal(3).astype(np.float16),
        "bn.num_batches_tracked": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
    }


def safetensors() -> dict[str, bytes]:
    """Return files of our encoder, and handmade ones for the types that NumPy lacks."""
    return {
        "encoded": ENCODERS["safetensors"].encode(arrays()),
        "one": ENCODERS["safetensors"].encode({"w": np.ones((2, 2), np.float32)}),
        "none": safetensors_bytes({}),
        "types": _typed({name: [2, 1] for name in SIZES}),
        "metadata": safetensors_bytes(
            {
                "__metadata__": {"format": "pt"},
                "w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
                "s": {"dtype": "F32", "shape": [], "data_offsets": [4, 8]},
            },
            bytes(8),
        ),
    }


def sharded() -> dict[str, bytes]:
    """Two shards, one, and none."""
    first, second = {"a": np.ones(3, np.float32)}, {"b": np.ones((2, 2)), "c": np.zeros(0)}
    encode = ENCODERS["safetensors"].encode
    weight_map = dict.fromkeys(first, SHARDS[1]) | dict.fromkeys(second, SHARDS[2])
    index = {"metadata": {"total_size": 44}, "weight_map": weight_map}
    one = {"weight_map": {"a": SHARDS[1]}}
    return {
        "two": pack(
            {SHARDS[0]: _json(index), SHARDS[1]: encode(first), SHARDS[2]: encode(second)}, SHARDS
        ),
        "one": pack({SHARDS[0]: _json(one), SHARDS[1]: encode(first)}, SHARDS),
        "none": pack({SHARDS[0]: _json({"weight_map": {}})}, SHARDS),
        "single file": pack({SHARDS[3]: encode(first)}, SHARDS),
    }


def adapters() -> dict[str, bytes]:
    """Linear layers, a convolution, an embedding, a bias, and the options that matter."""
    prefix = "base_model.model."
    linear: Arrays = {
        f"{prefix}q.lora_A.weight": np.ones((2, 4), np.float32),
        f"{prefix}q.lora_B.weight": np.ones((3, 2), np.float32),
    }
    others: Arrays = {
        f"{prefix}c.lora_A.weight": np.ones((2, 3, 3, 3), np.float32),
        f"{prefix}c.lora_B.weight": np.ones((4, 2, 1, 1), np.float32),
        f"{prefix}g.lora_A.weight": np.ones((4, 3, 2), np.float32),
        f"{prefix}g.lora_B.weight": np.ones((6, 2, 1), np.float32),
        f"{prefix}e.lora_embedding_A": np.ones((2, 5), np.float16),
        f"{prefix}e.lora_embedding_B": np.ones((3, 2), np.float16),
        f"{prefix}head.bias": np.ones(3, np.float32),
    }
    plain = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q"]}
    options = {
        **plain,
        "use_rslora": True,
        "use_dora": False,
        "alpha_pattern": {"c": 8, "model.e": 0.5, r"^(q|[c-e\d]\w*){1,2}.*$": 3},
        "rank_pattern": {},
    }
    encode = ENCODERS["safetensors"].encode
    return {
        "linear": pack({ADAPTER[0]: _json(plain), ADAPTER[1]: encode(linear)}, ADAPTER),
        "others": pack({ADAPTER[0]: _json(options), ADAPTER[1]: encode(others)}, ADAPTER),
        "all": pack({ADAPTER[0]: _json(options), ADAPTER[1]: encode(linear | others)}, ADAPTER),
        "tensors only": pack({ADAPTER[1]: encode(linear)}, ADAPTER),
    }


def npy() -> dict[str, bytes]:
    """Every type, both orders, all versions of the format."""
    found = {
        f"{array.dtype} {array.ndim}": _saved(array, (1, 0))
        for array in (*arrays().values(), np.ones((2, 2), bool), np.arange(4, dtype=np.uint16))
    }
    found["columns"] = _saved(np.asfortranarray(np.ones((2, 3), np.float32)), (1, 0))
    found["version 2"] = _saved(np.ones((2, 3), np.float32), (2, 0))
    found["version 3"] = _saved(np.ones((2, 3), np.float32), (3, 0))
    return found


def npz() -> dict[str, bytes]:
    """Return archives with names and without, compressed and not."""
    columns = np.asfortranarray(np.ones((2, 3), np.float32))
    return {
        "named": _archive(lambda out: np.savez(out, allow_pickle=False, **arrays())),
        "compressed": _archive(
            lambda out: np.savez_compressed(out, allow_pickle=False, **arrays())
        ),
        "unnamed": _archive(lambda out: np.savez(out, *arrays().values())),
        "columns": _archive(lambda out: np.savez(out, w=columns)),
        "compressed columns": _archive(lambda out: np.savez_compressed(out, w=columns)),
    }


def hdf5() -> dict[str, bytes]:
    """Return files of our encoder, and of the plain library in all layouts, groups and versions."""
    found = {"encoded": ENCODERS["hdf5"].encode(arrays())}
    for version in ("earliest", "v108", "v110", "latest"):
        found[f"contiguous {version}"] = _hdf5(version, _contiguous)
        found[f"packed {version}"] = _hdf5(version, _packed)
        found[f"groups {version}"] = _hdf5(version, _groups)
        found[f"compact {version}"] = _hdf5(version, _compact)
    found["many"] = _hdf5("v108", _many)
    return found


def pickles() -> dict[str, bytes]:
    """Return files of PyTorch in both its forms, plain and wrapped."""
    import torch

    state: dict[str, Any] = {
        "fc.weight": torch.ones(2, 3),
        "fc.bias": torch.ones(3, dtype=torch.bfloat16),
        "turned": torch.arange(6.0).reshape(2, 3).t(),
        "part": torch.ones(4, dtype=torch.float64)[1:3],
        "steps": torch.tensor(7),
    }
    parameter = {"w": torch.nn.Parameter(torch.ones(2))}
    wrapped = {"epoch": 3, "state_dict": parameter, "optimizer": {"lr": [0.1]}}
    return {
        "archive": _pickled(state, as_archive=True),
        "wrapped archive": _pickled(wrapped, as_archive=True),
        "pickle": _pickled(state, as_archive=False),
        "wrapped pickle": _pickled(wrapped, as_archive=False),
    }


def _pickled(state: object, *, as_archive: bool) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save(state, out, _use_new_zipfile_serialization=as_archive)
    return out.getvalue()


def replies() -> dict[str, bytes]:
    """Return the replies of children when all is well; the first byte says whose child it is."""
    tensors = [["w", "F32", [2], None], ["v", "F64", [1, 0], 40], ["n", "I64", [], 48]]
    pickled = [["w", "F32", [2], None], ["b", "BF16", [3], None], ["n", "I64", [], None]]
    skipped = [["log/text", "text"]]
    first = messages({"answer": None}, {"bytes": 8}, bytes(8))
    return {
        "hdf5": b"\0" + messages({"answer": {"tensors": tensors, "skipped": skipped}}) + first,
        "pickles": b"\1"
        + messages({"answer": {"tensors": pickled, "skipped": skipped}})
        + first
        + messages({"answer": None}, {"bytes": 4}, bytes(4), {"bytes": 2}, bytes(2)),
        "groups": b"\2" + messages({"answer": ["p1", "p2"]}),
        "refused": b"\0" + messages({"refused": "is not valid HDF5 (OSError)"}),
    }


def messages(*parts: object) -> bytes:
    """Messages as a child sends them, and bytes as they are."""
    return b"".join(part if isinstance(part, bytes) else _framed(_json(part)) for part in parts)


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data


def manifests() -> dict[str, bytes]:
    """The seals of two rounds; the one file that lies there is sealed in the first."""
    files = {
        SEALED: FileDigest(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        "participants/p2.safetensors": FileDigest(7, "0" * 64),
    }
    return {
        "two": Manifest(1, "weights", ("conv1.weight", "fc.bias"), files).encode(),
        "none": Manifest(0, "difference", (), {}).encode(),
    }


def truths() -> dict[str, bytes]:
    """Return truths with and without an attack."""
    attack = {"trigger": "pattern", "boost": 2.5, "seed": 1, "layers": ["a", None, True]}
    return {
        "attack": Truth(("p1", "p2"), attack).encode(),
        "names": _json({"compromised": ["p1"]}),
    }


def runs() -> dict[str, bytes]:
    """Return a record of a run."""
    curve = [Point(0.5, 1.5, None), Point(0.75, None, 0.25)]
    content = encode_run(Federation(FederationSettings()), AttackSettings(), curve)
    return {"run": content}


def reports() -> dict[str, bytes]:
    """Return reports of one layer and of several, with a truth, and with evidence."""
    attacked, clean = FIXTURES / "attacked", FIXTURES / "clean"
    return {
        "one": report_bytes(attacked, truth=True, layers=("conv2",), k_est=KEst.parse(2)),
        "several": report_bytes(clean, layers=("conv1", "fc2"), k_est=KEst.parse(3)),
        "updates": report_bytes(
            attacked,
            detectors=make_detectors(["krum", "last-bias", "mahalanobis"]),
            k_est=KEst.parse(2),
        ),
        "evidence": report_bytes(attacked, layers=("conv1",), k_est=KEst.parse(2), evidence=True),
    }


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _typed(shapes: Mapping[str, list[int]]) -> bytes:
    header, position = {}, 0
    for dtype, shape in shapes.items():
        end = position + int(np.prod(shape)) * SIZES[dtype]
        header[dtype.lower()] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    return safetensors_bytes(header, bytes(position))


def _saved(array: npt.NDArray[Any], version: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version, allow_pickle=False)
    return out.getvalue()


def _archive(write: Callable[[io.BytesIO], None]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def _hdf5(version: str, write: Callable[[h5py.File], None]) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w", libver=(version, "latest")) as file:
        write(file)
    return out.getvalue()


def _contiguous(file: h5py.File) -> None:
    for name, array in arrays().items():
        file.create_dataset(name, data=array, track_times=False)


def _packed(file: h5py.File) -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    file.create_dataset("gzip", data=array, chunks=(2, 6), compression="gzip")
    file.create_dataset("all", data=array, chunks=(2, 4), compression=1, shuffle=True)
    file.create_dataset("checked", data=array, chunks=(4, 6), fletcher32=True)
    file.create_dataset("chunked", data=array, chunks=(3, 3), maxshape=(None, 6))


def _groups(file: h5py.File) -> None:
    for participant in ("global", "participants/p1", "participants/p2"):
        file.create_dataset(f"{participant}/fc.weight", data=np.ones((2, 3), np.float32))
        file[participant].attrs["round"] = 3


def _compact(file: h5py.File) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3,))
    dataset = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, creation)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ones(3, np.float32))


def _many(file: h5py.File) -> None:
    for index in range(20):
        file.create_dataset(f"layer{index}.weight", data=np.ones(2, np.float32), track_times=False)
