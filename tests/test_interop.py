"""Rounds as other systems write them, by those systems themselves where they are installed.

Every one of them is audited with the same scores as the same numbers in our own format.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy
from msgspec.structs import replace

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.progress import no_progress
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from ariba_cli.updates.alignment import align
from ariba_cli.updates.intake import open_sent
from ariba_cli.verdicts.verdict import ExaminedLayer, MarkedLayer
from tests.models import random_model

CLIENTS = 8


def state_dicts() -> Iterator[tuple[str, dict[str, npt.NDArray[np.float32]]]]:
    for client in range(CLIENTS):
        yield f"client_{client}", random_model(client, scale=20.0 if client < 2 else 1.0)


def layer(path: Path, name: str = "conv2", **terms: Any) -> tuple[ExaminedLayer, MarkedLayer]:
    """Return the examined layer, and its marks."""
    settings = AuditSettings(layers=(name,), k_est=KEst.parse(2))
    verdict = audit(open_round(path, ReadOptions(**terms)), settings)
    return verdict.layers[0], verdict.marked_layers[0]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExaminedLayer, MarkedLayer]:
    root = tmp_path_factory.mktemp("ours")
    for name, state in state_dicts():
        safetensors.numpy.save_file(state, root / f"{name}.safetensors")
    return layer(root)


def test_flower_parameters_saved_per_client(
    tmp_path: Path, ours: tuple[ExaminedLayer, MarkedLayer]
) -> None:
    """A strategy has a list of arrays of each client; its documentation saves them so."""
    common = pytest.importorskip("flwr.common")
    for name, state in state_dicts():
        parameters = common.ndarrays_to_parameters(list(state.values()))
        np.savez(tmp_path / f"{name}.npz", *common.parameters_to_ndarrays(parameters))
    names = tuple(random_model(0))
    assert layer(tmp_path, names=names) == ours
    convert(open_round(tmp_path, ReadOptions(names=names)), tmp_path / "converted")
    assert layer(tmp_path / "converted") == ours


def test_torch_state_dicts(tmp_path: Path, ours: tuple[ExaminedLayer, MarkedLayer]) -> None:
    import torch

    for name, state in state_dicts():
        tensors = {key: torch.from_numpy(values) for key, values in state.items()}
        torch.save(tensors, tmp_path / f"{name}.pt")
    convert(open_round(tmp_path, ReadOptions(trust_pickles=True)), tmp_path / "converted")
    assert layer(tmp_path / "converted") == ours


@pytest.mark.filterwarnings("ignore")
def test_lightning_checkpoints(tmp_path: Path) -> None:
    """With the hyperparameters of whoever trained, which are of classes that we do not have."""
    lightning = pytest.importorskip("lightning")
    import torch

    class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters({"data": Path("data"), "rate": 0.1})
            self.body = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 8, 3))

        def training_step(self, batch: Any, _: int) -> Any:
            return self.body(batch[0]).mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    (tmp_path / "in").mkdir()
    images = torch.utils.data.TensorDataset(torch.randn(4, 1, 8, 8))
    for client in range(CLIENTS):
        model = Model()
        trainer = lightning.Trainer(
            max_steps=1,
            logger=False,
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )
        trainer.fit(model, torch.utils.data.DataLoader(images, 2))
        with torch.no_grad():
            weight: Any = model.body[1].weight
            torch.nn.init.normal_(weight, std=9.0 if client < 2 else 1.0)
        trainer.save_checkpoint(tmp_path / "in" / f"client_{client}.ckpt")
    done = convert(open_round(tmp_path / "in", ReadOptions(trust_pickles=True)), tmp_path / "out")
    assert (len(done.participants), done.refused) == (CLIENTS, ())
    assert [one.kind for one in done.findings] == ["not-scored"]
    _, marks = layer(tmp_path / "out", "body.1")
    first = sorted(marks.scores, key=lambda name: -marks.scores[name])
    assert set(first[:2]) == {"client_0", "client_1"}


def test_nvflare_models(tmp_path: Path) -> None:
    """As its persistors keep them: a checkpoint with the configuration of the training beside."""
    formats = pytest.importorskip("nvflare.app_opt.pt.model_persistence_format_manager")
    import torch

    (tmp_path / "in").mkdir()
    for client, (_, state) in enumerate(state_dicts()):
        kept = formats.PTModelPersistenceFormatManager(
            {key: torch.as_tensor(values) for key, values in state.items()},
            default_train_conf={"train": {"model": "Net"}},
        )
        torch.save(kept.to_persistence_dict(), tmp_path / "in" / f"site-{client}.pt")
    done = convert(open_round(tmp_path / "in", ReadOptions(trust_pickles=True)), tmp_path / "out")
    assert (len(done.participants), done.refused) == (CLIENTS, ())
    _, marks = layer(tmp_path / "out")
    first = sorted(marks.scores, key=lambda name: -marks.scores[name])
    assert set(first[:2]) == {"site-0", "site-1"}


def test_the_models_of_a_flower_server_are_named(tmp_path: Path) -> None:
    """Its documentation has it keep `round-N-weights.npz` of every round in one folder."""
    common = pytest.importorskip("flwr.common")
    for number, (_, state) in enumerate(state_dicts(), 1):
        parameters = common.ndarrays_to_parameters(list(state.values()))
        path = tmp_path / f"round-{number}-weights.npz"
        np.savez(path, *common.parameters_to_ndarrays(parameters))
    kinds = [one.kind for one in open_round(tmp_path).findings]
    assert kinds == ["unsealed", "several-rounds"]


def test_formats_of_jax_are_named(tmp_path: Path) -> None:
    serialization = pytest.importorskip("flax.serialization")
    ocp = pytest.importorskip("orbax.checkpoint")
    ones = pytest.importorskip("jax.numpy").ones
    model = {"params": {"Conv_0": {"kernel": ones((3, 3, 1, 8))}}}
    (tmp_path / "a.msgpack").write_bytes(serialization.to_bytes(model))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path.resolve() / "b", model)
    for name, words in (("a.msgpack", "seems to be MessagePack"), ("b", "Orbax checkpoint")):
        with pytest.raises(RefusedFileError, match=words):
            open_model(tmp_path / name, ReadOptions())


def test_peft_adapters(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = torch.nn.Linear(24, 32)
            self.head = torch.nn.Linear(32, 2)

    for client in range(CLIENTS):
        torch.manual_seed(client)
        config = peft.LoraConfig(r=4, lora_alpha=16, target_modules=["attention"])
        adapted = peft.get_peft_model(Model(), config)
        weights = adapted.base_model.model.attention
        torch.nn.init.normal_(weights.lora_B["default"].weight, std=9.0 if client < 2 else 1.0)
        adapted.save_pretrained(tmp_path / "adapters" / f"client_{client}")
        left = weights.lora_B["default"].weight.detach().numpy().astype("f8")
        right = weights.lora_A["default"].weight.detach().numpy().astype("f8")
        product = np.zeros((32, 24))
        for rank in range(4):
            product += left[:, rank : rank + 1] * right[rank]
        product *= 16 / 4
        (tmp_path / "ours").mkdir(exist_ok=True)
        file = tmp_path / "ours" / f"client_{client}.safetensors"
        safetensors.numpy.save_file({"attention.weight": product}, file)
        change = weights.get_delta_weight("default").detach().numpy()
        np.testing.assert_allclose(product, change, rtol=1e-4, atol=1e-5)
    found, marks = layer(tmp_path / "adapters", "attention")
    expected, expected_marks = layer(tmp_path / "ours", "attention")
    # Of an adapter the factors are hashed.
    assert replace(found, tensor_sha256=expected.tensor_sha256) == expected
    assert marks == expected_marks
    assert min(marks.scores["client_0"], marks.scores["client_1"]) > max(
        score for name, score in marks.scores.items() if name not in ("client_0", "client_1")
    )


def _delta(layer: Any) -> npt.NDArray[np.float64]:
    """ΔW as the library has it; of a grouped convolution, by what the layer adds to its output."""
    import torch

    base = layer.get_base_layer()
    if getattr(base, "groups", 1) == 1:
        return np.asarray(layer.get_delta_weight("default").detach().numpy(), np.float64)
    size = [*base.kernel_size]
    inputs = torch.eye(base.in_channels * int(np.prod(size)))
    inputs = inputs.reshape(-1, base.in_channels, *size)
    with torch.no_grad():
        added = layer.lora_B["default"](layer.lora_A["default"](inputs)) * layer.scaling["default"]
    return np.asarray(added.reshape(len(inputs), -1).T.reshape(-1, base.in_channels, *size))


@pytest.mark.filterwarnings("ignore:LoRA adapter added", "ignore:Setting `save_embedding")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {r"conv\d": 8}, "alpha_pattern": {r"^lin.*|embed": 3, r"(.*\.)?c\w+2": 5}},
        {"alpha_pattern": {r".*blocks\.[13]\..*(q|v)$": 64, r"q": 7}},
        {"bias": "lora_only", "lora_dropout": 0.1},
    ],
)
def test_changes_are_those_of_the_library(tmp_path: Path, options: dict[str, Any]) -> None:
    peft = pytest.importorskip("peft")
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(30, 16)
            self.linear = nn.Linear(16, 24)
            self.conv1 = nn.Conv1d(8, 12, 3)
            self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
            self.conv3 = nn.Conv3d(4, 8, (1, 2, 3))
            self.point = nn.Conv2d(8, 16, 1)
            self.grouped = nn.Conv2d(8, 16, 3, groups=4)
            self.blocks = nn.ModuleList(
                nn.ModuleDict({"q": nn.Linear(16, 16), "v": nn.Linear(16, 8)}) for _ in range(4)
            )

    torch.manual_seed(3)
    config = peft.LoraConfig(
        r=4,
        lora_alpha=16,
        target_modules=["embed", "linear", "conv1", "conv2", "conv3", "point", "grouped", "q", "v"],
        init_lora_weights=False,
        **options,
    )
    adapted = peft.get_peft_model(Model(), config)
    adapted.save_pretrained(tmp_path / "p", safe_serialization=True)
    found = dict(open_model(tmp_path / "p", ReadOptions()).floats())
    layers = {
        name: layer for name, layer in adapted.named_modules() if hasattr(layer, "get_delta_weight")
    }
    assert len(layers) == 15
    for name, layer in layers.items():
        np.testing.assert_allclose(found[f"{name}.weight"], _delta(layer), rtol=1e-4, atol=1e-5)


def test_changes_of_layers_that_hold_their_weight_the_other_way(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    pytorch_utils = pytest.importorskip("transformers.pytorch_utils")
    import torch

    torch.manual_seed(4)
    model = torch.nn.ModuleDict({"c_attn": pytorch_utils.Conv1D(12, 20)})
    config = peft.LoraConfig(
        r=4, target_modules=["c_attn"], fan_in_fan_out=True, init_lora_weights=False
    )
    adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(tmp_path / "p")
    ((name, found),) = open_model(tmp_path / "p", ReadOptions()).floats()
    layer = adapted.base_model.model["c_attn"]
    assert found.shape == layer.weight.shape == (20, 12)
    np.testing.assert_allclose(found, _delta(layer), rtol=1e-4, atol=1e-5)
    assert name == "base_model.model.c_attn.weight"


def first_of(path: Path, **settings: Any) -> str:
    """Return who ranks first by the paper's method."""
    return audit(open_round(path), AuditSettings(k_est=KEst.parse(1), **settings)).ranking[0].id


