"""The replies of clients in one round, and the reasons why some of them cannot be averaged."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ariba_cli.base.errors import AribaError
from ariba_cli.base.ids import id_order
from ariba_cli.formats.memory import ArrayTensor
from ariba_cli.formats.model import Model
from ariba_cli.formats.tensors import TensorSpec
from ariba_cli.updates.nonfinite import NonFiniteCounter

# A server may average either into the other.
_INTERCHANGEABLE = {"F32", "F64"}

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Reply:
    """The reply of one client.

    Attributes
    ----------
    id : str
        The id of the participant.
    node : str
        The host's name for it.
    model : Model, optional
        The model that it sent; None when that cannot be decoded. Its arrays must not change any
        more.
    samples : int, optional
        The number of samples on which it says that it trained.
    metrics : dict of str to object
        The other values that it reports.
    wrong : str
        The reason why the host could not average it, where the host knows.
    kept : object, optional
        An object that has to live as long as the model is read, such as the files of a host.
    """

    id: str
    node: str
    model: Model | None
    samples: int | None = None
    metrics: Mapping[str, object] = field(default_factory=dict)
    wrong: str = ""
    kept: object = None


def why_refused(replies: Sequence[Reply], sent_out: Model | None) -> dict[str, str]:
    """Return the reasons why some replies cannot be averaged with the others, by participant.

    A reply must have the names and shapes that most have, or, where as many have others, those of
    the model that was sent out. Each type must be that of this model or of most replies, or float32
    for float64 and the other way round, and every float must be finite.

    Parameters
    ----------
    replies : sequence of Reply
        The replies of all who answered.
    sent_out : Model, optional
        The model that the server sent them.
    """
    refused = {one.id: one.wrong for one in replies if one.wrong}
    models = {
        one.id: one.model for one in replies if one.model is not None and one.id not in refused
    }
    expected = dict(_usual_shapes(models, sent_out))
    for name, model in models.items():
        refused[name] = _why_other_tensors(model, expected)
    alike = {name: one for name, one in models.items() if not refused[name]}
    types = _usual_types(alike, sent_out)
    for name, model in alike.items():
        refused[name] = _why_other_types(model, types) or _why_not_finite(model)
    return {name: why for name, why in refused.items() if why}


def _usual_shapes(models: Mapping[str, Model], sent_out: Model | None) -> Shapes:
    counts = Counter(_shapes(models[name]) for name in sorted(models, key=id_order))
    first = () if sent_out is None else _shapes(sent_out)
    return max(counts, key=lambda one: (counts[one], one == first), default=first)


def _shapes(model: Model) -> Shapes:
    return tuple(sorted((name, one.spec.shape) for name, one in model.tensors.items()))


def _why_other_tensors(model: Model, expected: Mapping[str, tuple[int, ...]]) -> str:
    for name, shape in expected.items():
        if name not in model.tensors:
            return f"has no tensor {name!r}"
        if model.tensors[name].spec.shape != shape:
            return f"{name!r} has shape {model.tensors[name].spec.shape}, most have {shape}"
    other = next((name for name in model.tensors if name not in expected), None)
    return "" if other is None else f"has a tensor {other!r}, which most do not have"


def _usual_types(models: Mapping[str, Model], sent_out: Model | None) -> dict[str, set[str]]:
    """Return the types that each tensor may have."""
    allowed: dict[str, set[str]] = {}
    ordered = [models[name] for name in sorted(models, key=id_order)]
    for name in ordered[0].tensors if ordered else ():
        counts = Counter(one.tensors[name].spec.dtype for one in ordered)
        types = {counts.most_common(1)[0][0]}
        if sent_out is not None and name in sent_out.tensors:
            types.add(sent_out.tensors[name].spec.dtype)
        allowed[name] = types | (_INTERCHANGEABLE if types & _INTERCHANGEABLE else set())
    return allowed


def _why_other_types(model: Model, allowed: Mapping[str, set[str]]) -> str:
    for name, tensor in model.tensors.items():
        if tensor.spec.dtype not in allowed[name]:
            usual = " or ".join(sorted(allowed[name]))
            return f"{name!r} is of type {tensor.spec.dtype}, not {usual}"
    return ""


def _why_not_finite(model: Model) -> str:
    for name, tensor in model.tensors.items():
        if not tensor.spec.is_float:
            continue
        counter = NonFiniteCounter()
        try:
            counter.count(tensor.values(tensor_bytes(model, name))[:])
        except AribaError as error:
            return f"{name!r} {error}"
        if counter.found:
            return f"{counter} in {name!r}"
    return ""


def tensor_bytes(model: Model, name: str) -> memoryview:
    """Return the bytes of a tensor, without a copy if it is an array.

    Raises
    ------
    RefusedFileError
        When they lie in a file and cannot be read.
    """
    tensor = model.tensors[name]
    if isinstance(tensor, ArrayTensor):
        flat = np.ascontiguousarray(tensor.array).reshape(-1)
        return flat.view(np.uint8).data if flat.size else memoryview(b"")
    return model.read(name)


def specs_of(model: Model) -> dict[str, TensorSpec]:
    """Return the types and shapes of the tensors of a model, by name."""
    return {name: one.spec for name, one in model.tensors.items()}
