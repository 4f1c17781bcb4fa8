"""The search for the one table of tensors in a pickle's object, inside any wrapper."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.examples import first_few
from ariba_cli.base.visible import visible
from ariba_cli.files.limits import Limits
from ariba_cli.formats.isolation.described import Described, Fixed, StandIn
from ariba_cli.formats.tensors import TensorSpec, check_count, check_name

# Where training scripts and servers keep the weights, when they keep other tables, too.
_USUAL = frozenset(
    ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
)
# Matrices and convolutions tell weights from metrics and the states of random numbers.
_LEAST_DIMENSIONS = (2, 1, 0)
_MOST_TOLD = 5
_LONGEST_TOLD = 100
_UNNAMED = "arr_"
_DEEPEST = 32

Path = tuple[str, ...]


@dataclass
class Weights:
    """The tensors taken from a pickle, and the entries that are skipped.

    Attributes
    ----------
    tensors : dict of str to Described
        The tensors by name, or by `arr_0`, `arr_1`, … if they have none.
    skipped : dict of str to str
        The kinds of all other entries, by name.
    """

    tensors: dict[str, Described] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Candidate:
    path: Path
    entries: dict[Any, Any]
    parents: tuple[object, ...]

    @property
    def is_usual(self) -> bool:
        """Return whether it is at a usual place of weights: alone, or under a usual name."""
        return all(part in _USUAL for part in self.path)

    @property
    def where(self) -> str:
        """Return its place in words."""
        return told(".".join(self.path)) or "the file itself"

    def has(self, dimensions: int) -> bool:
        """Return whether one of its float tensors has at least that many dimensions."""
        return any(
            isinstance(one, Described)
            and one.dtype is not None
            and TensorSpec(one.dtype, ()).is_float
            and len(one.shape) >= dimensions
            for one in self.entries.values()
        )


def find_weights(root: object, limits: Limits) -> Weights:
    """Return the tensors of the only table that can be the weights.

    Parameters
    ----------
    root : object
        The object that the pickle makes.
    limits : Limits
        The limits on the number of entries.

    Raises
    ------
    RefusedFileError
        When there is none, or when several tables could be it.
    """
    tables = _with_trees(root, list(_tables(root, limits)), limits)
    found: list[_Candidate] = []
    for least in _LEAST_DIMENSIONS:
        found = found or [one for one in tables if one.has(least)]
    if not found:
        inside = [] if isinstance(root, StandIn) else _entries(root)
        words = [told(f"{name}: {_kind(one)}") for name, one in inside]
        what = first_few(words or [told(_kind(root))], _MOST_TOLD)
        raise RefusedFileError(f"holds no tensors that can be scored, only {what}")
    usual = [one for one in found if one.is_usual]
    if len(found) > 1 and len(usual) != 1:
        where = first_few([one.where for one in found], _MOST_TOLD)
        raise RefusedFileError(
            f"holds {len(found)} tables of tensors, in {where}; save only the one that was sent"
        )
    return _taken(usual[0] if len(found) > 1 else found[0], limits)


def _taken(chosen: _Candidate, limits: Limits) -> Weights:
    """Return the tensors of a table, and the other entries in it or around it."""
    weights = Weights()
    for name, one in chosen.entries.items():
        if isinstance(one, Described) and one.dtype is not None:
            if not isinstance(name, str):
                raise RefusedFileError(f"has a tensor whose name is of type {type(name).__name__}")
            check_name(name, limits)
            weights.tensors[name] = one
        else:
            weights.skipped[_key(name)] = _kind(one)
    check_count(len(weights.tensors), limits)
    for depth, parent in enumerate(chosen.parents):
        above = chosen.path[:depth]
        for name, one in _entries(parent):
            if name != chosen.path[depth]:
                weights.skipped[".".join((*above, name))] = _kind(one)
    return weights


def _tables(root: object, limits: Limits) -> Iterator[_Candidate]:
    """Yield every table of tensors, the outermost first, and none of an optimiser."""
    waiting: deque[tuple[Path, object, tuple[object, ...]]] = deque([((), root, ())])
    seen: set[int] = set()
    while waiting:
        path, node, parents = waiting.popleft()
        if id(node) in seen or len(path) > _DEEPEST or _is_optimiser(node):
            continue
        seen.add(id(node))
        check_count(len(seen), limits)
        if _is_module(node):
            yield _Candidate(path, _counted(_of_module(node, ()), limits), parents)
            continue
        table = _as_table(node)
        if table:
            yield _Candidate(path, table, parents)
        for name, inside in _entries(node):
            if isinstance(inside, dict | list | tuple | StandIn):
                waiting.append(((*path, name), inside, (*parents, node)))


def _as_table(node: object) -> dict[Any, Any]:
    """Return the table of tensors that a node is; an empty one if it holds none itself."""
    if isinstance(node, Described):
        return {f"{_UNNAMED}0": node}
    if isinstance(node, StandIn):
        node = node.entries or node.parts
    if isinstance(node, dict):
        return node if any(isinstance(one, Described) for one in node.values()) else {}
    if isinstance(node, list | tuple) and all(isinstance(one, Described) for one in node):
        return {f"{_UNNAMED}{index}": one for index, one in enumerate(node)}
    return {}


def _entries(node: object) -> list[tuple[str, Any]]:
    """Return the entries of a node, by name."""
    if isinstance(node, dict):
        return [(str(name), one) for name, one in node.items() if isinstance(name, str | int)]
    if isinstance(node, list | tuple):
        return [(str(index), one) for index, one in enumerate(node)]
    if isinstance(node, StandIn):
        parts = (node.state, node.entries, node.parts, node.arguments)
        return [entry for part in parts for entry in _entries(part)]
    return []


def _is_optimiser(node: object) -> bool:
    """Return whether a node is the state of an optimiser, which is full of tensors."""
    return {"state", "param_groups"} <= {name for name, _ in _entries(node)}


def _is_module(node: object) -> bool:
    """Return whether a node is a module of PyTorch that was pickled whole."""
    state = node.state if isinstance(node, StandIn) else None
    return isinstance(state, dict) and {"_parameters", "_modules"} <= state.keys()


def _counted(entries: Iterable[tuple[str, Any]], limits: Limits) -> dict[Any, Any]:
    """Return entries as a table, with a limit, since objects that hold themselves never end."""
    found: dict[Any, Any] = {}
    for name, one in entries:
        found[name] = one
        check_count(len(found), limits)
    return found


def _of_module(node: object, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a module's state_dict."""
    if len(path) > _DEEPEST:
        raise RefusedFileError(f"nests modules more than {_DEEPEST} deep")
    state = node.state if isinstance(node, StandIn) else None
    if not isinstance(state, dict):
        return
    unsaved = state.get("_non_persistent_buffers_set")
    without = {str(name) for name in _names(unsaved)}
    for kind in ("_parameters", "_buffers"):
        for name, one in _entries(state.get(kind)):
            # What is None is a place for a parameter, such as a bias that a layer has not.
            if one is not None and not (kind == "_buffers" and name in without):
                yield ".".join((*path, name)), one
    for name, inner in _entries(state.get("_modules")):
        yield from _of_module(inner, (*path, name))


