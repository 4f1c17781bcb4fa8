"""A model on disk that is of the network of a run."""

import os
from pathlib import Path

import numpy as np

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.formats import open_model, peft
from ariba_cli.formats.model import Model, ReadOptions
from ariba_cli.rounds.directory import is_one_model
from ariba_cli.rounds.inspection import HashedFile, hashed_files
from ariba_cli.rounds.names import is_counter, plain_names
from ariba_cli.runs.run_file import Run


def open_run_model(path: Path, run: Run, terms: ReadOptions) -> Model:
    """List the tensors of a model of a run; of an adapter its factors, and not their products.

    Raises
    ------
    InputError
        When it cannot be read, or is several models or none.
    """
    of_adapters = run.settings.lora is not None
    if of_adapters and not os.path.isdir(path):
        raise InputError(f"'{path}' is not a folder with an adapter, which this run needs")
    if os.path.isdir(path) and not is_one_model(path, terms):
        raise InputError(
            f"'{path}' is a directory of several models, or of none; name one model, such as the "
            "global model of a round"
        )
    try:
        return open_model(path / peft.WEIGHTS if of_adapters else path, terms)
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error


def read_weights(
    path: Path, model: Model, architecture: Architecture
) -> tuple[Weights, tuple[HashedFile, ...]]:
    """Return the weights, and the hashes of the files that they were read from.

    Raises
    ------
    InputError
        When it cannot be read, or is of another network.
    """
    stored = _names(path, model, architecture)
    weights = {}
    try:
        with model.reading() as reading:
            files = tuple(hashed_files(reading))
            for name, shape in architecture.shapes().items():
                values = model.tensors[stored[name]].values(reading.read(stored[name]))
                with np.errstate(over="ignore"):
                    weights[name] = values[:].reshape(shape).astype(np.float32)
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
    return weights, files


def _names(path: Path, model: Model, architecture: Architecture) -> dict[str, str]:
    """Return a model's names for the tensors of a network; the model has no other tensors."""
    of = f"the {architecture.name} of the run"
    stored, shapes = plain_names(model.tensors), architecture.shapes()
    for name, shape in shapes.items():
        if name not in stored:
            raise InputError(f"'{path}' lacks {name}, which {of} has")
        spec = model.tensors[stored[name]].spec
        if spec.shape != shape:
            raise InputError(f"'{path}' has {name} of shape {spec.shape}, but {of} has {shape}")
        if not spec.is_float:
            raise InputError(f"'{path}' has {name} of type {spec.dtype}, but {of} has floats")
    for name in stored:
        if name not in shapes and not is_counter(name):
            raise InputError(f"'{path}' has {name}, which {of} does not have")
    return stored
