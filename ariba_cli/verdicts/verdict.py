"""What an audit found, with its parameters and its inputs: plain frozen data.

Everything in it but `similarity`, `evidence`, `devices` and the words of findings is the
`result` of a report: codes, ids and numbers, which are hashed.
"""

from typing import Any

from msgspec import Struct, field

from ariba_cli.base.findings import Finding
from ariba_cli.base.parameters import OF_SIGN, Parameter
from ariba_cli.verdicts.evidence import LayerEvidence, Similarity
from ariba_cli.verdicts.method import Decision, Method
from ariba_cli.verdicts.ranked import Calibration, Ranked, Rescored


class Input(Struct, frozen=True):
    """One file of the round.

    Attributes
    ----------
    role : str
        `participant` or `global`.
    id, path : str
        Whose it is, and where in the round.
    bytes : int, optional
        The size of the file; none when it could not be opened.
    tensor_sha256 : str, optional
        The hash of the bytes that were analysed; none when none were. For several layers it
        is that of their own hashes in hex, a line each, in the order of the layers.
    status : str
        `ok`, `not-read`, `excluded`, or the kind of the first finding that kept it out.
    file_sha256 : str, optional
        The hash of the whole file, as the seal has it; none where there is no seal.
    """

    role: str
    id: str
    path: str
    bytes: int | None
    tensor_sha256: str | None
    status: str
    file_sha256: str | None = None


class ExaminedLayer(Struct, frozen=True):
    """A layer that was examined.

    Attributes
    ----------
    layer : str
        Its name.
    shape : tuple of int
        Its shape.
    participants : int
        How many of them hold it, and can be scored in it.
    tensor_sha256 : dict of str to str
        The hash of the bytes of everybody whose layer was read.
    """

    layer: str
    shape: tuple[int, ...]
    participants: int
    tensor_sha256: dict[str, str]


class MarkedLayer(Struct, frozen=True):
    """What a detector of scope *layer* says of one layer.

    Attributes
    ----------
    layer : str
        Its name.
    fragment : str
        kernel, filter, row or block:D.
    participants, fragments, dimension : int
        n, m and d.
    left_out : int
        Values per participant that fill no fragment.
    marked : int
        How many fragments were marked, k̃·m; 0 when nobody can be told apart.
    covariance_rank : int, optional
        Of d dimensions, how many the fragments fill; none for a detector that takes no
        covariance.
    cutoff_distance : float
        The least distance, or other score of a fragment, that was marked.
    cutoff_margin : float
        By what share of it the next one is smaller.
    scores : dict of str to int
        S_i by participant.
    """

    layer: str
    fragment: str
    participants: int
    fragments: int
    dimension: int
    left_out: int
    marked: int
    covariance_rank: int | None
    cutoff_distance: float
    cutoff_margin: float
    scores: dict[str, int]


class Score(Struct, frozen=True):
    """What a detector says of one participant; higher is more suspicious.

    Attributes
    ----------
    id : str
        The participant.
    score : int or float
        Of scope *layer* Σ S_i over the layers; else as the detector defines it.
    share : float, optional
        Of scope *layer* the mean of S_i/m over the layers in which it was scored, by which
        participants are ordered.
    by_layer : dict of str to float
        S_i/m, or the score, of each layer by itself; without layers that say nothing.
    p_value : float, optional
        How likely an honest participant scores as high, where the detector says it.
    details : dict of str to Parameter
        What else the detector says of it.
    """

    id: str
    score: int | float
    share: float | None = None
    by_layer: dict[str, float] = {}
    p_value: float | None = None
    details: dict[str, Parameter] = {}

    @property
    def by_sign(self) -> dict[str, float]:
        """How likely an honest participant shows as much of each sign, where that is told."""
        return {
            key.removeprefix(OF_SIGN): float(value)
            for key, value in self.details.items()
            if key.startswith(OF_SIGN) and isinstance(value, int | float)
        }

    @property
    def value(self) -> float:
        """By what participants are ordered."""
        return self.score if self.share is None else self.share


class KEstStep(Struct, frozen=True):
    """How the suspects for one k̃ differ from those for a k̃ that is less by one.

    Attributes
    ----------
    k_est : int
        k̃.
    enter : tuple of str
        Who becomes a suspect, in the order of the ranking for that k̃.
    leave : tuple of str
        Who no longer is one, in id order.
    """

    k_est: int
    enter: tuple[str, ...]
    leave: tuple[str, ...]


class Stability(Struct, frozen=True):
    """How far the suspects of marks depend on k̃, and on each layer.

    Attributes
    ----------
    steps : tuple of KEstStep
        For every k̃ from 1 to twice that of the audit, or to n − 1: k̃·m fragments of each
        layer are marked anew, and the k̃ participants of highest share are the suspects.
    without_layer : dict of str to tuple of str
        Of several layers, by each that is left out, which suspects stay such.
    """

    steps: tuple[KEstStep, ...]
    without_layer: dict[str, tuple[str, ...]]


