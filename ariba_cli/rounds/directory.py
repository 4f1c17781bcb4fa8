"""A directory of updates, as it was found: who is in it, and what its seal says."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.errors import InputError, RefusedFileError
from ariba_cli.findings import Finding, FindingKind
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.manifest import Manifest
from ariba_cli.rounds.models import ModelFile, open_model
from ariba_cli.rounds.opening import MOST_JSON_BYTES, open_file

PARTICIPANTS = "participants"
PARTIAL_SUFFIX = ".partial"
RUN_NAME = "run.json"
TRUTH_NAME = "truth.json"
GLOBAL_STEM = "global"
_NOT_MODELS = (manifests.NAME, TRUTH_NAME, RUN_NAME)


@dataclass(frozen=True)
class Member:
    """A model file of a round.

    Attributes
    ----------
    id : the participant's id: the stem of the file's name. It is data, never a path.
    path : where the file is, relative to the round, with `/`.
    """

    id: str
    path: str


@dataclass(frozen=True)
class Round:
    """A round on disk. Nothing but its manifest has been opened yet.

    Attributes
    ----------
    root : the directory.
    participants : one member per participant, ordered by the UTF-8 bytes of the ids.
    global_model : the model that the server sent out, where there is one.
    others : files of ours that are no models, as `truth.json`, but for the manifest.
    manifest : the seal, where there is a sound one.
    findings : what the directory and its seal say against each other.
    """

    root: Path
    participants: tuple[Member, ...]
    global_model: Member | None
    others: tuple[str, ...]
    manifest: Manifest | None
    findings: tuple[Finding, ...]

    def open(self, member: Member) -> AbstractContextManager[ModelFile]:
        """Open one model file; see `open_model`."""
        return open_model(self.root / member.path)


def id_order(identifier: str) -> bytes:
    """The key by which ids are ordered: their UTF-8 bytes."""
    return identifier.encode("utf-8", "surrogateescape")


def open_round(path: Path) -> Round:
    """Look at a directory of updates, without opening the updates.

    Raises
    ------
    InputError
        When there is no such directory, it is unfinished, or it holds no updates.
    """
    _check_directory(path)
    found = sorted(_entries(path))
    models = [entry for entry in found if not (entry in _NOT_MODELS and _is_json(path / entry))]
    called_global = [e for e in models if _stem(e) == GLOBAL_STEM and "/" not in e]
    # Of several it is not known which is the global model: all are shown as participants.
    global_path = called_global[0] if len(called_global) == 1 else None
    participants = [entry for entry in models if entry != global_path]
    if not participants:
        raise InputError(f"'{path}' holds no updates; a round has one model file per participant")
    manifest, findings = _read_seal(path, found)
    return Round(
        root=path,
        participants=tuple(_members(participants)),
        global_model=Member(GLOBAL_STEM, global_path) if global_path else None,
        others=tuple(sorted(set(found) - {*models, manifests.NAME})),
        manifest=manifest,
        findings=tuple(findings),
    )


def _check_directory(path: Path) -> None:
    if path.name.endswith(PARTIAL_SUFFIX):
        raise InputError(f"'{path}' was never finished; audit a round that was sealed")
    if os.path.isfile(path):
        raise InputError(f"'{path}' is a file, not a round directory; try ariba inspect {path}")
    if not os.path.isdir(path):
        raise InputError(f"there is no directory '{path}'; give the directory of one round")
    inside = [
        entry
        for entry in _list(path)
        if entry != PARTICIPANTS and os.path.isfile(path / entry / manifests.NAME)
    ]
    if inside:
        raise InputError(f"'{path}' holds rounds and is not one; try {path / max(inside)}")


def _entries(path: Path) -> Iterator[str]:
    """What is in the round and in its participants' folder, relative to the round."""
    for entry in _list(path):
        if entry == PARTICIPANTS and _is_directory(path / entry):
            yield from (f"{PARTICIPANTS}/{name}" for name in _list(path / PARTICIPANTS))
        else:
            yield entry


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_json(path: Path) -> bool:
    """Whether a file with one of our names is no update that calls itself so."""
    try:
        with open_model(path):
            return False
    except RefusedFileError:
        return True


def _list(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except OSError as error:
        raise InputError(f"'{path}' cannot be listed: {error.strerror}") from error


def _stem(path: str) -> str:
    return Path(path).stem


def _members(paths: list[str]) -> list[Member]:
    """Name the participants; where stems are the same, by the whole name of the file."""
    stems = Counter(map(_stem, paths))
    members = [
        Member(_stem(path) if stems[_stem(path)] == 1 else Path(path).name, path) for path in paths
    ]
    if len({member.id for member in members}) < len(members):
        members = [Member(path, path) for path in paths]
    return sorted(members, key=lambda member: id_order(member.id))


def _read_seal(path: Path, found: list[str]) -> tuple[Manifest | None, list[Finding]]:
    if manifests.NAME not in found:
        return None, [Finding(FindingKind.UNSEALED, f"the round has no {manifests.NAME}")]
    try:
        with open_file(path / manifests.NAME, most_bytes=MOST_JSON_BYTES) as file:
            manifest = manifests.decode(file.read(0, file.size))
    except RefusedFileError as error:
        return None, [
            Finding(FindingKind.SEAL_BROKEN, f"{manifests.NAME} {error}"),
            Finding(FindingKind.UNSEALED, f"the round has no sound {manifests.NAME}"),
        ]
    return manifest, list(_seal_findings(path, manifest, found))


def _seal_findings(path: Path, manifest: Manifest, found: list[str]) -> Iterator[Finding]:
    """What can be held against the manifest without reading the files."""
    for name in found:
        sealed = manifest.files.get(name)
        if name == manifests.NAME:
            continue
        if sealed is None:
            yield Finding(FindingKind.UNLISTED_FILE, f"{name} is not in {manifests.NAME}")
        elif (actual := os.lstat(path / name).st_size) != sealed.bytes:
            detail = f"{name} has {actual:,} bytes; {manifests.NAME} says {sealed.bytes:,}"
            yield Finding(FindingKind.SEAL_BROKEN, detail)
    for name in sorted(set(manifest.files) - set(found)):
        yield Finding(FindingKind.SEAL_BROKEN, f"{name} is in {manifests.NAME}, but missing")