def _names(found: object) -> Iterable[object]:
    """Return the members of a set, however it was pickled."""
    if isinstance(found, StandIn):
        return [one for part in (*found.arguments, found.parts) for one in _names(part)]
    return found if isinstance(found, set | frozenset | list | tuple) else ()


def _with_trees(root: object, tables: list[_Candidate], limits: Limits) -> list[_Candidate]:
    """Return the tables, with the layers of a tree that holds only tensors merged into one.

    JAX stores weights like this: `{"params": {"Dense_0": {"kernel": …, "bias": …}}, "step": 3}`.
    Names with dots are those of whole models.
    """
    trees: list[_Candidate] = []
    for path, node, parents in _usual_places(root):
        own = [one for one in tables if one.path[: len(path)] == path]
        if len(own) < 2 or any("." in str(name) for one in own for name in one.entries):
            continue
        entries = _counted(_leaves(node, path), limits)
        if all(isinstance(one, Described) for one in entries.values()):
            trees.append(_Candidate(path, entries, parents))
            tables = [one for one in tables if one.path[: len(path)] != path]
    return [*trees, *tables]


def _usual_places(root: object) -> Iterator[tuple[Path, object, tuple[object, ...]]]:
    """Yield the dicts at the usual places of weights, with their parents, the outermost first."""
    waiting: deque[tuple[Path, object, tuple[object, ...]]] = deque([((), root, ())])
    seen: set[int] = set()
    while waiting:
        path, node, parents = waiting.popleft()
        if isinstance(node, dict) and id(node) not in seen:
            seen.add(id(node))
            yield path, node, parents
            usual = ((name, one) for name, one in node.items() if name in _USUAL)
            waiting.extend(((*path, name), one, (*parents, node)) for name, one in usual)


def _leaves(node: object, path: Path) -> Iterator[tuple[str, object]]:
    """Yield everything except dicts by its path, and also dicts that are too deep."""
    if not isinstance(node, dict) or len(path) > _DEEPEST:
        yield ".".join(path), node
        return
    for name, inside in node.items():
        yield from _leaves(inside, (*path, str(name)))


def _key(name: object) -> str:
    """Return the key of an entry, or its kind if it has no text of its own."""
    return str(name) if isinstance(name, str | int | float | bytes | None) else _kind(name)


def _kind(one: object) -> str:
    """Return the kind of an object, in a word."""
    if isinstance(one, Described):
        return one.kind if one.dtype is None else "tensor"
    if isinstance(one, StandIn):
        return one.named
    if isinstance(one, Fixed):
        return "type"
    return "None" if one is None else type(one).__name__


def told(text: str) -> str:
    """Return a name or a word of the pickle's in a form that can be shown in one line."""
    return visible(text[:_LONGEST_TOLD])
