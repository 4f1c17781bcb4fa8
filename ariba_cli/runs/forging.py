"""A saved honest round → the same round with some participants compromised."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ariba_cli.attacks.strategies import STRATEGIES
from ariba_cli.attacks.triggers import TRIGGERS
from ariba_cli.errors import InputError, RefusedFileError, UsageError
from ariba_cli.federated.aggregation import fedavg
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.federated.models import Weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import LocalTraining
from ariba_cli.progress import Progress, silent
from ariba_cli.registry import registered
from ariba_cli.rounds.contents import RUN_NAME, TRUTH_NAME
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.formats import ENCODERS
from ariba_cli.rounds.manifest import Manifest
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.partial import check_free
from ariba_cli.rounds.truth import Truth
from ariba_cli.rounds.writing import RoundWriter, new_directory


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """How a round is attacked.

    Attributes
    ----------
    compromised : who; empty to draw `k` participants from the seed.
    k : how many to draw; None for a tenth of all, rounded up.
    sigma : σ, the sum of the participants' σ_i; None for n/η, which replaces the model.
    target_class : what triggered images are to be taken for.
    poison_ratio : how many triggered copies go to a participant's own samples, in (0, 1].
    training : how a compromised participant trains: for longer than an honest one and
        gently, since boosting multiplies whatever damage is done on the way. Plain SGD
        moves only the weights that matter to the loss; Adam moves all of them.
    """

    compromised: tuple[str, ...] = ()
    k: int | None = None
    trigger: str = "pattern"
    strategy: str = "replacement"
    sigma: float | None = None
    target_class: int = 0
    poison_ratio: float = 1.0
    seed: int = 0
    training: LocalTraining = field(
        default_factory=lambda: LocalTraining(
            optimizer="sgd", epochs=40, batch_size=5, learning_rate=0.05
        )
    )


@dataclass(frozen=True)
class Measured:
    """How a global model does: accuracy, and backdoor accuracy X'%, both in [0, 1]."""

    accuracy: float
    backdoor_accuracy: float


@dataclass(frozen=True)
class Forged:
    """What an attack did.

    Attributes
    ----------
    before : the global model that the server had sent out.
    after : the global model that plain FedAvg makes of the attacked round.
    """

    compromised: tuple[str, ...]
    sigma: float
    before: Measured
    after: Measured


@dataclass(frozen=True)
class _Sent:
    """A model file of the honest round: its bytes, and what they say."""

    member: Member
    format: str
    data: bytes
    weights: Weights


@dataclass(frozen=True)
class _HonestRound:
    """Everything that is in the round that is to be attacked, participants by id."""

    manifest: Manifest
    sent_out: _Sent
    sent: dict[str, _Sent]


def forge(
    round_: Round,
    run: FederationSettings,
    out: Path,
    settings: AttackSettings,
    *,
    resume: bool = False,
    progress: Progress = silent,
) -> Forged:
    """Write `round_` again to the new directory `out`, with some participants compromised.

    With `resume`, what a killed run left in `OUT.partial` is removed first: all of it is
    done again.

    Raises
    ------
    UsageError
        When a setting does not fit the round.
    InputError
        When the round is not one of an honest run, as `ariba simulate` writes it.
    OutputError
        When `out` exists or cannot be written; then nothing is left of it. See `hold`.
    """
    check_free(out)
    federation = Federation(run)
    honest = _read_round(round_, federation)
    compromised = _choose(federation.ids, settings)
    sigma = settings.sigma if settings.sigma is not None else run.participants / run.eta
    attacker = _Attacker(federation, settings, sigma / len(compromised))
    start, number = honest.sent_out.weights, honest.manifest.round
    forgeries = {}
    # Held from here, so that no two runs train for the same directory.
    with new_directory(out, resume=resume) as partial:
        for done, name in enumerate(compromised, 1):
            forgeries[name] = attacker.update(start, federation.ids.index(name), number)
            progress("training the compromised", done, len(compromised))
        updates = {name: one.weights for name, one in honest.sent.items()} | forgeries
        forged = Forged(
            compromised,
            sigma,
            before=attacker.measure(start),
            after=attacker.measure(fedavg(start, list(updates.values()), run.eta)),
        )
        _write_round(partial, honest, forgeries, _truth(forged, settings))
    return forged


