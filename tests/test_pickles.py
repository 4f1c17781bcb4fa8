"""Checkpoints as training scripts write them, read without importing what they name."""

import argparse
import collections
import copy
import enum
import functools
import io
import os
import pathlib
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats import open_model
from ariba_cli.formats.model import Model, ReadOptions
from tests.conftest import Ariba
from tests.models import random_model


@pytest.fixture(scope="module")
def trusted() -> ReadOptions:
    """One child for all files, as in a round."""
    return ReadOptions(trust_pickles=True)


def state(seed: int = 0) -> dict[str, Any]:
    return {name: torch.from_numpy(values) for name, values in random_model(seed).items()}


def opened(path: Path, found: object, terms: ReadOptions, **options: Any) -> Model:
    torch.save(found, path, **options)
    return open_model(path, terms)


def holds(model: Model, expected: dict[str, Any]) -> bool:
    """Return True if a model holds these tensors, to the bit."""
    return list(model.tensors) == list(expected) and all(
        bytes(model.read(name)) == raw(tensor) for name, tensor in expected.items()
    )


def raw(tensor: Any) -> bytes:
    """The bytes of a tensor of PyTorch's, the last index running fastest."""
    found = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return bytes(found)


class Colour(enum.Enum):
    """Of a class that is not there either."""

    RED = 1


class Config:
    """A class that whoever reads the file does not have."""

    def __init__(self) -> None:
        self.path = pathlib.Path("data")
        self.rate = 0.1


class Bunch(dict[str, Any]):
    """A dict with attributes."""


