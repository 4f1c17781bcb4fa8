"""The accuracy of models on the data of a run, for the rules of a server that need it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.updates import Accuracy
from ariba_cli.base.errors import InputError
from ariba_cli.federated.federation import Place
from ariba_cli.runs.run_file import Run


@contextmanager
def accuracy_in(run: Run, place: Place | None = None) -> Iterator[Accuracy]:
    """Yield a function that returns the accuracy of a model on the test set of a run.

    Raises
    ------
    InputError
        When the data are not those of the run; by the function, when a model is of another
        network.
    """
    with run.federation(place) as federation:
        run.check_data(federation)
        shapes = federation.architecture.shapes()

        def accuracy(model: Mapping[str, npt.NDArray[np.float32]]) -> float:
            if {name: values.shape for name, values in model.items()} != shapes:
                raise InputError(
                    f"the round does not hold the {federation.architecture.name} of the run; name "
                    "the run.json of its own run with --run"
                )
            return federation.quality(dict(model)).accuracy

        yield accuracy
