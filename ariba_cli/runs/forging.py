"""The attack on a saved honest round: the same round with some participants compromised."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ariba_cli.attacks.attacker import Attacker
from ariba_cli.attacks.outcome import Forged
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import InputError, RefusedFileError, UsageError
from ariba_cli.base.examples import first_few
from ariba_cli.base.progress import Progress, no_message, no_progress
from ariba_cli.federated.federation import Federation, Place
from ariba_cli.federated.models import Weights
from ariba_cli.files.partial import check_free
from ariba_cli.formats import ENCODERS, open_model, peft
from ariba_cli.formats.model import Model
from ariba_cli.rounds.contents import RUN_NAME, TRUTH_NAME
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.manifest import Manifest
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.names import plain_name
from ariba_cli.rounds.truth import Truth
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.runs.run_file import Run


@dataclass(frozen=True)
class _Sent:
    """A model of the honest round: its files by their paths in the round, and its weights."""

    member: Member
    format: str
    files: dict[str, bytes]
    weights: Weights


@dataclass(frozen=True)
class _HonestRound:
    """The whole content of the round that is to be attacked, participants by id."""

    manifest: Manifest
    sent_out: _Sent
    sent: dict[str, _Sent]


def forge(
    round_: Round,
    run: Run,
    out: Path,
    settings: AttackSettings,
    *,
    place: Place | None = None,
    resume: bool = False,
    progress: Progress = no_progress,
    say: Callable[[str], None] = no_message,
) -> Forged:
    """Write `round_` again to the new directory `out`, with some participants compromised.

    With `resume`, the files that a killed run left in `OUT.partial` are removed first: all of it is
    done again. `say` is called with the steps of the work.

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
    round_.check_apart(out)
    with run.federation(place) as federation:
        run.check_data(federation)
        say(f"training {federation.engine.description}")
        honest = _read_round(round_, federation)
        start, number = honest.sent_out.weights, honest.manifest.round
        _check_answered(settings, federation, number)
        attacker = Attacker(federation, settings, federation.answering_in(number))
        weights = {name: one.weights for name, one in honest.sent.items()}
        others = {n: sent for n, sent in weights.items() if n not in attacker.compromised}
        count = len(attacker.compromised)

        def trained(done: int) -> None:
            progress("training the compromised", done, count)

        # Held from here, so that no two runs train for the same directory.
        with new_directory(out, resume=resume) as partial:
            forgeries = attacker.updates(start, others, number, trained, own=weights)
            after = federation.aggregated(start, weights | forgeries, number)
            forged = attacker.forged(start, attacker.measure(after))
            _write_round(partial, honest, forgeries, forged.truth())
    return forged


def _check_answered(settings: AttackSettings, federation: Federation, number: int) -> None:
    """Refuse to compromise a participant that sent nothing in the round.

    Raises
    ------
    UsageError
        Names the first of them, and those that did send.
    """
    answered = federation.answering_in(number)
    for name in settings.compromised:
        if name in federation.ids and name not in answered:
            raise UsageError(
                f"'{name}' sent no update in round {number}: it was not asked, or failed; name "
                f"some of {first_few(answered, 8)}"
            )


def _read_round(round_: Round, federation: Federation) -> _HonestRound:
    """Read the whole round, and check it against its seal and its run."""
    manifest, global_model = round_.manifest, round_.global_model
    if manifest is None or round_.findings:
        why = round_.findings[0].detail
        raise InputError(f"'{round_.root}' is not as ariba sealed it: {why}")
    if global_model is None or manifest.kind != "weights":
        raise InputError(f"'{round_.root}' has no global model to train from")
    if TRUTH_NAME in manifest.files:
        raise InputError(f"'{round_.root}' is already attacked; give an honest round")
    sent_out = _read(round_, manifest, global_model)
    sent = {member.id: _read(round_, manifest, member) for member in round_.participants}
    if list(sent) != federation.answering_in(manifest.round):
        raise InputError(f"'{round_.root}' does not hold the participants of its {RUN_NAME}")
    expected = federation.architecture.shapes()
    if any(_shapes(one.weights) != expected for one in (sent_out, *sent.values())):
        raise InputError(f"'{round_.root}' does not hold the model of its {RUN_NAME}")
    return _HonestRound(manifest, sent_out, sent)


def _write_round(
    partial: Path, honest: _HonestRound, forgeries: dict[str, Weights], truth: Truth
) -> None:
    """Write the round again: forgeries in the place of the honest updates, the rest as it is."""
    manifest = honest.manifest
    writer = RoundWriter(partial, format_name=honest.sent_out.format)
    for one in (honest.sent_out, *honest.sent.values()):
        if one.member.id in forgeries:
            writer.write_participant(one.member.id, forgeries[one.member.id])
        else:
            for path, data in one.files.items():
                writer.write(path, [data])
    writer.write(TRUTH_NAME, [truth.encode()])
    writer.seal(round_number=manifest.round, kind="weights", layers=manifest.layers)


def _read(round_: Round, manifest: Manifest, member: Member) -> _Sent:
    try:
        model = round_.open(member)
        of_adapters = model.format == peft.NAME
        inside = [f"{member.path}/{path.name}" for path, _ in model.files]
        paths = inside if of_adapters else [member.path]
        sealed = member.group is None and all(path in manifest.files for path in paths)
        if not sealed or model.format not in (*ENCODERS, peft.NAME):
            raise RefusedFileError("was not written by ariba simulate; try ariba convert")
        with model.reading() as reading:
            files = {
                path: reading.file(index).read(0, stamp.size)
                for (index, path), (_, stamp) in zip(enumerate(paths), model.files, strict=True)
            }
        for path, data in files.items():
            if hashlib.sha256(data).hexdigest() != manifest.files[path].sha256:
                raise RefusedFileError("is not the file that was sealed: its sha256 differs")
        return _Sent(member, model.format, files, _weights(round_, member, model))
    except RefusedFileError as error:
        raise InputError(f"'{round_.root / member.path}' {error}") from error


def _weights(round_: Round, member: Member, model: Model) -> Weights:
    """Return the weights that a participant trained: of an adapter its factors, uncombined."""
    if model.format == peft.NAME:
        model = open_model(round_.root / member.path / peft.WEIGHTS, round_.terms)
    return {plain_name(name): values.astype(np.float32) for name, values in model.floats()}


def _shapes(weights: Weights) -> dict[str, tuple[int, ...]]:
    return {name: values.shape for name, values in weights.items()}
