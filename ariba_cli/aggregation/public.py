"""Rounds that were trained on public data, from which a rule learns the look of honest updates."""

from collections.abc import Iterator
from pathlib import Path

from ariba_cli.aggregation.reading import SavedTensors, basis_of, open_updates, saved_updates
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.progress import no_progress
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.of_run import contents_of_run


def public_rounds(path: Path, terms: ReadOptions, memory: int) -> Iterator[RoundUpdates]:
    """Yield the rounds of a run, in order; updates that cannot be used are left out.

    Parameters
    ----------
    path : Path
        The directory of a run, or of one round.
    terms : ReadOptions
        The terms under which files are opened.
    memory : int
        The number of bytes of updates to hold in memory.

    Raises
    ------
    InputError
        When a round cannot be read.
    """
    run = contents_of_run(path, terms)
    for root in (path,) if run is None else run.rounds:
        round_ = open_round(root, terms)
        submissions = open_updates(round_, (), no_progress)
        tensors = SavedTensors(basis_of(round_, submissions, memory), submissions, memory)
        tensors.check(no_progress, strict=False)
        if tensors.submissions:
            ids = [one.member.id for one in tensors.submissions]
            yield saved_updates(round_, tensors, dict.fromkeys(ids, 1))