class Net(torch.nn.Module):
    """A whole model, which is pickled with its class."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.ReLU())
        self.norm = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Linear(4, 2)
        self.register_buffer("scratch", torch.ones(3, 3), persistent=False)
        self.rate = 0.1


def optimiser() -> dict[str, Any]:
    layer = torch.nn.Linear(8, 8)
    made = torch.optim.Adam(layer.parameters())
    layer(torch.ones(2, 8)).sum().backward()
    made.step()
    return dict(made.state_dict())


WRAPPERS: dict[str, tuple[Callable[[dict[str, Any]], Any], set[str]]] = {
    "alone": (lambda sd: sd, set()),
    "an ordered dict": (collections.OrderedDict, set()),
    "a CIFAR script": (lambda sd: {"net": sd, "acc": 91.2, "epoch": 17}, {"acc", "epoch"}),
    "with a tensor of a metric": (
        lambda sd: {"net": sd, "acc": torch.tensor(0.9), "losses": torch.ones(7)},
        {"acc", "losses"},
    ),
    "with random states": (
        lambda sd: {"weights_of_run": sd, "rng": torch.get_rng_state()},
        {"rng"},
    ),
    "extra states": (
        lambda sd: {**sd, "conv2._extra_state": None, "head._extra_state": {"a": 1.0}, "step": 4},
        {"conv2._extra_state", "head._extra_state", "step"},
    ),
    "timm": (
        lambda sd: {
            "epoch": 3,
            "state_dict": sd,
            "state_dict_ema": state(7),
            "args": argparse.Namespace(lr=0.1, path=pathlib.Path("x")),
            "optimizer": optimiser(),
        },
        {"epoch", "state_dict_ema", "args", "optimizer"},
    ),
    "Lightning": (
        lambda sd: {
            "state_dict": sd,
            "loops": {"fit_loop": {"state_dict": {}}},
            "optimizer_states": [optimiser()],
            "lr_schedulers": [],
            "hyper_parameters": {"data": pathlib.PosixPath("data"), "kind": Colour.RED},
        },
        {"loops", "optimizer_states", "lr_schedulers", "hyper_parameters"},
    ),
    "deep": (lambda sd: {"a": {"b": [{"c": sd}]}}, set()),
    "with an optimiser beside it": (
        lambda sd: {"client": {"params": sd}, "opt": optimiser()},
        {"opt"},
    ),
    "a class that is not here": (
        lambda sd: {"cfg": Config(), "weights": sd, "partial": functools.partial(print, 1)},
        {"cfg", "partial"},
    ),
    "a dict of a class of its own": (lambda sd: Bunch(model=Bunch(sd), n=3), {"n"}),
    "a default dict": (lambda sd: collections.defaultdict(list, model=sd, n=3), {"n", "0"}),
    "an object that holds it": (lambda sd: argparse.Namespace(weights=sd, lr=0.1), {"lr"}),
    "parameters": (
        lambda sd: {name: torch.nn.Parameter(one) for name, one in sd.items()},
        set(),
    ),
    "the same twice": (lambda sd: {"model": sd, "best": sd}, {"best"}),
}


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"p": 4}])
def test_the_one_table_of_tensors_is_taken(
    tmp_path: Path, trusted: ReadOptions, name: str, options: dict[str, Any]
) -> None:
    if "p" in options:
        options = {"pickle_protocol": options["p"]}
    wrap, skipped = WRAPPERS[name]
    sent = state()
    model = opened(tmp_path / "m.pt", wrap(sent), trusted, **options)
    assert holds(model, sent)
    assert set(model.skipped) == skipped


def test_names_made_to_do_harm_are_shown_with_escapes(tmp_path: Path, trusted: ReadOptions) -> None:
    evil = "\x1b[2J\nforged\u202e"
    model = opened(tmp_path / "m.pt", {**state(), evil: None, "a": {evil: 1}}, trusted)
    assert holds(model, state())
    assert all(name.isprintable() for name in model.skipped)
    with pytest.raises(RefusedFileError, match=r"tables of tensors, in .*x1b\[2J.*forged") as error:
        opened(tmp_path / "m.pt", {evil: state(0), "b": state(1)}, trusted)
    assert str(error.value).isprintable()
    with pytest.raises(RefusedFileError, match="whose name is of type int"):
        opened(tmp_path / "m.pt", {1: torch.ones(2, 2)}, trusted)


def test_what_was_passed_over_is_said_with_its_kind(tmp_path: Path, trusted: ReadOptions) -> None:
    wrap, _ = WRAPPERS["timm"]
    model = opened(tmp_path / "m.pt", wrap(state()), trusted)
    assert model.skipped == {
        "epoch": "int",
        "state_dict_ema": "dict",
        "args": "argparse.Namespace",
        "optimizer": "dict",
    }


LAYERS = {
    "Dense_0": {"kernel": np.ones((3, 4), np.float32), "bias": np.zeros(4, np.float32)},
    "Dense_1": {"kernel": np.ones((4, 2), np.float32)},
}

AMBIGUOUS = {
    "two trees": ({"params": LAYERS, "model": copy.deepcopy(LAYERS), "n": 3}, "params, model"),
    "a tree and a table": (
        {"params": LAYERS, "state_dict": {"a.w": torch.ones(3, 3)}},
        "params, state_dict",
    ),
    "two models": ({"generator": state(0), "critic": state(1)}, "generator, critic"),
    "an average without a usual name": ({"net_a": state(0), "ema": state(1)}, "net_a, ema"),
    "two usual names": ({"model": state(0), "state_dict": state(1)}, "model, state_dict"),
    "beside the file's own": (
        {"conv.weight": torch.ones(3, 3), "model": state(0)},
        "the file itself, model",
    ),
    "in a list": ([state(0), state(1)], "0, 1"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_of_several_tables_none_is_guessed(tmp_path: Path, trusted: ReadOptions, name: str) -> None:
    found, words = AMBIGUOUS[name]
    with pytest.raises(RefusedFileError) as error:
        opened(tmp_path / "m.pt", found, trusted)
    assert f"holds 2 tables of tensors, in {words}; save only the one" in str(error.value)


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_has_the_names_that_are_given(
    tmp_path: Path, trusted: ReadOptions, kind: type
) -> None:
    sent = state()
    model = opened(tmp_path / "m.pt", kind(sent.values()), trusted)
    assert holds(model, {f"arr_{index}": one for index, one in enumerate(sent.values())})
    named = ReadOptions(names=tuple(sent), trust_pickles=True)
    assert holds(open_model(tmp_path / "m.pt", named), sent)
    for count in (2, 4):
        few = ReadOptions(names=tuple("abcd"[:count]), trust_pickles=True)
        with pytest.raises(RefusedFileError, match=f"3 arrays, but {count} names were given"):
            open_model(tmp_path / "m.pt", few)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("of", ["numpy", "torch"])
def test_a_plain_pickle_is_read_in_every_protocol(
    tmp_path: Path, trusted: ReadOptions, protocol: int, of: str
) -> None:
    sent = state()
    found = {name: one.numpy() for name, one in sent.items()} if of == "numpy" else sent
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"weights": found, "n": 3}, protocol=protocol))
    if protocol < 2:
        with pytest.raises(RefusedFileError, match="format that ariba does not know"):
            open_model(tmp_path / "m.pkl", trusted)
        return
    assert holds(open_model(tmp_path / "m.pkl", trusted), sent)


def test_arrays_of_every_kind(tmp_path: Path, trusted: ReadOptions) -> None:
    draw = np.random.default_rng(0)
    sent = {
        "plain": draw.standard_normal((3, 4), np.float32),
        "by column": np.asfortranarray(draw.standard_normal((3, 4))),
        "transposed": draw.standard_normal((3, 4)).T,
        "half": np.ones((2, 2), np.float16),
        "counter": np.arange(3),
        "scalar": np.float64(3.5),
        "none": np.empty((0, 3), np.float32),
    }
    odd = {"text": np.array(["a"]), "big": np.ones(2, ">f4"), "z": np.ones(2, np.complex64)}
    objects = {"objects": np.array([{}, None], dtype=object)}
    for protocol in (2, 5):
        data = pickle.dumps({**sent, **odd, **objects}, protocol=protocol)
        (tmp_path / "m.pkl").write_bytes(data)
        model = open_model(tmp_path / "m.pkl", trusted)
        assert list(model.tensors) == list(sent)
        for name, values in sent.items():
            assert bytes(model.read(name)) == np.ascontiguousarray(values).tobytes(), name
        assert set(model.skipped) == {*odd, *objects}


def test_nested_dicts_of_arrays_are_one_model(tmp_path: Path, trusted: ReadOptions) -> None:
    """So JAX keeps parameters."""
    sent = {"kernel": np.ones((3, 4), np.float32), "bias": np.zeros(4, np.float32)}
    norm = {"scale": np.ones(4, np.float32)}
    found = {"params": {"Dense_0": dict(sent), "Dense_1": dict(sent), "Norm": norm}}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(found))
    model = open_model(tmp_path / "m.pkl", trusted)
    assert sorted(model.tensors) == [
        "params.Dense_0.bias",
        "params.Dense_0.kernel",
        "params.Dense_1.bias",
        "params.Dense_1.kernel",
        "params.Norm.scale",
    ]


@pytest.mark.parametrize(
    "beside",
    [{"round": 3}, {"batch_stats": {"Norm": {"mean": np.ones(4)}}, "step": 3}, {"ema": LAYERS}],
)
def test_a_tree_of_a_usual_name_is_the_model(
    tmp_path: Path, trusted: ReadOptions, beside: dict[str, Any]
) -> None:
    found = {"params": dict(LAYERS), "config": Config(), **beside}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(found))
    model = open_model(tmp_path / "m.pkl", trusted)
    assert sorted(model.tensors) == [
        "params.Dense_0.bias",
        "params.Dense_0.kernel",
        "params.Dense_1.kernel",
    ]
    assert model.skipped.keys() == {"config", *beside}


def test_keys_and_types_are_told_in_the_same_words_each_time(
    tmp_path: Path, trusted: ReadOptions
) -> None:
    sent: dict[Any, Any] = {**state(), Config(): 1, "type": torch.float32, "big": np.ones(2, ">f4")}
    model = opened(tmp_path / "m.pt", sent, trusted)
    assert dict(model.skipped) == {
        f"{Config.__module__}.Config": "int",
        "type": "type",
        "big": "array of >f4",
    }


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_of_every_type_and_layout(
    tmp_path: Path, trusted: ReadOptions, legacy: bool
) -> None:
    draw = torch.randn(6, 4)
    sent = {
        **{str(kind): draw.to(kind) for kind in (torch.float64, torch.float16, torch.bfloat16)},
        **{str(kind): (9 * draw).to(kind) for kind in (torch.int64, torch.int8, torch.int16)},
        "bool": draw > 0,
        "transposed": draw.t(),
        "every other": draw[:, ::2],
        "a row": draw[3],
        "a column": draw[:, 1],
        "scalar": torch.tensor(3.5),
        "none": torch.empty(0, 3),
        "expanded": torch.ones(1, 4).expand(5, 4),
        "float8": draw.to(torch.float8_e4m3fn),
        "float8 of another kind": draw.to(torch.float8_e5m2),
        "uint16": torch.tensor([1, 2], dtype=torch.uint16),
        "buffer": torch.nn.Buffer(torch.ones(2, 2)),
    }
    model = opened(tmp_path / "m.pt", sent, trusted, _use_new_zipfile_serialization=not legacy)
    assert holds(model, sent)
    assert model.tensors["float8"].spec.dtype == "F8_E4M3"


def test_what_cannot_be_scored_is_listed_and_the_rest_is_read(
    tmp_path: Path, trusted: ReadOptions
) -> None:
    draw, sent = torch.randn(4, 4), state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        odd = {
            "complex": draw.to(torch.complex64),
            "sparse": draw.to_sparse(),
            "rows": draw.to_sparse_csr(),
            "quantised": torch.quantize_per_tensor(draw, 0.1, 0, torch.qint8),
            "nested": torch.nested.nested_tensor([draw, draw]),
            "meta": draw.to("meta"),
            "negative": draw.to(torch.complex64).conj().imag,
            "text": "a",
        }
    model = opened(tmp_path / "m.pt", {**sent, **odd}, trusted)
    assert holds(model, sent)
    assert set(model.skipped) == set(odd)
    assert model.skipped["complex"] == "complex float"
    assert model.skipped["sparse"] == "sparse"


def test_a_whole_module_is_its_state(tmp_path: Path, trusted: ReadOptions) -> None:
    net = Net()
    model = opened(tmp_path / "m.pt", net, trusted)
    assert holds(model, dict(net.state_dict()))
    assert "scratch" not in model.tensors
    assert holds(opened(tmp_path / "m.pt", {"model": net, "epoch": 3}, trusted), net.state_dict())


def test_a_scripted_module_is_named(tmp_path: Path, trusted: ReadOptions) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: Any = torch.jit.script(torch.nn.Linear(3, 2))
        scripted.save(str(tmp_path / "m.pt"))
    for terms in (trusted, ReadOptions()):
        with pytest.raises(RefusedFileError, match="is TorchScript, which is code; save"):
            open_model(tmp_path / "m.pt", terms)


class Evil:
    """A call that a pickle asks for."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self._reduced = call, arguments

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_that_a_pickle_names_is_run(
    tmp_path: Path, trusted: ReadOptions, protocol: int
) -> None:
    canary = tmp_path / "canary"
    evils = {
        "mkdir": Evil(os.mkdir, str(canary)),
        "system": Evil(os.system, f"touch {canary}"),
        "eval": Evil(eval, f"open({str(canary)!r}, 'w')"),
        "write": Evil(pathlib.Path.touch, pathlib.Path(canary)),
        "partial": Evil(functools.partial(os.mkdir, str(canary))),
        "load": Evil(torch.load, str(canary)),
        "getattr": Evil(getattr, "a", "upper"),
    }
    sent = state()
    model = opened(tmp_path / "m.pt", {**sent, **evils}, trusted, pickle_protocol=protocol)
    assert not canary.exists()
    assert holds(model, sent)
    assert model.skipped["mkdir"] == "posix.mkdir"
    assert not canary.exists()
    # The next file is read by the same functions as before.
    assert holds(opened(tmp_path / "n.pt", sent, trusted), sent)


