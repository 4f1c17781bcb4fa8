"""A directory of updates: its participants, and the contents of its seal."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from ariba_cli.base.errors import InputError, OutputError, RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files import places
from ariba_cli.files.limits import Limits
from ariba_cli.files.objects import located, read_starts
from ariba_cli.files.opening import enough_memory, open_folder
from ariba_cli.formats import is_model, is_model_folder, open_model, open_part
from ariba_cli.formats.model import Model, ReadOptions
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.contents import (
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
from ariba_cli.rounds.of_run import holds_models_beside
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
    root : Path
        The directory.
    participants : tuple of Member
        One member per participant, ordered by the UTF-8 bytes of the ids.
    global_model : Member, optional
        The model that the server sent out; None if there is none.
    files : tuple of str
        Every file in it, by its path relative to the round.
    manifest : Manifest, optional
        The seal; None if there is no sound one.
    findings : tuple of Finding
        The contradictions between the directory and its seal.
    terms : ReadOptions
        The terms under which its files are opened.
    planted : tuple of str
        The manifests and truths that lie among the updates, and are not trusted.
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
        """Open one model, and return the result of `work` on it.

        Parameters
        ----------
        member : Member
            The member whose model is opened.
        work : Callable
            A function of the model. If it raises RefusedFileError, the model is refused.
        seal : VerifiedSeal
            The result of verifying the seal, if that was done; the files have to be those hashed.

        Returns
        -------
        Result | Finding
            The result of `work`, or the finding that the model is refused.
        """
        try:
            model = self.open(member)
        except RefusedFileError as error:
            return Finding(FindingKind.REFUSED, str(error), member.id)
        return self.use_opened(member, self._unchanged(member, model, seal) or model, work)

    def use_opened(
        self, member: Member, model: Model | Finding, work: Callable[[Model], Result]
    ) -> Result | Finding:
        """Return the result of `work` on a model that is open already; see `use`."""
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
        """Yield each member, in this order, with its model or with the finding that it is refused.

        None of them may take many more names, or much more time, than the others; see `use`.
        """

        @cache
        def within(limits: Limits) -> Round:
            return replace(self, terms=replace(self.terms, limits=limits))

        def open_with(member: Member, limits: Limits) -> Model:
            # It is read within the limits of all.
            return replace(within(limits).open(member), terms=self.terms)

        read_starts(self.root / member.path for member in members)
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

        Returns
        -------
        VerifiedSeal
            The further findings, and the stamps of the files when they were hashed;
            `NOT_VERIFIED` if there is no seal.
        """
        if self.manifest is None:
            return NOT_VERIFIED
        limits = self.terms.limits
        found = verify_seal(self.root, self.manifest, self.files, self._owners(), limits, progress)
        new = tuple(finding for finding in found.findings if finding not in self.findings)
        return found._replace(findings=new)

    def _unchanged(self, member: Member, model: Model, seal: VerifiedSeal) -> Finding | None:
        """Return a finding if the files of a model have changed after they were hashed."""
        changed = self._changed_since(seal, model)
        if changed is None:
            return None
        detail = f"{changed} changed after the seal was verified"
        return Finding(FindingKind.SEAL_BROKEN, detail, member.id)

    def _changed_since(self, seal: VerifiedSeal, model: Model) -> str | None:
        """Return the name of a model's file that changed since the seal was verified, or None."""
        for path, stamp in model.files:
            name = places.relative(path, self.root)
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
    if places.lies_in(out, root):
        raise OutputError(
            f"'{out}' would lie among the updates of the round and look like one; name another "
            "place"
        )


def open_round(
    path: Path,
    terms: ReadOptions | None = None,
    *,
    global_path: Path | None = None,
    not_models: tuple[Path, ...] = (),
) -> Round:
    """List a directory of updates, or a file with a group per participant, without opening updates.

    Parameters
    ----------
    path : Path
        The directory or file.
    terms : ReadOptions, optional
        The terms under which files are opened; None for the defaults.
    global_path : Path, optional
        The model that the server sent out; None for the one in the round that is called `global`.
    not_models : tuple of Path, optional
        Files that are not updates, though they may lie in the directory.

    Raises
    ------
    InputError
        When there is no such directory, it is unfinished, or it holds no updates.
    """
    terms = terms or ReadOptions()
    path = located(path)
    global_path = None if global_path is None else located(global_path)
    if places.is_file(path):
        return _open_round_file(path, terms, global_path)
    contents = list_contents(path, terms.limits)
    beside = [other for other in (global_path, *not_models) if other is not None]
    set_apart = {
        places.relative(other, path)
        for other in beside
        if places.is_remote(other) == places.is_remote(path)
    }
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
    """Yield a finding when several models of a round have the name of the global one.

    A participant could otherwise take that name in order not to be examined.
    """
    beside = [] if named is None else [named.path]
    found = called_global({*models, *beside}, contents)
    if len(found) < 2:
        return
    yield Finding(
        FindingKind.SEVERAL_GLOBALS,
        f"{first_few(found)} are all named like the global model: ariba ignores them, unless "
        "--global names one of them",
    )


def is_one_model(path: Path, terms: ReadOptions) -> bool:
    """Return whether a path is that of one model, and not of a round."""
    if places.is_folder(path):
        is_model = places.is_folder_itself(path) and is_model_folder(path, terms)
        return is_model and not _holds_updates(path, terms)
    return places.exists(path) and members_of_file(path.parent, path.name, terms) is None


def _holds_updates(path: Path, terms: ReadOptions) -> bool:
    """Return whether several files in a folder hold the same tensors, like updates, unlike shards.

    A participant named like the index of a sharded model does not make a model of the round.
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
            f"'{path}' is a file, and not one for a whole round; give the directory of one round, "
            f"or try ariba inspect {path}"
        )
    return Round(
        root=path.parent,
        participants=tuple(members[1]),
        global_model=_named_global(path.parent, global_path) or members[0],
        files=(path.name,),
        manifest=None,
        findings=(Finding(FindingKind.UNSEALED, "a round in one file cannot have a seal"),),
        terms=terms,
    )


def _named_global(root: Path, global_path: Path | None) -> Member | None:
    if global_path is None:
        return None
    if not places.exists(global_path):
        raise InputError(
            f"'{global_path}' does not exist; --global names the model that was sent out"
        )
    return Member(GLOBAL_STEM, places.relative(global_path, root))


def _models(path: Path, contents: Contents, set_apart: set[str], terms: ReadOptions) -> list[str]:
    """Return the entries that are updates or the global model, judged by their names.

    A file with one of our names is not one, unless it can be opened as a model.
    """
    ours = {*_NOT_MODELS, *filter(is_believed, contents.files)}
    return [
        entry
        for entry in contents.entries
        if entry not in set_apart and (entry not in ours or is_model(path / entry, terms))
    ]


def _check_no_run(path: Path, models: list[str], terms: ReadOptions) -> None:
    """Refuse the directory of a run, which holds rounds and no models."""
    rounds = rounds_inside(path)
    if rounds and not holds_models_beside(path, rounds, models, terms):
        raise InputError(f"'{path}' is not a round but holds rounds; try {path / rounds[-1]}")


def _is_flat(path: Path, models: list[str], terms: ReadOptions) -> bool:
    """Return whether a folder called `participants` is that of one participant, who chose the name.

    Otherwise everything in it would be a participant, and they could outvote the others.
    In our own rounds only the global model lies beside the folder of all participants.
    """
    beside = [entry for entry in models if "/" not in entry]
    if len(beside) == len(models):
        return False
    return sum(is_model(path / entry, terms) for entry in beside) > _MOST_BESIDE
