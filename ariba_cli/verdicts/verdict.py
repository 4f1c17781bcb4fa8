"""The verdict of an audit, with its parameters and its inputs: plain frozen data.

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
        The id of its sender, and its path in the round.
    bytes : int, optional
        The size of the file; None when it could not be opened.
    tensor_sha256 : str, optional
        The hash of the bytes that were analysed; None when none were. For several layers it
        is that of their own hashes in hex, a line each, in the order of the layers.
    status : str
        `ok`, `not-read`, `excluded`, or the kind of the first finding that kept it out.
    file_sha256 : str, optional
        The hash of the whole file in the seal; None where there is no seal.
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
        The name of the layer.
    shape : tuple of int
        The shape of the layer.
    participants : int
        The number of participants who hold it, and can be scored in it.
    tensor_sha256 : dict of str to str
        The hash of the bytes of everybody whose layer was read.
    """

    layer: str
    shape: tuple[int, ...]
    participants: int
    tensor_sha256: dict[str, str]


class MarkedLayer(Struct, frozen=True):
    """The result of a detector of scope *layer* for one layer.

    Attributes
    ----------
    layer : str
        The name of the layer.
    fragment : str
        kernel, filter, row or block:D.
    participants, fragments, dimension : int
        n, m and d.
    left_out : int
        The number of values per participant that fill no fragment.
    marked : int
        The number of marked fragments, k_est·m; 0 when nobody can be told apart.
    covariance_rank : int, optional
        The number of the d dimensions that the fragments fill; None for a detector without a
        covariance.
    cutoff_distance : float
        The least distance, or other score of a fragment, that was marked.
    cutoff_margin : float
        The relative difference to the next one, which is smaller.
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
    """The result of a detector for one participant; higher is more suspicious.

    Attributes
    ----------
    id : str
        The id of the participant.
    score : int or float
        Σ S_i over the layers for scope *layer*; else as the detector defines it.
    share : float, optional
        The mean of S_i/m over the layers in which it was scored, by which participants are
        ordered; for scope *layer*.
    by_layer : dict of str to float
        S_i/m, or the score, of each layer by itself; without layers that tell nobody apart.
    p_value : float, optional
        The chance that an honest participant scores as high, where the detector gives it.
    details : dict of str to Parameter
        Further values that the detector gives it.
    """

    id: str
    score: int | float
    share: float | None = None
    by_layer: dict[str, float] = {}
    p_value: float | None = None
    details: dict[str, Parameter] = {}

    @property
    def by_sign(self) -> dict[str, float]:
        """The chance that an honest participant shows as much of each sign, where it is known."""
        return {
            key.removeprefix(OF_SIGN): float(value)
            for key, value in self.details.items()
            if key.startswith(OF_SIGN) and isinstance(value, int | float)
        }

    @property
    def value(self) -> float:
        """The value by which participants are ordered."""
        return self.score if self.share is None else self.share


class KEstStep(Struct, frozen=True):
    """The difference between the suspects for one k_est and those for the one of the step before.

    Attributes
    ----------
    k_est : int
        The larger k_est.
    enter : tuple of str
        The new suspects, in the order of the ranking for that k_est.
    leave : tuple of str
        Those who are no longer suspects, in id order.
    """

    k_est: int
    enter: tuple[str, ...]
    leave: tuple[str, ...]


class Stability(Struct, frozen=True):
    """The dependence of the suspects of marks on k_est, and on each layer.

    Attributes
    ----------
    steps : tuple of KEstStep
        The steps for every k_est from 1 to twice that of the audit, or to n − 1; of more than 1,000
        participants for some of them. k_est·m fragments of each layer are marked anew, and the
        k_est participants of highest share are the suspects.
    without_layer : dict of str to tuple of str
        The suspects who stay such, by the layer that is left out; where there are several.
    """

    steps: tuple[KEstStep, ...]
    without_layer: dict[str, tuple[str, ...]]


class DetectorResult(Struct, frozen=True):
    """The result of one detector for everybody.

    Attributes
    ----------
    name : str
        Its name in the registry.
    scope : str
        `layer` or `update`.
    scores : tuple of Score
        The scores of everybody who was scored, the most suspicious first; none where nobody can
        be told apart.
    same_on_every_machine : bool
        True if its scores are the same on every machine, to the byte; False where it relies on
        floating-point libraries.
    parameters : dict of str to Parameter
        The parameters with which it was run, its defaults included.
    layers : tuple of MarkedLayer
        The details of scope *layer*.
    stability : Stability, optional
        The stability of scope *layer*, where somebody is ranked.
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
    """The examined part of the model: layers that hold weights, and their parameters."""

    layers_examined: int
    layers_total: int
    parameters_examined: int
    parameters_total: int