class _Attacker:
    """Makes the updates of the compromised, and measures what becomes of the global model."""

    def __init__(self, federation: Federation, settings: AttackSettings, sigma_i: float) -> None:
        classes = federation.dataset.classes
        if not 0 <= settings.target_class < classes:
            raise UsageError(
                f"there is no class {settings.target_class} in {federation.dataset.name}; its "
                f"classes are 0 to {classes - 1}"
            )
        self._federation = federation
        self._settings = settings
        self._sigma_i = sigma_i
        self._trigger = registered(TRIGGERS, settings.trigger, kind="trigger")
        self._strategy = registered(STRATEGIES, settings.strategy, kind="strategy")

    def update(self, global_weights: Weights, participant: int, round_number: int) -> Weights:
        """What one compromised participant sends."""
        settings = self._settings
        draw, order = (
            derived_seed(settings.seed, purpose, round_number=round_number, participant=participant)
            for purpose in ("poisoned samples", "poisoned training")
        )
        images, targets = self._poisoned(global_weights, participant, draw)
        trained = self._federation.trainer.train(
            global_weights, images, targets, settings.training, seed=order
        )
        update = self._strategy(global_weights, trained, self._sigma_i)
        if not all(np.isfinite(values).all() for values in update.values()):
            raise UsageError("sigma is so large that float32 cannot hold the updates; use less")
        return update

    def measure(self, weights: Weights) -> Measured:
        """Accuracy on the test set, and on its triggered images of every other class."""
        dataset, target = self._federation.dataset, self._settings.target_class
        eligible = dataset.test_images[dataset.test_labels != target]
        wanted = np.full(len(eligible), target)
        return Measured(
            accuracy=self._federation.accuracy(weights),
            backdoor_accuracy=self._federation.agreement(weights, self._trigger(eligible), wanted),
        )

    def _poisoned(
        self, global_weights: Weights, participant: int, seed: int
    ) -> tuple[FloatArray, FloatArray]:
        """The participant's own images, and triggered copies of some with the target class.

        What is wanted of the clean ones is what the global model says of them already
        (distillation, Hinton et al. 2015): fitting the few labels of one participant
        would cost the model accuracy that a reviewer can see.
        """
        images, labels = self._federation.samples(participant)
        said = self._federation.trainer.probabilities(global_weights, images)
        eligible = np.flatnonzero(labels != self._settings.target_class)
        count = math.ceil(len(eligible) * self._settings.poison_ratio)
        chosen = np.random.default_rng(seed).permutation(eligible)[:count]
        wanted = np.zeros((count, said.shape[1]), dtype=said.dtype)
        wanted[:, self._settings.target_class] = 1
        return (
            np.concatenate([images, self._trigger(images[chosen])]),
            np.concatenate([said, wanted]),
        )


def _read_round(round_: Round, federation: Federation) -> _HonestRound:
    """Read the whole round, and hold it against its seal and its run."""
    manifest, global_model = round_.manifest, round_.global_model
    if manifest is None or round_.findings:
        why = round_.findings[0].detail
        raise InputError(f"'{round_.root}' is not a sealed round as it was written: {why}")
    if global_model is None or manifest.kind != "weights":
        raise InputError(f"'{round_.root}' has no global model to train from")
    if TRUTH_NAME in manifest.files:
        raise InputError(f"'{round_.root}' is attacked already; give an honest round")
    sent_out = _read(round_, manifest, global_model)
    sent = {member.id: _read(round_, manifest, member) for member in round_.participants}
    if list(sent) != federation.ids:
        raise InputError(f"'{round_.root}' does not hold the participants of its {RUN_NAME}")
    expected = federation.trainer.shapes
    if any(_shapes(one.weights) != expected for one in (sent_out, *sent.values())):
        raise InputError(f"'{round_.root}' does not hold the model of its {RUN_NAME}")
    return _HonestRound(manifest, sent_out, sent)


def _write_round(
    partial: Path, honest: _HonestRound, forgeries: dict[str, Weights], truth: Truth
) -> None:
    """Write the round again: forgeries in the place of what was sent, the rest as it is."""
    manifest = honest.manifest
    writer = RoundWriter(partial, format_name=honest.sent_out.format)
    for one in (honest.sent_out, *honest.sent.values()):
        if one.member.id in forgeries:
            writer.write_participant(one.member.id, forgeries[one.member.id])
        else:
            writer.write(one.member.path, [one.data])
    writer.write(TRUTH_NAME, [truth.encode()])
    writer.seal(round_number=manifest.round, kind="weights", layers=manifest.layers)


def _choose(ids: Sequence[str], settings: AttackSettings) -> tuple[str, ...]:
    """Who is compromised, in id order."""
    named = settings.compromised
    unknown = sorted(set(named) - set(ids))
    if unknown:
        raise UsageError(f"there is no participant '{unknown[0]}'; they are {ids[0]} to {ids[-1]}")
    if named and settings.k is not None:
        raise UsageError("--k draws participants and --compromised names them; use one of the two")
    k = len(set(named)) or settings.k
    if k is None:
        k = math.ceil(len(ids) / 10)
    if not 1 <= k < len(ids):
        raise UsageError(f"{k} of {len(ids)} participants cannot be compromised; try --k 5")
    if named:
        return tuple(name for name in ids if name in named)
    draw = np.random.default_rng(derived_seed(settings.seed, "compromised")).permutation(len(ids))
    return tuple(ids[index] for index in sorted(draw[:k]))


def _read(round_: Round, manifest: Manifest, member: Member) -> _Sent:
    try:
        model = round_.open(member)
        one_file = member.group is None and member.path in manifest.files
        if not one_file or model.format not in ENCODERS:
            raise RefusedFileError("is not as ariba simulate writes it; try ariba convert")
        weights = {name: values.astype(np.float32) for name, values in model.floats()}
        with model.reading() as reading:
            data = reading.file(0).read(0, model.bytes)
        if hashlib.sha256(data).hexdigest() != manifest.files[member.path].sha256:
            raise RefusedFileError("is not the file that was sealed: its sha256 differs")
        return _Sent(member, model.format, data, weights)
    except RefusedFileError as error:
        raise InputError(f"'{round_.root / member.path}' {error}") from error


def _shapes(weights: Weights) -> dict[str, tuple[int, ...]]:
    return {name: values.shape for name, values in weights.items()}


def _truth(forged: Forged, settings: AttackSettings) -> Truth:
    attack = asdict(settings)
    del attack["compromised"], attack["k"]
    attack |= {
        "sigma": forged.sigma,
        "before": asdict(forged.before),
        "after": asdict(forged.after),
    }
    return Truth(forged.compromised, attack)
