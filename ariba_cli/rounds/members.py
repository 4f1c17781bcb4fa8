"""The participants of a round, and the files and folders of their updates."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.ids import id_order
from ariba_cli.formats import parts
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.contents import PARTICIPANTS, Contents

GLOBAL_STEM = "global"


@dataclass(frozen=True)
class Member:
    """A model of a round.

    Attributes
    ----------
    id : str
        The participant's id: the stem of its file's name, the name of its folder, or of
        its group in a file for the whole round. It is data, never a path.
    path : str
        The path of its file or folder, relative to the round, with `/`.
    group : str, optional
        Its group in a file for the whole round; None otherwise.
    """

    id: str
    path: str
    group: str | None = None


def find_members(
    root: Path, contents: Contents, models: Iterable[str], terms: ReadOptions
) -> tuple[Member | None, list[Member]]:
    """Return the global model, and the participants in the order of their ids.

    Parameters
    ----------
    root : Path
        The directory of the round.
    contents : Contents
        The contents of the directory.
    models : Iterable[str]
        The entries that are updates, judged by their names.
    terms : ReadOptions
        The terms under which a file for the whole round is opened.
    """
    found = sorted(models)
    set_apart = called_global(found, contents)
    # Of several it is not known which is the global model, and none of them is an update.
    sent_out = Member(GLOBAL_STEM, set_apart[0]) if len(set_apart) == 1 else None
    sent = [path for path in found if path not in set_apart]
    if len(sent) == 1 and sent[0] not in contents.folders:
        inside = members_of_file(root, sent[0], terms)
        if inside is not None:
            return (sent_out if set_apart else inside[0]), inside[1]
    return sent_out, _participants(sent, contents)


def called_global(models: Iterable[str], contents: Contents) -> list[str]:
    """Return the models of a round that have the name of the global model, in order."""
    return sorted(path for path in models if "/" not in path and _id(path, contents) == GLOBAL_STEM)


def members_of_file(
    root: Path, path: str, terms: ReadOptions
) -> tuple[Member | None, list[Member]] | None:
    """Return the global model and the participants of a file for the whole round, else None."""
    groups = parts(root / path, "/", terms)
    if not groups:
        return None
    sent_out = Member(GLOBAL_STEM, path, GLOBAL_STEM) if GLOBAL_STEM in groups else None
    sent = [group for group in groups if group != GLOBAL_STEM]
    if sent == [PARTICIPANTS]:
        sent = [f"{PARTICIPANTS}/{group}" for group in parts(root / path, PARTICIPANTS, terms)]
    members = [Member(PurePosixPath(group).name, path, group) for group in sent]
    return sent_out, _ordered(members)


def _participants(paths: list[str], contents: Contents) -> list[Member]:
    """Return the participants by their short names, or by longer ones where those collide.

    No other participant's name changes for it.
    """
    names = {path: [path, Path(path).name, _id(path, contents)] for path in paths}
    while True:
        counts = Counter(longer[-1] for longer in names.values())
        shared = [longer for longer in names.values() if counts[longer[-1]] > 1]
        if not shared:
            return _ordered([Member(longer[-1], path) for path, longer in names.items()])
        for longer in shared:
            if len(longer) > 1:
                longer.pop()


def renamed(members: Iterable[Member], contents: Contents) -> Iterator[Finding]:
    """Yield a finding for each group of participants whose ids are longer to avoid a clash."""
    shared: dict[str, list[str]] = {}
    for member in members:
        short = _id(member.path, contents)
        if member.group is None and member.id != short:
            shared.setdefault(short, []).append(member.id)
    for short, ids in shared.items():
        yield Finding(
            FindingKind.RENAMED,
            f"several would be called {short}, or like one of them with a longer name: "
            f"{', '.join(ids)} get longer names",
            group=tuple(ids),
        )


def _ordered(members: list[Member]) -> list[Member]:
    return sorted(members, key=lambda member: id_order(member.id))


def _id(path: str, contents: Contents) -> str:
    return Path(path).name if path in contents.folders else Path(path).stem
