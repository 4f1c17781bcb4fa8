"""The conversion of any directory of updates to a sealed round, with a record of its sources."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.ids import file_stem
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files.atomic import check_space
from ariba_cli.files.hashing import file_sha256
from ariba_cli.files.opening import read_small
from ariba_cli.files.places import own_name
from ariba_cli.formats import open_model, peft, safetensors
from ariba_cli.formats.model import Model, Scratch
from ariba_cli.formats.tensors import SIZES
from ariba_cli.rounds.beside import not_scored
from ariba_cli.rounds.contents import CONVERSION_NAME, PARTICIPANTS, TRUTH_NAME
from ariba_cli.rounds.differing import chosen_models
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.fairness import outsize, unpacked_bytes
from ariba_cli.rounds.manifest import Kind
from ariba_cli.rounds.members import GLOBAL_STEM, Member
from ariba_cli.rounds.names import is_counter
from ariba_cli.rounds.writing import RoundWriter, new_directory

_LAYOUT = 1
# What grows by more than this when it is written again was made to fill a disk.
_TIMES_FILLED = 8

Opened = list[tuple[Member, Model | Finding]]


@dataclass(frozen=True)
class Converted:
    """The outcome of converting the models of a directory.

    Attributes
    ----------
    participants : tuple of str
        The ids of the participants whose models were written.
    refused : tuple of Finding
        The reasons why other models were not written.
    findings : tuple of Finding
        Further findings about the models that were written.
    """

    participants: tuple[str, ...]
    refused: tuple[Finding, ...]
    findings: tuple[Finding, ...] = ()


def convert(
    round_: Round,
    out: Path,
    *,
    kind: Kind = "weights",
    strict: bool = False,
    resume: bool = False,
    progress: Progress = no_progress,
) -> Converted:
    """Write `round_` to the new directory `out` as safetensors, sealed.

    Every tensor keeps its name, its type and its bits, so that an audit gives the same
    scores; adapters stay adapters. `conversion.json` lists the files that it was made of.

    Parameters
    ----------
    round_ : Round
        The round to convert.
    out : Path
        The new directory.
    kind : str, optional
        The kind of update, `weights` or `difference`; the seal of a sealed round takes precedence.
    strict : bool, optional
        True to stop at the first model that is refused.
    resume : bool, optional
        True to begin again over the rest of `out` that a killed run left.
    progress : Progress, optional
        A callback that receives the number of models that have been converted.

    Raises
    ------
    InputError
        When nothing can be converted, or something cannot and `strict` is set.
    OutputError
        When `out` exists or cannot be written; then nothing is left of it.
    """
    manifest = round_.manifest
    with new_directory(out, resume=resume) as partial:
        conversion = _Conversion(round_, RoundWriter(partial), strict=strict)
        if round_.global_model is not None:
            model = round_.use(round_.global_model, lambda opened: opened)
            conversion.take(round_.global_model, model, GLOBAL_STEM)
        opened = _not_filled_out(list(round_.open_members(round_.participants, progress)))
        check_space(
            partial, sum(unpacked_bytes(one) for _, one in opened if isinstance(one, Model))
        )
        for done, (member, model) in enumerate(opened, 1):
            conversion.take(member, model, conversion.new_stem(member.id))
            progress("converting", done, len(round_.participants))
        conversion.finish(
            number=manifest.round if manifest else _number_in(own_name(round_.root)),
            kind=manifest.kind if manifest else kind,
        )
    return Converted(
        tuple(conversion.written),
        tuple(conversion.refused),
        tuple(conversion.findings),
    )


class _Conversion:
    def __init__(self, round_: Round, writer: RoundWriter, *, strict: bool) -> None:
        self._round = round_
        self._writer = writer
        self._strict = strict
        self._layers: list[str] = []
        self._record: list[dict[str, Any]] = []
        self.written: list[str] = []
        self.refused: list[Finding] = []
        # That the source has no seal is what a conversion is for.
        self.findings = [one for one in round_.findings if one.kind != FindingKind.UNSEALED]
        self._models: dict[str, Model] = {}
        self._stems: set[str] = set()

    def new_stem(self, identifier: str) -> str:
        """Return the path for the model of a participant, without a suffix.

        The id is kept if it can be the name of a file.
        """
        stem = file_stem(identifier)
        while stem in self._stems:
            stem += "~"
        self._stems.add(stem)
        return f"{PARTICIPANTS}/{stem}"

    def take(self, member: Member, opened: Model | Finding, stem: str) -> None:
        """Write the model of one member under another name."""
        model = self._round.use_opened(member, opened, lambda one: self._write(one, stem))
        if isinstance(model, Finding):
            if self._strict:
                raise InputError(f"'{self._round.root / member.path}' {model.detail}")
            self.refused.append(model)
            self._record.append({**asdict(member), "refused": model.detail})
            return
        self._layers = self._layers or [name for name in model.tensors if not is_counter(name)]
        self._record.append({**asdict(member), "format": model.format, "files": _hashes(model)})
        if stem != GLOBAL_STEM:
            self.written.append(member.id)
            self._models[member.id] = model
            name = stem.removeprefix(f"{PARTICIPANTS}/")
            if name != member.id:
                detail = f"is called {name} in the new round, since its id cannot be a file name"
                self.findings.append(Finding(FindingKind.RENAMED, detail, member.id))

    def finish(self, *, number: int, kind: Kind) -> None:
        """Write the record of sources, and the seal."""
        if not self.written:
            first = self.refused[0]
            raise InputError(
                f"'{self._round.root}' holds no update that can be converted: "
                f"{first.participant} {first.detail}"
            )
        if TRUTH_NAME in self._round.files and TRUTH_NAME not in self._round.planted:
            truth = read_small(self._round.root / TRUTH_NAME, self._round.terms.limits)
            self._writer.write(TRUTH_NAME, [truth])
        record = {"layout": _LAYOUT, "models": self._record}
        data = (json.dumps(record, indent=2, allow_nan=False) + "\n").encode("ascii")
        self._writer.write(CONVERSION_NAME, [data])
        manifest = self._round.manifest
        layers = manifest.layers if manifest else self._layers
        self.findings += [*chosen_models(self._models), *not_scored(self._models.items())]
        self._writer.seal(round_number=number, kind=kind, layers=layers)

    def _write(self, model: Model, stem: str) -> Model:
        """Write the files of a model, and return it."""
        if model.format == peft.NAME:
            self._write_adapter(model, stem)
        else:
            self._writer.write(stem + safetensors.SUFFIX, _as_safetensors(model))
        return model

    def _write_adapter(self, model: Model, stem: str) -> None:
        """Write the files of an adapter as they are, with pickled factors as safetensors."""
        with model.reading() as reading:
            for index, (path, stamp) in enumerate(model.files):
                if path.name != peft.PICKLED_WEIGHTS:
                    data = reading.file(index).read(0, stamp.size)
                    self._writer.write(f"{stem}/{path.name}", [data])
                    continue
                stored = open_model(path, model.terms)
                if stored.files != (model.files[index],):
                    raise RefusedFileError("changed while it was read")
                self._writer.write(f"{stem}/{peft.WEIGHTS}", _as_safetensors(stored))


def _not_filled_out(opened: Opened) -> Opened:
    """Refuse outsize updates that are small on disk, because of holes or of compression."""
    beyond = outsize({member.id: one for member, one in opened if isinstance(one, Model)})
    refused = {finding.participant: finding for finding in beyond}
    kept: Opened = []
    for member, one in opened:
        if isinstance(one, Model) and member.id in refused:
            with one.reading() as reading:
                held = sum(reading.file(index).disk_bytes for index in range(len(one.files)))
            if unpacked_bytes(one) > _TIMES_FILLED * held:
                detail = f"{refused[member.id].detail}; it has only {held:,} bytes on disk"
                one = Finding(FindingKind.REFUSED, detail, member.id)
        kept.append((member, one))
    return kept


def _as_safetensors(model: Model) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a safetensors file, tensor by tensor, the widest types first."""
    specs = {name: tensor.spec for name, tensor in model.tensors.items()}
    order = sorted(specs, key=lambda name: -SIZES[specs[name].dtype])
    yield safetensors.encode_header({name: specs[name] for name in order}, model.layout)
    scratch = Scratch()
    with model.reading() as reading:
        for name in order:
            yield from reading.pieces(name, scratch)


def _hashes(model: Model) -> list[dict[str, Any]]:
    with model.reading() as reading:
        return [
            {"name": path.name, "bytes": stamp.size, "sha256": file_sha256(reading.file(index))}
            for index, (path, stamp) in enumerate(model.files)
        ]


def _number_in(name: str) -> int:
    """Return the last number in the name of a directory, such as 42 in `round_0042`."""
    numbers = re.findall(r"[0-9]{1,9}", name)
    return int(numbers[-1]) if numbers else 0