def test_factors_as_the_library_has_them_in_a_state_dict(tmp_path: Path) -> None:
    """FlowerTune sends what `get_peft_model_state_dict` gives, without a configuration."""
    peft = pytest.importorskip("peft")
    import safetensors.torch
    import torch

    for client in range(CLIENTS):
        torch.manual_seed(client)
        config = peft.LoraConfig(r=4, target_modules=["0"], init_lora_weights=False)
        adapted = peft.get_peft_model(torch.nn.Sequential(torch.nn.Linear(24, 32)), config)
        layer = adapted.base_model.model[0]
        if client == 3:
            layer.lora_B["default"].weight.data *= 9
        sent = peft.get_peft_model_state_dict(adapted)
        safetensors.torch.save_file(sent, tmp_path / f"client_{client}.safetensors")
        if client == 0:
            expected = layer.get_delta_weight("default").detach().numpy() / layer.scaling["default"]
    assert first_of(tmp_path) == "client_3"
    submissions = open_sent(open_round(tmp_path), (), no_progress)
    align(submissions, None, by_order=False)
    model = submissions.submissions[0].model
    assert model is not None
    ((name, change),) = model.floats()
    assert name == "base_model.model.0.weight"
    np.testing.assert_allclose(change, expected, rtol=1e-4, atol=1e-5)


