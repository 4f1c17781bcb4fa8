"""Every network that can be trained: a step, and a run on disk from its rounds to an evaluation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.federated import pretraining
from ariba_cli.federated.datasets import Dataset
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.federated.models import MODELS, Weights, architecture_for
from ariba_cli.federated.training import Engine, LocalTraining, Task, train_alone
from ariba_cli.federated.training.vectorised import VectorisedTraining
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.directory import open_round
from ariba_cli.runs.evaluating import EvaluationSettings, evaluate_model
from ariba_cli.runs.forging import forge
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import read_run, read_run_file
from ariba_cli.runs.simulation import simulate
from tests.conftest import FIXTURES, digits
from tests.test_federated import contents
from tests.test_resume import Killed

TRAINING = LocalTraining(
    optimizer="sgd", epochs=1, batch_size=4, learning_rate=0.01, momentum=0.5, weight_decay=0.001
)
# ResNet18 writes 45 MB a participant, and differs from ResNet8 in its numbers alone.
WRITTEN = [
    *((name, None) for name in MODELS if not name.startswith("resnet18")),
    ("transformer", 2),
]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Let the digits be so few that every network is trained, and pre-trained, in no time."""
    monkeypatch.setattr(pretraining, "_STEPS", 3)
    whole = digits()
    dataset = replace(
        whole,
        train_images=whole.train_images[:60],
        train_labels=whole.train_labels[:60],
        test_images=whole.test_images[:20],
        test_labels=whole.test_labels[:20],
    )
    monkeypatch.setattr("ariba_cli.federated.federation.load_dataset", lambda *_: dataset)
    return dataset


def plan(model: str, lora: int | None = None, **changes: Any) -> Plan:
    settings = FederationSettings(
        model=model, lora=lora, participants=4, rounds=2, training=TRAINING
    )
    return Plan(settings=replace(settings, **changes), keep=Keep(1), format_name="safetensors")


@pytest.mark.parametrize("name", MODELS)
def test_a_step_changes_every_tensor_and_is_the_same_when_vectorised(
    name: str, few: Dataset
) -> None:
    architecture = architecture_for(name, few)
    start = architecture.initial_weights(0)
    # One step: after several, batch normalisation of few samples has made much of the last bits.
    how = replace(TRAINING, batch_size=9)
    work = [Task(few.train_images[:n], few.train_labels[:n], how, 7) for n in (6, 9)]
    together = VectorisedTraining(architecture, "cpu").train(start, work)
    for beside, task in zip(together, work, strict=True):
        alone = train_alone(architecture, start, task)
        assert list(beside) == list(alone) == list(start)
        for tensor, values in alone.items():
            assert not np.array_equal(values, start[tensor]), tensor
            np.testing.assert_allclose(beside[tensor], values, rtol=0, atol=1e-3)


def check_audit(path: Path) -> None:
    """Everybody is ranked, and nothing is amiss with what anybody sent."""
    found = audit(open_round(path), AuditSettings())
    assert [one.id for one in found.inputs if one.status == "ok"] == ["p0", "p1", "p2", "p3"]
    assert len(found.ranking) == 4


@pytest.mark.parametrize(("model", "lora"), WRITTEN)
def test_a_run_is_written_audited_attacked_evaluated_and_resumed(
    model: str, lora: int | None, tmp_path: Path
) -> None:
    asked = plan(model, lora)
    done = simulate(asked, tmp_path / "run")
    second = open_round(done.rounds[1])
    run = read_run(second.root)
    assert (run.settings, run.attack) == (asked.settings, None)
    check_audit(second.root)

    attack = AttackSettings(k=1, sigma=4.0, training=replace(TRAINING, learning_rate=0.001))
    attacked = tmp_path / "run" / "attacked"
    forged = forge(second, run, attacked, attack)
    assert forged.before.accuracy == pytest.approx(run.curve[0].accuracy, abs=1e-6)
    check_audit(attacked)
    before, after = contents(second.root), contents(attacked)
    (name,) = forged.compromised
    changed = {path for path in before if after[path] != before[path]} - {"manifest.json"}
    assert changed
    assert all(path.startswith(f"participants/{name}") for path in changed)

    assert second.global_model is not None
    path = second.root / second.global_model.path
    evaluated = evaluate_model(path, run, EvaluationSettings(triggers=("pattern",)))
    assert evaluated.quality.accuracy == pytest.approx(run.curve[0].accuracy, abs=1e-6)

    def stop(said: str) -> None:
        if said.startswith("round 1:"):
            raise Killed

    with pytest.raises(Killed):
        simulate(asked, tmp_path / "again", say=stop)
    simulate(asked, tmp_path / "again", resume=True)
    whole = {p: h for p, h in contents(tmp_path / "run").items() if not p.startswith("attacked")}
    assert contents(tmp_path / "again") == whole
    # What is complete is left as it is.
    assert simulate(asked, tmp_path / "run", resume=True).rounds == done.rounds