class DetectorResult(Struct, frozen=True):
    """What one detector says of everybody.

    Attributes
    ----------
    name : str
        Its name in the registry.
    scope : str
        `layer` or `update`.
    same_on_every_machine : bool
        Whether its scores are, to the byte; not where it relies on floating-point libraries.
    parameters : dict of str to Parameter
        What it was run with, its defaults included.
    scores : tuple of Score
        Of everybody who was scored, the most suspicious first; none where nobody can be
        told apart.
    layers : tuple of MarkedLayer
        The details of scope *layer*.
    stability : Stability, optional
        Of scope *layer*, where somebody is ranked.
    """

    name: str
    scope: str
    scores: tuple[Score, ...]
    same_on_every_machine: bool = True
    parameters: dict[str, Parameter] = {}
    layers: tuple[MarkedLayer, ...] = ()
    stability: Stability | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The participants, the most suspicious first."""
        return tuple(one.id for one in self.scores)


class Coverage(Struct, frozen=True):
    """How much of the model was examined: layers that hold weights, and their parameters."""

    layers_examined: int
    layers_total: int
    parameters_examined: int
    parameters_total: int


class TruthMetrics(Struct, frozen=True):
    """How good a detector is, where the truth is known.

    Attributes
    ----------
    caught : float
        P_m%, the share of the compromised that the decision names, or of another detector's
        that are among its k̃ first, in [0, 1].
    falsely_named : int
        How many of these are not compromised.
    confidence : float, optional
        C = Σ_{i∈P_m} S_i / (min(k, k̃)·m), with the mean share for S_i/m; of scope *layer*.
    confidence_paper : float, optional
        The paper's C = Σ_{i∈P_m} S_i / (k̃·m), at most k/k̃.
    auc : float, optional
        The probability that a compromised participant outscores an honest one, a tie
        counting half; none when one of the two groups was not scored.
    """

    caught: float = field(name="p_m")
    falsely_named: int
    confidence: float | None
    confidence_paper: float | None
    auc: float | None


class Truth(Struct, frozen=True):
    """A verdict held against the truth of a simulation.

    Attributes
    ----------
    compromised : tuple of str
        Who was.
    detectors : dict of str to TruthMetrics
        How good each detector is.
    """

    compromised: tuple[str, ...]
    detectors: dict[str, TruthMetrics]


class Verdict(Struct, frozen=True):
    """What an audit found.

    Attributes
    ----------
    method : Method
        How it came about.
    decision : Decision
        By which rule suspects are named.
    inputs : tuple of Input
        The files of the round.
    layers : tuple of ExaminedLayer
        In model order.
    detectors : tuple of DetectorResult
        In the order in which they were asked for.
    ranking : tuple of Ranked
        By the detector that decides; empty when the updates cannot be told apart.
    coverage : Coverage
        How much of the model was examined.
    findings : tuple of Finding
        What is wrong with the inputs.
    calibration : Calibration, optional
        On what the p-values rest, where there are any.
    rescored : Rescored, optional
        What comes out without those who are far out, where they hide somebody.
    truth : Truth, optional
        How good the detectors are, where that was measured.
    similarity : Similarity, optional
        How alike the updates are, where evidence was asked for.
    evidence : tuple of LayerEvidence
        A sample of what was scored, by layer; empty unless it was asked for.
    devices : tuple of str
        Where the layers were scored, which changes nothing.
    """

    method: Method
    decision: Decision
    inputs: tuple[Input, ...]
    layers: tuple[ExaminedLayer, ...]
    detectors: tuple[DetectorResult, ...]
    ranking: tuple[Ranked, ...]
    coverage: Coverage
    findings: tuple[Finding, ...]
    calibration: Calibration | None = None
    rescored: Rescored | None = None
    truth: Truth | None = None
    similarity: Similarity | None = None
    evidence: tuple[LayerEvidence, ...] = ()
    devices: tuple[str, ...] = ("cpu",)

    @property
    def suspects(self) -> tuple[Ranked, ...]:
        """The participants that the decision names."""
        return tuple(ranked for ranked in self.ranking if ranked.named)

    @property
    def accused(self) -> tuple[str, ...]:
        """Who should have no part in the next model: the suspects, and of two results both.

        Those who are far out hide others, so that only the second result counts for the rest.
        """
        if self.rescored is None:
            return tuple(one.id for one in self.suspects)
        others = (one.id for one in self.rescored.ranking if one.named)
        return (*self.rescored.left_out, *others)

    @property
    def by_level(self) -> bool:
        """Whether a false-discovery level decides, and nobody need be named."""
        return self.decision.alpha is not None

    @property
    def deciding(self) -> DetectorResult:
        """The detector whose scores decide."""
        return next(one for one in self.detectors if one.name == self.decision.detector)

    @property
    def marked_layers(self) -> tuple[MarkedLayer, ...]:
        """The details of the detector that decides, where it marks fragments."""
        return self.deciding.layers

    @property
    def compromised(self) -> frozenset[str]:
        """Who is known to be compromised."""
        return frozenset() if self.truth is None else frozenset(self.truth.compromised)


def plain(struct: Struct) -> dict[str, Any]:
    """Return a struct as dicts, lists and plain values, by the names that JSON has."""
    from msgspec import to_builtins

    found: dict[str, Any] = to_builtins(struct)
    return found
