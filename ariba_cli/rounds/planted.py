"""Files that have the names of trusted ones, but that any participant could have put there."""

from collections.abc import Collection, Sequence

from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.contents import HOST_NAME, PARTICIPANTS, TRUTH_NAME, first_few
from ariba_cli.rounds.members import Member

# What is believed of a round because whoever saved it wrote it.
_BELIEVED = (manifests.NAME, TRUTH_NAME, HOST_NAME)


def is_believed(path: str) -> bool:
    """Return whether a file has the name of a trusted one, wherever it lies."""
    return path.rpartition("/")[2] in _BELIEVED


def planted_files(
    files: Sequence[str], models: Collection[str], participants: Sequence[Member]
) -> tuple[str, ...]:
    """Return the manifests and truths that lie among the updates, in the order of the files.

    A file beside the folder of all participants was written by the program that saved the round.
    If the updates lie beside it, a participant may have sent it under that name.

    Parameters
    ----------
    files : sequence of str
        Every file of the round.
    models : collection of str
        The entries that are taken for an update, or for the global model.
    participants : sequence of Member
        The participants of these updates.
    """
    apart = any(
        one.group is not None or one.path.startswith(f"{PARTICIPANTS}/") for one in participants
    )
    return tuple(
        path
        for path in files
        if is_believed(path) and path not in models and ("/" in path or not apart)
    )


def planted_finding(planted: Sequence[str]) -> list[Finding]:
    """Return the finding on the files that are not trusted, if there are any."""
    if not planted:
        return []
    detail = (
        f"ariba ignores {first_few(planted)}, since any participant could have put "
        f"{'it' if len(planted) == 1 else 'them'} there; in a round of your own, put the updates "
        f"into a folder {PARTICIPANTS}/, and manifest.json and truth.json beside it"
    )
    return [Finding(FindingKind.PLANTED, detail, facts={"files": len(planted)})]