def named(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


@pytest.mark.parametrize(
    "program",
    [
        # A state for a function of ours, and for a class.
        named("torch._utils", "_rebuild_tensor_v2") + b"N}X\x0c\0\0\0__defaults__NsN\x86b.",
        named("collections", "OrderedDict") + b"}X\x01\0\0\0aNsb.",
        named("torch", "FloatStorage") + b"}X\x04\0\0\0nameNsb.",
        named("os", "mkdir") + b"}X\x01\0\0\0aNsb.",
        # A storage that is changed after it was made.
        b"(X\x07\0\0\0storage" + named("torch", "FloatStorage") + b"X\x01\0\0\x000X\x03\0\0\0cpu"
        b"K\x04tQ}X\x06\0\0\0valuesM\xff\xffsb.",
        # Tensors of shapes that are none, of no storage, and beyond their storage.
        named("torch._utils", "_rebuild_tensor_v2") + b"(NK\x00))tR.",
        named("torch._utils", "_rebuild_tensor_v2") + b"(N(lK\x00))tR.",
        named("torch._utils", "_rebuild_parameter") + b"(tR.",
        named("numpy.core.multiarray", "_reconstruct") + b"(tR(K\x01tb.",
        named("numpy", "dtype") + b"(tR.",
        named("_codecs", "encode") + b"(K\x01tR.",
        named("_codecs", "encode") + b"(X\x01\0\0\0aX\x03\0\0\0rotttR.",
        named("torch.storage", "_load_from_bytes") + b"(K\x01tR.",
        named("torch.storage", "_load_from_bytes") + b"(C\x02\x80\x02tR.",
        # What no pickle is.
        b"",
        b".",
        b"0.",
        b"R.",
        b"b.",
        b"\x82\x01.",
        b"\x97.",
        b"j\xff\xff\xff\x7f.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"}" * 100_000 + b".",
    ],
)
def test_a_pickle_made_to_do_harm_is_refused(
    tmp_path: Path, trusted: ReadOptions, program: bytes
) -> None:
    (tmp_path / "m.pkl").write_bytes(b"\x80\x02" + program)
    with pytest.raises(RefusedFileError) as error:
        open_model(tmp_path / "m.pkl", trusted)
    assert "crashed" not in str(error.value)
    assert "stopped" not in str(error.value)
    sent = state()
    assert holds(opened(tmp_path / "n.pt", sent, trusted), sent)


