"""A directory of updates, as it was found: who is in it, and what its seal says."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from ariba_cli.base.errors import InputError, OutputError, RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import enough_memory, open_folder
from ariba_cli.formats import is_model_folder, open_model, open_part
from ariba_cli.formats.model import Model, ReadOptions
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.contents import (
    BASE_NAME,
    CONVERSION_NAME,
    HOST_NAME,
    RUN_NAME,
    TRUTH_NAME,
    Contents,
    first_few,
    list_contents,
    rounds_inside,
)
from ariba_cli.rounds.fairness import open_fairly
from ariba_cli.rounds.manifest import Manifest
from ariba_cli.rounds.members import (
    GLOBAL_STEM,
    Member,
    called_global,
    find_members,
    members_of_file,
    renamed,
)
from ariba_cli.rounds.planted import is_believed, planted_files, planted_finding
from ariba_cli.rounds.sealing import NOT_VERIFIED, VerifiedSeal, read_seal, verify_seal
from ariba_cli.rounds.strays import check_no_cache, litter_in, litter_in_words, several_rounds

# Global models in two formats: more is a directory of updates.
_MOST_BESIDE = 2
_NOT_MODELS = (manifests.NAME, TRUTH_NAME, RUN_NAME, CONVERSION_NAME, HOST_NAME)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Round:
    """A round on disk. Nothing but its manifest has been opened yet.

    Attributes
    ----------
    root : the directory.
    participants : one member per participant, ordered by the UTF-8 bytes of the ids.
    global_model : the model that the server sent out, where there is one.
    files : every file in it, by its path relative to the round.
    manifest : the seal, where there is a sound one.
    findings : what the directory and its seal say against each other.
    planted : the manifests and truths that lie among the updates, and are not believed.
    terms : under which its files are opened.
    """

    root: Path
    participants: tuple[Member, ...]
    global_model: Member | None
    files: tuple[str, ...]
    manifest: Manifest | None
    findings: tuple[Finding, ...]
    terms: ReadOptions = field(default_factory=ReadOptions)
    planted: tuple[str, ...] = ()

    def open(self, member: Member) -> Model:
        """List the tensors of one model; see `formats.open_model`."""
        path = self.root / member.path
        with enough_memory():
            if member.group is not None:
                return open_part(path, member.group, self.terms)
            return open_model(path, self.terms)

    def use(
        self,
        member: Member,
        work: Callable[[Model], Result],
        seal: VerifiedSeal = NOT_VERIFIED,
    ) -> Result | Finding:
        """Open one model and let the work have it.

        Parameters
        ----------
        member : Member
            Whose model it is.
        work : Callable
            Called with the model. What it refuses is refused as what cannot be opened is.
        seal : VerifiedSeal
            What came of verifying the seal, when that was done before: the model has to be made
            of the very files that were hashed.

        Returns
        -------
        Result | Finding
            What the work returned, or the finding that says why the model is refused.
        """
        try:
            model = self.open(member)
        except RefusedFileError as error:
            return Finding(FindingKind.REFUSED, str(error), member.id)
        return self.use_opened(member, self._unchanged(member, model, seal) or model, work)

    def use_opened(
        self, member: Member, model: Model | Finding, work: Callable[[Model], Result]
    ) -> Result | Finding:
        """Let the work have a model that is open already, where it is; see `use`."""
        if isinstance(model, Finding):
            return model
        try:
            with enough_memory():
                return work(model)
        except RefusedFileError as error:
            return Finding(FindingKind.REFUSED, str(error), member.id)

    def open_members(
        self,
        members: Sequence[Member],
        progress: Progress = no_progress,
        seal: VerifiedSeal = NOT_VERIFIED,
    ) -> Iterator[tuple[Member, Model | Finding]]:
        """Yield each member with its model, or with the finding that says why it is refused.

        None of them takes many more names, nor much more time, than the others do.

        Parameters
        ----------
        members : Sequence[Member]
            Whose models are opened, in this order.
        progress : Progress
            Told how many have been opened.
        seal : VerifiedSeal
            See `use`.
        """

        def open_with(member: Member, limits: Limits) -> Model:
            within = replace(self, terms=replace(self.terms, limits=limits))
            # It is read within the limits of all.
            return replace(within.open(member), terms=self.terms)

        found = open_fairly(open_with, members, self.terms.limits, progress)
        for member, model in zip(members, found, strict=True):
            if isinstance(model, RefusedFileError):
                yield member, Finding(FindingKind.REFUSED, str(model), member.id)
            else:
                yield member, self._unchanged(member, model, seal) or model

    def check_apart(self, out: Path) -> None:
        """Refuse to write among the updates of the round; see `check_apart`."""
        if not all(member.group is not None for member in self.participants):
            check_apart(self.root, out)

    def verify_seal(self, progress: Progress = no_progress) -> VerifiedSeal:
        """Hash every file that the seal lists.

        Parameters
        ----------
        progress : Progress
            Told how many files were hashed.

        Returns
        -------
        VerifiedSeal
            What differs, beyond the `findings`, and what the files were when they were hashed;
            `NOT_VERIFIED` when there is no seal.
        """
        if self.manifest is None:
            return NOT_VERIFIED
        limits = self.terms.limits
        found = verify_seal(self.root, self.manifest, self.files, self._owners(), limits, progress)
        new = tuple(finding for finding in found.findings if finding not in self.findings)
        return found._replace(findings=new)

    def _unchanged(self, member: Member, model: Model, seal: VerifiedSeal) -> Finding | None:
        """Return what is wrong with a model whose files changed after they were hashed."""
        changed = self._changed_since(seal, model)
        if changed is None:
            return None
        detail = f"{changed} changed after the seal was verified"
        return Finding(FindingKind.SEAL_BROKEN, detail, member.id)

    def _changed_since(self, seal: VerifiedSeal, model: Model) -> str | None:
        """Return which file of a model is another than when the seal was verified, if one is."""
        for path, stamp in model.files:
            name = _within(self.root, path)
            # The seal says nothing of a global model that lies elsewhere.
            if not name.startswith("../") and seal.has_changed(name, stamp):
                return name
        return None

    def _owners(self) -> dict[str, str]:
        ids = {member.path: member.id for member in self.participants if member.group is None}
        return {
            name: ids[path]
            for name in self.files
            for path in (name, name.rpartition("/")[0])
            if path in ids
        }


def check_apart(root: Path, out: Path) -> None:
    """Refuse to write into the directory of a round, where it would be taken for an update.

    Raises
    ------
    OutputError
        When `out` would lie in it, and it is a directory.
    """
    inside, within = os.path.realpath(out.parent), os.path.realpath(root)
    if os.path.isdir(root) and (inside == within or inside.startswith(f"{within}{os.sep}")):
        raise OutputError(
            f"'{out}' would lie among the updates of the round and be taken for one; name "
            "another place"
        )


def open_round(
    path: Path,
    terms: ReadOptions | None = None,
    *,
    global_path: Path | None = None,
    not_models: tuple[Path, ...] = (),
) -> Round:
    """Look at a directory of updates, without opening the updates.

    A file with a group per participant will do, too.

    Parameters
    ----------
    global_path : the model that the server sent out, wherever it is; None to take the
        file or folder of the round that is called `global`.
    not_models : files that are no updates, though they may lie in the directory.

    Raises
    ------
    InputError
        When there is no such directory, it is unfinished, or it holds no updates.
    """
    terms = terms or ReadOptions()
    if os.path.isfile(path):
        return _open_round_file(path, terms, global_path)
    contents = list_contents(path, terms.limits)
    set_apart = {_within(path, other) for other in (global_path, *not_models) if other is not None}
    models = _models(path, contents, set_apart, terms)
    if _is_flat(path, models, terms):
        contents = list_contents(path, terms.limits, flat=True)
        models = _models(path, contents, set_apart, terms)
    _check_no_run(path, models, terms)
    litter = litter_in(path, contents, models, terms)
    models = [entry for entry in models if entry not in litter]
    check_no_cache(path, models)
    sent_out, participants = find_members(path, contents, models, terms)
    if not participants:
        passed_over = "".join(f" ({one.detail})" for one in litter_in_words(litter))
        raise InputError(
            f"'{path}' holds no updates{passed_over}; a round has one model per participant"
        )
    named = _named_global(path, global_path)
    planted = planted_files(contents.files, models, participants)
    manifest, findings = read_seal(path, contents.files, terms.limits, planted)
    findings += planted_finding(planted)
    findings += _several_globals(contents, models, named)
    findings += [
        *litter_in_words(litter),
        *renamed(participants, contents),
        *several_rounds(participants),
    ]
    return Round(
        root=path,
        participants=tuple(participants),
        global_model=named or sent_out,
        files=contents.files,
        manifest=manifest,
        findings=tuple(findings),
        terms=terms,
        planted=planted,
    )


def _several_globals(
    contents: Contents, models: list[str], named: Member | None
) -> Iterator[Finding]:
    """Yield a finding when several models of a round go by the name of the global one.

    A participant could otherwise take that name to be looked at by nobody.
    """
    beside = [] if named is None else [named.path]
    found = called_global({*models, *beside}, contents)
    if len(found) < 2:
        return
    yield Finding(
        FindingKind.SEVERAL_GLOBALS,
        f"{first_few(found)} all go by the name of the global model: none of them is an update, "
        "and none is the global model unless --global names it",
    )


def is_one_model(path: Path, terms: ReadOptions) -> bool:
    """Whether a path is that of one model, and not of a round."""
    if os.path.isdir(path):
        is_model = not os.path.islink(path) and is_model_folder(path, terms)
        return is_model and not _holds_updates(path, terms)
    return os.path.lexists(path) and members_of_file(path.parent, path.name, terms) is None


def _holds_updates(path: Path, terms: ReadOptions) -> bool:
    """Whether several files in a folder hold the same tensors, as updates do and shards do not.

    One participant who is called as the index of a model is does not make it of a round.
    """
    held: Counter[str] = Counter()
    for name in open_folder(path, terms.limits).names:
        with suppress(RefusedFileError), enough_memory():
            held.update(open_model(path / name, terms).tensors.keys())
    return max(held.values(), default=0) > _MOST_BESIDE


def _open_round_file(path: Path, terms: ReadOptions, global_path: Path | None) -> Round:
    members = members_of_file(path.parent, path.name, terms)
    if members is None:
        raise InputError(
            f"'{path}' is a file and holds no groups of participants; give the directory of one "
            f"round, or try ariba inspect {path}"
        )
    return Round(
        root=path.parent,
        participants=tuple(members[1]),
        global_model=_named_global(path.parent, global_path) or members[0],
        files=(path.name,),
        manifest=None,
        findings=(Finding(FindingKind.UNSEALED, "one file is no sealed round"),),
        terms=terms,
    )


def _named_global(root: Path, global_path: Path | None) -> Member | None:
    if global_path is None:
        return None
    if not os.path.lexists(global_path):
        raise InputError(f"there is no '{global_path}'; --global names the model that was sent out")
    return Member(GLOBAL_STEM, _within(root, global_path))


def _within(root: Path, path: Path) -> str:
    """A path as seen from the round, by names alone."""
    return Path(os.path.relpath(path, root)).as_posix()


def _models(path: Path, contents: Contents, set_apart: set[str], terms: ReadOptions) -> list[str]:
    """The entries that are updates, or the global model, as far as names tell.

    A file with one of our names is none, unless an update calls itself so.
    """
    ours = {*_NOT_MODELS, *filter(is_believed, contents.files)}
    return [
        entry
        for entry in contents.entries
        if entry not in set_apart and (entry not in ours or _is_model(path / entry, terms))
    ]


def _check_no_run(path: Path, models: list[str], terms: ReadOptions) -> None:
    """Refuse the directory of a run, which holds rounds and no models.

    One participant's folder with a manifest in it does not pass a round off as a run.
    """
    rounds = rounds_inside(path)
    others = (entry for entry in models if entry not in (*rounds, BASE_NAME))
    if rounds and not any(_is_model(path / entry, terms) for entry in others):
        raise InputError(f"'{path}' holds rounds and is not one; try {path / rounds[-1]}")


def _is_flat(path: Path, models: list[str], terms: ReadOptions) -> bool:
    """Whether a folder called `participants` is that of one participant, who chose the name.

    Everything in it would be a participant of its own, enough of them to outvote the others.
    Models lie beside the folder of all participants in no round of ours, but for the global one.
    """
    beside = [entry for entry in models if "/" not in entry]
    if len(beside) == len(models):
        return False
    return sum(_is_model(path / entry, terms) for entry in beside) > _MOST_BESIDE


def _is_model(path: Path, terms: ReadOptions) -> bool:
    try:
        with enough_memory():
            open_model(path, terms)
    except RefusedFileError:
        return False
    return True