class TruthMetrics(Struct, frozen=True):
    """The quality of a detector, where the truth is known.

    Attributes
    ----------
    caught : float
        P_m%, the share of the compromised that the decision names, or of another detector's
        that are among its k_est first, in [0, 1].
    falsely_named : int
        The number of named participants who are not compromised.
    confidence : float, optional
        C = Σ_{i∈P_m} S_i / (min(k, k_est)·m), with the mean share for S_i/m; of scope *layer*.
    confidence_paper : float, optional
        The paper's C = Σ_{i∈P_m} S_i / (k_est·m), at most k/k_est.
    auc : float, optional
        The probability that a compromised participant outscores an honest one, a tie
        counting half; None when one of the two groups was not scored.
    """

    caught: float = field(name="p_m")
    falsely_named: int
    confidence: float | None
    confidence_paper: float | None
    auc: float | None


class Truth(Struct, frozen=True):
    """A verdict compared with the truth of a simulation.

    Attributes
    ----------
    compromised : tuple of str
        The compromised participants.
    detectors : dict of str to TruthMetrics
        The quality of each detector.
    """

    compromised: tuple[str, ...]
    detectors: dict[str, TruthMetrics]


class Verdict(Struct, frozen=True):
    """The result of an audit.

    Attributes
    ----------
    method : Method
        The way in which it was found.
    decision : Decision
        The rule by which suspects are named.
    inputs : tuple of Input
        The files of the round.
    layers : tuple of ExaminedLayer
        The examined layers, in model order.
    detectors : tuple of DetectorResult
        The results of the detectors, in the order in which they were asked for.
    ranking : tuple of Ranked
        The ranking by the detector that decides; empty when the updates cannot be told apart.
    coverage : Coverage
        The examined part of the model.
    findings : tuple of Finding
        The faults of the inputs.
    calibration : Calibration, optional
        The basis of the p-values, where there are any.
    rescored : Rescored, optional
        The result without those who are far out, where they hide somebody.
    truth : Truth, optional
        The quality of the detectors, where that was measured.
    similarity : Similarity, optional
        The similarity of the updates, where evidence was asked for.
    evidence : tuple of LayerEvidence
        A sample of the scored values, by layer; empty unless it was asked for.
    devices : tuple of str
        The devices on which the layers were scored, which do not change the result.
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
        """The participants to leave out of the next model: the suspects, and of two results both.

        Those who are far out hide others, so that only the second result counts for the rest.
        """
        if self.rescored is None:
            return tuple(one.id for one in self.suspects)
        others = (one.id for one in self.rescored.ranking if one.named)
        return (*self.rescored.left_out, *others)

    @property
    def by_level(self) -> bool:
        """True if a false-discovery level decides, and nobody need be named."""
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
        """The participants who are known to be compromised."""
        return frozenset() if self.truth is None else frozenset(self.truth.compromised)


def plain(struct: Struct) -> dict[str, Any]:
    """Return a struct as dicts, lists and plain values, by the names that JSON has."""
    from msgspec import to_builtins

    found: dict[str, Any] = to_builtins(struct)
    return found
