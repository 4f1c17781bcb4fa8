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
from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import ExaminedLayer, MarkedLayer
from tests.models import random_model

CLIENTS = 8


def state_dicts() -> Iterator[tuple[str, dict[str, npt.NDArray[np.float32]]]]:
    for client in range(CLIENTS):
        yield f"client_{client}", random_model(client, scale=20.0 if client < 2 else 1.0)


def layer(path: Path, name: str = "conv2", **terms: Any) -> tuple[ExaminedLayer, MarkedLayer]:
    """What was examined of a layer, and its marks."""
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
    """What a strategy has of each client are lists of arrays; its documentation saves them so."""
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
    for name, words in (("a.msgpack", "seems to be MessagePack"), ("b", "checkpoint of Orbax")):
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
