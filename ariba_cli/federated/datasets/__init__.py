"""Image data sets, by name. A new one is a module here, and a line in `DATASETS` and `DEFAULTS`."""

from pathlib import Path

from ariba_cli.base.errors import InputError
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets.arrays import ARRAYS
from ariba_cli.federated.datasets.cifar10 import CIFAR10
from ariba_cli.federated.datasets.dataset import Dataset, FloatArray, LabelArray
from ariba_cli.federated.datasets.digits import DIGITS
from ariba_cli.federated.datasets.idx import FASHION_MNIST, MNIST
from ariba_cli.federated.datasets.source import Source, check_complete, where_to_get

__all__ = ["DATASETS", "Dataset", "FloatArray", "LabelArray", "Source", "load_dataset"]

_SOURCES: tuple[Source, ...] = (DIGITS, MNIST, FASHION_MNIST, CIFAR10, ARRAYS)

DATASETS: dict[str, Source] = {source.name: source for source in _SOURCES}


def load_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Return the data set of a name.

    Parameters
    ----------
    name : str
        The name in `DATASETS`.
    data_dir : Path, optional
        The folder of data sets. Files are read from its folder `name` if it has one, or else from
        the folder itself; None is enough for `digits`.

    Raises
    ------
    UsageError
        When there is no such data set.
    InputError
        When files of it are missing, or one is not sound; it is named.
    """
    source = registered(DATASETS, name, kind="data set")
    if not source.from_files:
        return source.load(Path())
    if data_dir is None:
        raise InputError(
            f"name the folder that holds the files of the data set {name}; "
            f"{where_to_get(source.published)}"
        )
    own = data_dir / name
    folder = own if own.is_dir() else data_dir
    check_complete(source, folder)
    return source.load(folder)
