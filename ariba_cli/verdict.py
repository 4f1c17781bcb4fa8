"""What an audit found, with its parameters and its inputs: plain frozen data."""

from dataclasses import dataclass, field

from ariba_cli.findings import Finding


@dataclass(frozen=True)
class Method:
    """The parameters that decide the result.

    Attributes
    ----------
    detector : its name in the registry.
    layers : the layers that were examined, in model order.
    layer_choice : `named` by the user, by a `pattern`, `all`, or the `middle` convolution by
        default.
    fragment : kernel, filter, row or block:D; `default` when it was left to the layers, and
        they have more than one.
    k_est : k̃, how many suspects are named.
    seal_verified : whether every file that the seal lists was hashed again.
    detector_parameters : what else the detector was run with; empty where it has no choices.
    same_on_every_machine : whether the result is, to the byte; not where the detector
        reckons with floating-point libraries.
    """

    detector: str
    layers: tuple[str, ...]
    layer_choice: str
    fragment: str
    k_est: int
    seal_verified: bool = False
    detector_parameters: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    same_on_every_machine: bool = True


@dataclass(frozen=True)
class Input:
    """One file of the round.

    Attributes
    ----------
    role : `participant` or `global`.
    bytes : the size of the file; None when it could not be opened.
    tensor_sha256 : the hash of the bytes that were analysed; None when none were. For several
        layers it is that of their own hashes in hex, a line each, in the order of the layers.
    status : `ok`, `not-read`, or the kind of the first finding that kept it out of a layer.
    """

    role: str
    id: str
    path: str
    bytes: int | None
    tensor_sha256: str | None
    status: str


@dataclass(frozen=True)
class LayerResult:
    """What the detector says of one layer.

    Attributes
    ----------
    fragment : kernel, filter, row or block:D.
    participants, fragments, dimension : n, m and d.
    left_out : values per participant that fill no fragment.
    marked : how many fragments were marked, k̃·m.
    covariance_rank : of d dimensions, how many the fragments fill; None for a detector that
        takes no covariance.
    cut_distance : the least distance, or other score of a fragment, that was marked.
    cut_margin : by what share of it the next one is smaller.
    scores : S_i by participant.
    tensor_sha256 : the hash of the bytes of everybody whose layer was read.
    """

    layer: str
    fragment: str
    participants: int
    fragments: int
    dimension: int
    left_out: int
    marked: int
    covariance_rank: int | None
    cut_distance: float
    cut_margin: float
    scores: dict[str, int]
    tensor_sha256: dict[str, str]


@dataclass(frozen=True)
class Ranked:
    """A participant's place.

    Attributes
    ----------
    score : Σ S_i over the layers.
    share : the mean of S_i / m over the layers in which it was scored.
    shares : S_i / m by layer; a layer in which nobody can be told apart is not there.
    """

    rank: int
    id: str
    score: int
    share: float
    shares: dict[str, float]
    suspect: bool


@dataclass(frozen=True)
class Coverage:
    """How much of the model was examined."""

    layers_examined: int
    layers_total: int
    parameters_examined: int
    parameters_total: int


@dataclass(frozen=True)
class Evaluation:
    """How good the verdict is, where the truth is known.

    Attributes
    ----------
    compromised : who was.
    caught : P_m%, the share of the compromised that are suspects, in [0, 1].
    confidence : C = Σ_{i∈P_m} S_i / (min(k, k̃)·m), with the mean share for S_i / m.
    confidence_paper : the paper's C = Σ_{i∈P_m} S_i / (k̃·m), at most k/k̃.
    auc : the probability that a compromised participant outscores an honest one, a tie
        counting half; None when one of the two groups was not scored.
    """

    compromised: tuple[str, ...]
    caught: float
    confidence: float
    confidence_paper: float
    auc: float | None


@dataclass(frozen=True)
class Verdict:
    """What an audit found.

    Attributes
    ----------
    ranking : empty when the updates cannot be told apart.
    devices : where the layers were scored, which changes nothing.
    tie_at_cut : whether the last suspect and the next participant have the same mean share.
    """

    method: Method
    inputs: tuple[Input, ...]
    layers: tuple[LayerResult, ...]
    ranking: tuple[Ranked, ...]
    tie_at_cut: bool
    coverage: Coverage
    findings: tuple[Finding, ...]
    evaluation: Evaluation | None = None
    devices: tuple[str, ...] = ("cpu",)

    @property
    def suspects(self) -> tuple[Ranked, ...]:
        """The k̃ participants of highest score."""
        return tuple(ranked for ranked in self.ranking if ranked.suspect)