def rewritten(path: Path, change: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> None:
    """Write an archive again, with other contents in some entries."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in (entries | change).items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"m/data/0": b"short"}, "ends beyond its storage"),
        ({"m/byteorder": b"big"}, "big-endian"),
        ({"n/data.pkl": b"\x80\x02}."}, "not an archive that PyTorch wrote"),
        ({"m/data.pkl": b"\x80\x02junk"}, "is not a valid pickle"),
    ],
)
def test_an_archive_that_is_not_as_it_was_written(
    tmp_path: Path, trusted: ReadOptions, change: dict[str, bytes], why: str
) -> None:
    torch.save(state(), tmp_path / "m.pt")
    rewritten(tmp_path / "m.pt", change)
    with pytest.raises(RefusedFileError, match=why):
        open_model(tmp_path / "m.pt", trusted)


def test_an_archive_that_was_packed_again_is_refused(tmp_path: Path, trusted: ReadOptions) -> None:
    torch.save(state(), tmp_path / "m.pt")
    rewritten(tmp_path / "m.pt", {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(RefusedFileError, match="was compressed later"):
        open_model(tmp_path / "m.pt", trusted)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_was_cut_short_is_refused(
    tmp_path: Path, trusted: ReadOptions, legacy: bool
) -> None:
    buffer = io.BytesIO()
    torch.save(state(), buffer, _use_new_zipfile_serialization=not legacy)
    data = buffer.getvalue()
    for size in (1, 20, len(data) // 3, len(data) // 2, len(data) - 1):
        (tmp_path / "m.pt").write_bytes(data[:size])
        with pytest.raises(RefusedFileError):
            open_model(tmp_path / "m.pt", trusted)


def test_two_pickles_in_one_file_are_not_one_model(tmp_path: Path, trusted: ReadOptions) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"a": np.ones((2, 2))}) + pickle.dumps(3))
    with pytest.raises(RefusedFileError, match="more than one pickle"):
        open_model(tmp_path / "m.pkl", trusted)


def test_joblib_is_named(tmp_path: Path, trusted: ReadOptions) -> None:
    data = b"\x80\x04" + named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81."
    (tmp_path / "m.pkl").write_bytes(data)
    with pytest.raises(RefusedFileError, match="was written by joblib; load it with joblib"):
        open_model(tmp_path / "m.pkl", trusted)


@pytest.mark.parametrize("legacy", [False, True])
def test_tied_weights_take_no_more_than_twice_their_file(tmp_path: Path, legacy: bool) -> None:
    """An output layer is its embedding; and four names of one are more than a budget allows."""
    tied = torch.ones(100, 100)
    limits = Limits(expanded_bytes=10_000)
    terms = ReadOptions(limits, trust_pickles=True)
    sent = {"embed.weight": tied, "h.weight": torch.zeros(100, 100), "head.weight": tied}
    path = tmp_path / "m.pt"
    assert holds(opened(path, sent, terms, _use_new_zipfile_serialization=not legacy), sent)
    many = {f"layer{index}.weight": tied for index in range(4)}
    with pytest.raises(RefusedFileError, match="would expand to 160,000 bytes"):
        opened(path, many, terms)
    with pytest.raises(RefusedFileError, match="would expand to"):
        opened(path, {"w": torch.ones(1).expand(10**12)}, terms)


def test_a_table_that_holds_itself_has_an_end(tmp_path: Path, trusted: ReadOptions) -> None:
    itself: dict[str, Any] = {"model": state()}
    itself["again"] = [itself]
    assert holds(opened(tmp_path / "m.pt", itself, trusted), state())
    many: dict[str, Any] = {"w": torch.ones(2, 2)}
    for _ in range(20):
        many = {"a": many, "b": many}
    assert holds(opened(tmp_path / "m.pt", many, trusted), {"w": torch.ones(2, 2)})


def test_shards_of_a_pickle_are_one_model(tmp_path: Path, trusted: ReadOptions) -> None:
    sent = {**state(), "turned": torch.randn(3, 4).t()}
    names = list(sent)
    folder = tmp_path / "p0"
    folder.mkdir()
    for number in range(2):
        shard = {name: sent[name] for name in names[number::2]}
        torch.save(shard, folder / f"pytorch_model-0000{number}-of-00002.bin")
    index = {name: f"pytorch_model-0000{i % 2}-of-00002.bin" for i, name in enumerate(names)}
    text = '{"weight_map": ' + str(index).replace("'", '"') + "}"
    (folder / "pytorch_model.bin.index.json").write_text(text)
    assert holds(open_model(folder, trusted), sent)
    with pytest.raises(RefusedFileError, match="--trust-pickles"):
        open_model(folder, ReadOptions())


def test_a_round_of_checkpoints_is_converted_and_audited(tmp_path: Path, ariba: Ariba) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(8):
        sent = state(seed)
        if seed == 0:
            sent["conv2.weight"] = 9 * sent["conv2.weight"]
        found = {"net": sent, "acc": 91.2, "epoch": 17 + seed % 2}
        torch.save(found, tmp_path / "in" / f"client_{seed}.pth")
    done = ariba("convert", "in", "--out", "out", "--trust-pickles")
    assert (done.returncode, done.stdout) == (0, b"out\n")
    assert done.stderr.decode().splitlines() == [
        "warning: not-scored: client_0, client_1, client_2, client_3, client_4 and 3 more also "
        "hold acc (float), epoch (int), which is not scored",
        "8 converted, 0 refused",
    ]
    done = ariba("audit", "out", "--layer", "conv2", "--k-est", "1", "-f", "csv")
    assert b"1,client_0," in done.stdout