def test_adapters_begin_at_the_pre_trained_network_and_train_nothing_else(few: Dataset) -> None:
    federation = Federation(plan("transformer", 2).settings)
    base = federation.base
    assert base is not None
    start = federation.initial_weights()
    whole = Engine(architecture_for("transformer", few), None, "cpu")
    said = whole.logits(base, few.test_images)
    np.testing.assert_array_equal(federation.engine.logits(start, few.test_images), said)
    assert {name: values.shape for name, values in start.items() if "blocks.0" not in name} == {
        "blocks.1.attn.qkv.lora_A.weight": (2, 64),
        "blocks.1.attn.qkv.lora_B.weight": (192, 2),
        "blocks.1.attn.proj.lora_A.weight": (2, 64),
        "blocks.1.attn.proj.lora_B.weight": (64, 2),
        "blocks.1.mlp.fc1.lora_A.weight": (2, 64),
        "blocks.1.mlp.fc1.lora_B.weight": (128, 2),
        "blocks.1.mlp.fc2.lora_A.weight": (2, 128),
        "blocks.1.mlp.fc2.lora_B.weight": (64, 2),
        "head.weight": (10, 64),
        "head.bias": (10,),
    }
    # What is trained is the network with B·A added to its matrices.
    (trained,) = federation.engine.train(start, [federation.honest_task("p0", 1)])
    merged: Weights = {name: values.copy() for name, values in base.items()}
    for name, values in trained.items():
        if name.endswith("lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            merged[f"{module}.weight"] += trained[f"{module}.lora_B.weight"] @ values
        elif name in merged:
            merged[name] = values
    np.testing.assert_allclose(
        federation.engine.logits(trained, few.test_images),
        whole.logits(merged, few.test_images),
        atol=1e-4,
    )
    # A second federation of the run has no need to pre-train.
    again = Federation(federation.settings, base=base)
    assert all(np.array_equal(values, start[n]) for n, values in again.initial_weights().items())


def test_what_the_server_pre_trains_on_is_dealt_to_nobody(few: Dataset) -> None:
    federation = Federation(plan("transformer", 2).settings)
    assert sum(map(sum, federation.holdings.values())) == 48
    dealt = {images.tobytes() for name in federation.ids for images in federation.samples(name)[0]}
    everything = {image.tobytes() for image in few.train_images}
    assert dealt < everything
    assert len(everything - dealt) == 12


def test_the_rounds_of_adapters_are_as_peft_writes_them(tmp_path: Path) -> None:
    done = simulate(plan("transformer", 2), tmp_path / "run")
    round_ = open_round(done.rounds[0])
    model = open_model(round_.root / "participants" / "p0", ReadOptions())
    assert model.format == "peft"
    assert round_.manifest is not None
    assert list(round_.manifest.layers) == [
        *(
            f"base_model.model.blocks.{block}.{module}.weight"
            for block in (0, 1)
            for module in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
        ),
        "base_model.model.head.weight",
        "base_model.model.head.bias",
    ]
    assert set(model.tensors) == set(round_.manifest.layers)
    stored = dict(
        open_model(
            round_.root / "participants/p0/adapter_model.safetensors", ReadOptions()
        ).floats()
    )
    module = "base_model.model.blocks.0.mlp.fc1"
    product = stored[f"{module}.lora_B.weight"] @ stored[f"{module}.lora_A.weight"]
    changes = dict(model.floats())
    np.testing.assert_allclose(changes[f"{module}.weight"], product, atol=1e-6)


def test_a_run_of_adapters_needs_its_base_model(tmp_path: Path) -> None:
    done = simulate(plan("transformer", 2), tmp_path / "run")
    run, base = read_run(done.rounds[0]), tmp_path / "run" / "base.safetensors"
    other = bytearray(base.read_bytes())
    other[-1] ^= 1
    base.write_bytes(other)
    with pytest.raises(InputError, match="is not the base model of the run: its sha256 differs"):
        run.federation()
    base.unlink()
    with pytest.raises(InputError, match=r"base.safetensors' cannot be opened"):
        run.federation()
    with pytest.raises(InputError, match="is not a round but holds rounds"):
        open_round(tmp_path / "run")


def test_a_run_is_not_finished_on_another_base_model(tmp_path: Path) -> None:
    def stop(said: str) -> None:
        if said.startswith("round 1:"):
            raise Killed

    asked = plan("transformer", 2)
    with pytest.raises(Killed):
        simulate(asked, tmp_path / "run", say=stop)
    base = tmp_path / "run.partial" / "base.safetensors"
    other = bytearray(base.read_bytes())
    other[-1] ^= 1
    base.write_bytes(other)
    with pytest.raises(InputError, match="belongs to another base"):
        simulate(asked, tmp_path / "run", resume=True)
    base.write_bytes((tmp_path / "run.partial/checkpoint_0001.safetensors").read_bytes())
    with pytest.raises(InputError, match="the base model is not the transformer of the run"):
        simulate(asked, tmp_path / "run", resume=True)


def test_what_cannot_be_adapted_or_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--lora does not adapt a cnn; use --model transformer"):
        simulate(plan("cnn", 2), tmp_path / "run")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="adapters are written as safetensors; leave out --format"):
        replace(plan("transformer", 2), format_name="hdf5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"momentum": 1.0}, "momentum must be at least 0 and less than 1, not 1"),
        ({"momentum": 0.5, "optimizer": "adam"}, "--momentum needs --optimizer sgd, not"),
    ],
)
def test_a_momentum_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    settings = plan("mlp", training=replace(TRAINING, **changes)).settings
    with pytest.raises(UsageError, match=message):
        Federation(settings)


def test_a_run_file_of_the_layout_before_is_read() -> None:
    run = read_run_file(FIXTURES / "run.json")
    training = run.settings.training
    assert (training.momentum, training.weight_decay) == (0.0, 0.0)
    assert (run.settings.lora, run.base_sha256, run.federation().base) == (None, None, None)
