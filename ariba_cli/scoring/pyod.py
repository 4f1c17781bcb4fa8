"""The detectors of PyOD as an engine: fitted on a sample of the fragments, scored in chunks."""

import contextlib
import io
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import UsageError
from ariba_cli.base.progress import Progress
from ariba_cli.scoring.covariance import distances_from_reference
from ariba_cli.scoring.cpu import Cpu
from ariba_cli.scoring.marks import Marks, marks_by_k_est, marks_of, nobody_marked
from ariba_cli.updates.fragments import Fragments

Float64 = npt.NDArray[np.float64]

# Values in a block that is only looked at, and the most in a chunk that is scored.
_BLOCK_VALUES = 2**15
_CHUNK_VALUES = 2**22


class Estimator(Protocol):
    """The part of PyOD's detectors that is used. Their labels are not: they use another cut."""

    def fit(self, rows: Float64, /) -> object:
        """Learn from rows of d values what is usual."""
        ...

    def decision_function(self, rows: Float64, /) -> npt.NDArray[np.floating]:
        """Return a score for each row, higher for more unusual rows."""
        ...


@dataclass(frozen=True)
class Plan:
    """The settings by which an estimator is run.

    Attributes
    ----------
    name : str
        The name that messages give it.
    build : callable
        The function that makes it, with all its parameters.
    fit_sample : int
        The number of fragments on which it is fitted, at most n·m.
    chunk : int
        The approximate number of fragments that are scored at once.
    spread : bool
        True if those are taken from all over the layer. An estimator that compares them with each
        other needs it: a filter that nobody trained is all zeros.
    seed : int
        The seed of the sample, and of all randomness that has no seed of its own.
    """

    name: str
    build: Callable[[], Estimator]
    fit_sample: int
    chunk: int
    spread: bool
    seed: int


def score(
    fragments: Fragments,
    k_est: int,
    plan: Plan,
    progress: Progress,
    *,
    keep_distances: bool = False,
) -> Marks:
    """Mark the k_est·m fragments of highest decision score; 1 ≤ k_est < n.

    All fragments are scaled by one power of two, which changes no digit, so that the sample
    has a root mean square in [0.5, 1): the defaults of many detectors, such as the widths of
    kernels, are meant for values of about one, and weights are far smaller.

    Raises
    ------
    UsageError
        When the detector cannot be fitted on these fragments, or gives no scores for them.
    """
    from_reference = distances_from_reference(fragments, Cpu())
    rows, largest = _sample(fragments, plan)
    if largest == 0:
        return nobody_marked(k_est, fragments.participants, None, from_reference)
    exponent = _exponent(rows, largest)
    np.ldexp(rows, -exponent, out=rows)
    progress(f"fitting {plan.name} on {len(rows):,} fragments", 0, 1)
    with _apart(plan.seed), _explained(f"{plan.name} cannot be fitted on {len(rows):,} fragments"):
        estimator = plan.build()
        estimator.fit(rows)
    # A pruned layer has such values, and what divides by the spread of each is lost there.
    varying = int(np.count_nonzero(rows.min(axis=0) < rows.max(axis=0)))
    scores = _scores(fragments, estimator, exponent, plan, progress)
    _check_finite(scores, plan.name, varying, fragments.cut.dimension)
    if scores.min() == scores.max():
        return nobody_marked(k_est, fragments.participants, None, from_reference)
    marks = marks_of(marks_by_k_est(scores, k_est), k_est, None, from_reference)
    return replace(marks, distances=scores) if keep_distances else marks


