"""Rounds on disk, opened and written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ariba_cli.api.arguments import PathText, Tensors, named_tensors
from ariba_cli.files.limits import Limits
from ariba_cli.files.objects import located
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds import directory
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.manifest import Kind
from ariba_cli.rounds.writing import RoundWriter, new_directory


def open_round(
    path: PathText, *, global_model: PathText | None = None, names: Sequence[str] | None = None
) -> Round:
    """Open the directory of a round; its updates are not opened yet.

    Parameters
    ----------
    path : str or path
        The directory of a round, or an HDF5 file that holds it.
    global_model : str or path, optional
        The model that the server sent out.
    names : sequence of str, optional
        The names of arrays without names, in the order of the model.

    Raises
    ------
    InputError
        When there is no such directory, it is unfinished, or it holds no updates.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> len(ariba.open_round("fixtures/attacked").participants)
    20
    """
    return directory.open_round(
        located(path),
        ReadOptions(Limits(), None if names is None else tuple(names)),
        global_path=None if global_model is None else Path(global_model),
    )


def save_round(
    path: PathText,
    updates: Mapping[str, Tensors],
    *,
    global_model: Tensors | None = None,
    number: int = 0,
    kind: Kind = "weights",
) -> Round:
    """Write updates as a sealed round of safetensors.

    Parameters
    ----------
    path : str or path
        The directory to make; it must not exist.
    updates : dict of str to tensors
        The arrays of each participant's model by name, or a single array, by participant.
    global_model : tensors, optional
        The model that the server sent out.
    number : int, optional
        The number of the round.
    kind : str, optional
        The kind of the updates: `weights`, or a `difference` from the global model.

    Raises
    ------
    OutputError
        When the directory exists or cannot be written; then nothing is left of it.
    """
    place, layers = located(path), dict[str, None]()
    with new_directory(place) as partial:
        writer = RoundWriter(partial)
        if global_model is not None:
            writer.write_global(named_tensors(global_model))
        for name, tensors in updates.items():
            own = named_tensors(tensors)
            layers |= dict.fromkeys(own)
            writer.write_participant(name, own)
        writer.seal(round_number=number, kind=kind, layers=list(layers))
    return open_round(place)