def keras_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Any]]:
    """CNNs with batch normalisation, one after the other in one process."""
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    for client in range(CLIENTS):
        keras.utils.set_random_seed(client)
        layers = keras.layers
        yield (
            client,
            keras.Sequential(
                [
                    keras.Input((12, 12, 3)),
                    layers.Conv2D(16, 3),
                    layers.BatchNormalization(),
                    layers.Conv2D(24, 3),
                    layers.Flatten(),
                    layers.Dense(10),
                ]
            ),
        )


def boosted(model: Any) -> Any:
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(layer.kernel * 9)
    return model


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_keras_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for client, model in keras_models(monkeypatch):
        if client == 3:
            boosted(model)
        model.save_weights(tmp_path / f"client_{client}.weights.h5")
    found = inspect_round(open_round(tmp_path))
    assert [layer.name.rpartition("/")[0] for layer in found.statistics] == [
        "layers/batch_normalization/vars"
    ] * 2
    assert first_of(tmp_path) == "client_3.weights"
    verdict = audit(open_round(tmp_path), AuditSettings(layers=("layers/conv2d_1/vars/0",)))
    assert verdict.layers[0].shape == (24, 16, 3, 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_keras_arrays_of_models_whose_names_count_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client, model in keras_models(monkeypatch):
        if client == 3:
            boosted(model)
        arrays = {one.path: np.asarray(one) for one in model.weights}
        safetensors.numpy.save_file(arrays, tmp_path / f"client_{client}.safetensors")
    with pytest.raises(InputError, match="--by-order"):
        first_of(tmp_path)
    assert first_of(tmp_path, by_order=True) == "client_3"


def test_flax_parameters(tmp_path: Path) -> None:
    jax = pytest.importorskip("jax")
    linen = pytest.importorskip("flax.linen")
    traverse_util = pytest.importorskip("flax.traverse_util")

    class Network(linen.Module):  # type: ignore[misc, name-defined]
        @linen.compact  # type: ignore[untyped-decorator]
        def __call__(self, images: Any) -> Any:
            hidden = linen.Conv(16, (3, 3))(images)
            hidden = linen.BatchNorm(use_running_average=False)(hidden)
            hidden = linen.Conv(24, (3, 3))(hidden)
            return linen.Dense(10)(hidden.reshape(len(hidden), -1))

    for client in range(CLIENTS):
        variables = Network().init(jax.random.key(client), np.zeros((1, 8, 8, 3)))
        flat = traverse_util.flatten_dict(variables, sep="/")
        arrays = {name: np.asarray(one) for name, one in flat.items()}
        if client == 3:
            arrays = {k: 9 * v if k.endswith("kernel") else v for k, v in arrays.items()}
        safetensors.numpy.save_file(arrays, tmp_path / f"client_{client}.safetensors")
    found = inspect_round(open_round(tmp_path))
    assert {layer.name for layer in found.statistics} == {
        "batch_stats/BatchNorm_0/mean",
        "batch_stats/BatchNorm_0/var",
    }
    assert first_of(tmp_path) == "client_3"


def test_mlx_weights(tmp_path: Path) -> None:
    mx = pytest.importorskip("mlx.core")
    nn = pytest.importorskip("mlx.nn")
    utils = pytest.importorskip("mlx.utils")
    for client in range(CLIENTS):
        mx.random.seed(client)
        model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 24, 3), nn.Linear(24, 10))
        arrays = dict(utils.tree_flatten(model.parameters()))
        if client == 3:
            arrays = {k: 9 * v if k.endswith("weight") else v for k, v in arrays.items()}
        path = tmp_path / f"client_{client}.safetensors"
        mx.save_safetensors(str(path), arrays, {"format": "mlx"})
    assert first_of(tmp_path) == "client_3"
    verdict = audit(open_round(tmp_path), AuditSettings(layers=("layers.1.weight",)))
    assert verdict.layers[0].shape == (24, 16, 3, 3)
