"""Attacked rounds on disk, each made once, and the effect of each attack on the model."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ariba_cli.aggregation.in_memory import next_model
from ariba_cli.attacks.attacker import Attacker
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.federated.federation import Federation, Place
from ariba_cli.federated.models import Weights
from ariba_cli.federated.quality import labels_said
from ariba_cli.files.atomic import write_atomically
from ariba_cli.rounds.contents import TRUTH_NAME
from ariba_cli.rounds.directory import Round, open_round
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.names import statistics_among
from ariba_cli.rounds.truth import Truth, read_truth
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.runs.forging import forge
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import Run, read_run
from ariba_cli.runs.simulation import simulate
from benchmarks.detection.adaptive import Known, Update, changed
from benchmarks.detection.matrix import Attack

_EFFECT = "effect.json"
_DECIMALS = 4


@dataclass(frozen=True)
class Effect:
    """The effect of an attack on the global model.

    Attributes
    ----------
    accuracy_before, accuracy_after : float
        The accuracy on the test set, before the round and after plain FedAvg of it.
    works_before, works_after : float
        X'%, the share of images with the trigger that are taken for the target class; where
        labels are flipped, of images of the source class.
    """

    accuracy_before: float
    accuracy_after: float
    works_before: float
    works_after: float


def attacked_round(
    clean: Path, attack: Attack, folder: Path, data_dir: Path | None
) -> tuple[Path, Effect]:
    """Return the round that an attack makes of an honest one, and its effect on the model."""
    place = folder / attack.name
    path, effect = place / "attacked", place / _EFFECT
    if attack.rounds > 1:
        path = place / "run" / clean.name
    if effect.exists():
        return path, Effect(**json.loads(effect.read_bytes()))
    place.mkdir(parents=True, exist_ok=True)
    run = read_run(clean)
    with run.federation(Place(data_dir=data_dir)) as federation:
        settings = attack.settings(run.settings, federation.dataset.classes)
        if not path.exists():
            _make(clean, run, path, attack, settings, data_dir)
            if attack.rounds == 1:
                _share_files(clean, path)
        if attack.is_plain:
            found = _effect_told(read_truth(path))
        else:
            found = _effect(open_round(path), Attacker(federation, settings), federation, attack)
    write_atomically(effect, [json.dumps(asdict(found)).encode()])
    return path, found


def model_of(round_: Round) -> Weights:
    """Return the global model of a round, tensor by tensor in model order."""
    assert round_.global_model is not None
    return _weights_of(round_, round_.global_model)


def updates_of(round_: Round) -> dict[str, Weights]:
    """Return the weights that each participant sent, by id; adapters as products of factors."""
    return {one.id: _weights_of(round_, one) for one in round_.participants}


def output_of(model: Weights) -> str | None:
    """Return the name of the output layer, the last one that `ariba simulate` trains.

    It is None in a model of adapters alone, which have no bias.
    """
    biases = [name for name in model if name.endswith(".bias")]
    return biases[-1].removesuffix(".bias") if biases else None


def _make(
    clean: Path,
    run: Run,
    path: Path,
    attack: Attack,
    settings: AttackSettings,
    data_dir: Path | None,
) -> None:
    if attack.rounds > 1:
        plan = Plan(settings=run.settings, attack=settings, keep=Keep(), format_name="safetensors")
        simulate(plan, path.parent, place=Place(data_dir=data_dir), resume=True)
        return
    simple = path.with_name("without-tricks") if attack.tricks else path
    if not simple.exists():
        forge(open_round(clean), run, simple, settings, place=Place(data_dir=data_dir), resume=True)
    if attack.tricks:
        _trick(open_round(simple), path, attack)


def _trick(round_: Round, path: Path, attack: Attack) -> None:
    """Write a round again with the updates of the compromised changed by tricks."""
    truth = read_truth(round_.root)
    model, sent = model_of(round_), updates_of(round_)
    statistics = statistics_among({name: values.shape for name, values in model.items()})
    start = {
        name: values.astype(np.float64) for name, values in model.items() if name not in statistics
    }
    deltas = {
        name: {key: weights[key].astype(np.float64) - start[key] for key in start}
        for name, weights in sent.items()
    }
    honest = [own for name, own in deltas.items() if name not in truth.compromised]
    output = output_of(model)
    assert output is not None
    known = Known(start, honest, output)
    for name in truth.compromised:
        sent[name] |= _weights(start, changed(deltas[name], known, attack.tricks))
    assert round_.manifest is not None
    with new_directory(path, resume=True) as partial:
        writer = RoundWriter(partial)
        writer.write_global(model)
        for name, weights in sent.items():
            writer.write_participant(name, weights)
        done = Truth(truth.compromised, {**truth.attack, "tricks": list(attack.tricks)})
        writer.write(TRUTH_NAME, [done.encode()])
        writer.seal(
            round_number=round_.manifest.round, kind="weights", layers=round_.manifest.layers
        )


def _weights(start: Mapping[str, np.ndarray], update: Update) -> Weights:
    return {name: (start[name] + values).astype(np.float32) for name, values in update.items()}


def _share_files(clean: Path, attacked: Path) -> None:
    """Keep the files that are equal in both rounds once on the disk."""
    one, other = open_round(clean).manifest, open_round(attacked).manifest
    assert one is not None
    assert other is not None
    for name, listed in other.files.items():
        known = one.files.get(name)
        if known is not None and known.sha256 == listed.sha256:
            link = attacked / f"{name}.link"
            link.unlink(missing_ok=True)
            os.link(clean / name, link)
            os.replace(link, attacked / name)


def _effect_told(truth: Truth) -> Effect:
    """Return the effect that `ariba attack` has measured."""
    before, after = truth.attack["before"], truth.attack["after"]
    figures = [one["accuracy"] for one in (before, after)]
    figures += [one["backdoor_accuracy"] for one in (before, after)]
    return Effect(*(round(one, _DECIMALS) for one in figures))


def _effect(round_: Round, attacker: Attacker, federation: Federation, attack: Attack) -> Effect:
    before = model_of(round_)
    after = next_model(before, updates_of(round_), federation.settings.eta)
    measured = [attacker.measure(weights) for weights in (before, after)]
    works = [one.backdoor_accuracy for one in measured]
    if attack.flips_labels:
        works = [_flipped(federation, attacker, weights) for weights in (before, after)]
    figures = [*(one.accuracy for one in measured), *works]
    return Effect(*(round(one, _DECIMALS) for one in figures))


def _flipped(federation: Federation, attacker: Attacker, weights: Weights) -> float:
    """Return the share of test images of the source class that are taken for the target class."""
    dataset, target = federation.dataset, attacker.settings.target_class
    source = (target + 1) % dataset.classes
    images = dataset.test_images[dataset.test_labels == source]
    return float(np.mean(labels_said(federation.engine.logits(weights, images)) == target))


def _weights_of(round_: Round, member: Member) -> Weights:
    assert round_.manifest is not None
    found = {name: values.astype(np.float32) for name, values in round_.open(member).floats()}
    # What adapters come to has other names than their factors.
    ordered = [name for name in round_.manifest.layers if name in found]
    return {name: found[name] for name in (ordered or found)}