def _sample(fragments: Fragments, plan: Plan) -> tuple[Float64, float]:
    """Return the fragments to fit on, of shape (fit_sample, d), and the largest |value| of all.

    They are drawn without replacement from all n·m, numbered in id order, and come in the
    order of fragments.
    """
    m = fragments.cut.fragments
    drawn = np.random.default_rng(plan.seed).choice(
        fragments.total, plan.fit_sample, replace=False, shuffle=False
    )
    drawn.sort()
    who, which = np.divmod(drawn, m)
    order = np.argsort(which, kind="stable")
    who, which = who[order], which[order]
    rows = np.empty((plan.fit_sample, fragments.cut.dimension))
    largest = 0.0
    at_once = _BLOCK_VALUES // (fragments.participants * fragments.cut.dimension)
    for part in _parts(m, at_once):
        block = fragments.centred(part.start, part.stop)
        largest = max(largest, float(block.max()), float(-block.min()))
        here = slice(*np.searchsorted(which, (part.start, part.stop)))
        rows[here] = block[who[here], which[here] - part.start]
    return rows, largest


def _exponent(rows: Float64, largest: float) -> int:
    """Return the e with a root mean square of the rows in [2^(e−1), 2^e)."""
    exponent = math.frexp(largest)[1]
    # In steps, so that no square is too small or too large to be held.
    mean_square = float(np.square(np.ldexp(rows, -exponent)).mean())
    return exponent + (math.frexp(math.sqrt(mean_square))[1] if mean_square > 0 else 0)


def _scores(
    fragments: Fragments, estimator: Estimator, exponent: int, plan: Plan, progress: Progress
) -> Float64:
    """Return the decision score of every fragment, of shape (n, m)."""
    n, d = fragments.participants, fragments.cut.dimension
    scores = np.empty((n, fragments.cut.fragments))
    at_once = min(plan.chunk, _CHUNK_VALUES // d) // n
    what, done = f"scoring by {plan.name}", 0
    progress(what, done, fragments.total)
    for part in _parts(fragments.cut.fragments, at_once, spread=plan.spread):
        rows = np.ldexp(_centred(fragments, part), -exponent)
        with _apart(plan.seed), _explained(f"{plan.name} cannot score {len(rows):,} fragments"):
            found = np.asarray(estimator.decision_function(rows), dtype=np.float64)
            scores[:, part] = found.reshape(n, -1)
        done += len(rows)
        progress(what, done, fragments.total)
    return scores


def _parts(fragments: int, at_once: int, *, spread: bool = False) -> Iterator[slice]:
    """Yield all fragments in parts of nearly the same size, none larger than asked for.

    They are runs or, spread, every second, third … fragment. A detector that compares the
    fragments it scores must not be left with a short last part.
    """
    parts = math.ceil(fragments / max(1, at_once))
    for index in range(parts):
        if spread:
            yield slice(index, fragments, parts)
        else:
            yield slice(fragments * index // parts, fragments * (index + 1) // parts)


def _centred(fragments: Fragments, part: slice) -> Float64:
    """Return a part of everybody's fragments, one participant after the other: (any, d)."""
    if part.step is None:
        block = fragments.centred(part.start, part.stop)
    else:
        block = fragments.centred_at(np.arange(part.start, part.stop, part.step))
    return block.reshape(-1, fragments.cut.dimension)


def _check_finite(scores: Float64, name: str, varying: int, dimension: int) -> None:
    bad = scores.size - np.count_nonzero(np.isfinite(scores))
    if not bad:
        return
    hint = "try another --fit-sample"
    if varying < dimension:
        hint = (
            f"{dimension - varying} of the {dimension} values of a fragment are the same "
            f"everywhere: try --detector-arg n_components={varying} if it takes that"
        )
    raise UsageError(
        f"{name} gives {bad:,} of {scores.size:,} fragments a score that is not finite; "
        f"{hint}, or another detector (ariba audit --list-detectors)"
    )


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise an error of one line for whatever a library raises."""
    try:
        yield
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(
            f"{what}: {why[:300].rstrip('. ')}; try another --fit-sample, or another detector "
            "(ariba audit --list-detectors)"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings and prints of a library: they are not meant for the user of ariba."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield


@contextlib.contextmanager
def _apart(seed: int) -> Iterator[None]:
    """Run a library silently, with all global randomness seeded, and restored afterwards."""
    states = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    with quiet(), torch.random.fork_rng() if torch else contextlib.nullcontext():
        random.seed(seed)
        np.random.seed(seed)
        if torch:
            torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
