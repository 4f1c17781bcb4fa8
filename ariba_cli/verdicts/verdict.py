"""What an audit found, with its parameters and its inputs: plain frozen data."""

from dataclasses import dataclass, field

from ariba_cli.base.findings import Finding


@dataclass(frozen=True)
class RequestedOptions:
    """What was chosen in so many words: with it the same audit can be run again.

    Attributes
    ----------
    layers : names, patterns or `all`; none for the convolution in the middle.
    fragment : kernel, filter, row or block:D; None for the default of each layer.
    detector_arguments : what the detector was given beside its defaults.
    fit_sample : on how many fragments it was to be fitted, at most; None for its default.
    """

    layers: tuple[str, ...] = ()
    fragment: str | None = None
    detector_arguments: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    fit_sample: int | None = None


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
    asked : None in reports of schema 1.1.
    """

    detector: str
    layers: tuple[str, ...]
    layer_choice: str
    fragment: str
    k_est: int
    seal_verified: bool = False
    detector_parameters: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    same_on_every_machine: bool = True
    asked: RequestedOptions | None = None


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
    file_sha256 : the hash of the whole file, as the seal has it; None where there is no seal.
    """

    role: str
    id: str
    path: str
    bytes: int | None
    tensor_sha256: str | None
    status: str
    file_sha256: str | None = None


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
class TruthMetrics:
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
class KEstStep:
    """How the suspects for one k̃ differ from those for a k̃ that is less by one.

    Attributes
    ----------
    enter : who becomes a suspect, in the order of the ranking for that k̃.
    leave : who no longer is one, in id order.
    """

    k_est: int
    enter: tuple[str, ...]
    leave: tuple[str, ...]


@dataclass(frozen=True)
class Stability:
    """How far the suspects depend on k̃, and on each layer.

    Attributes
    ----------
    share_margin : by how much the share of the last suspect exceeds that of the next
        participant.
    steps : for every k̃ from 1 to twice that of the audit, or to n − 1: k̃·m fragments of each
        layer are marked anew, and the k̃ participants of highest share are the suspects.
    without_layer : of several layers, by each that is left out, which suspects stay such.
    """

    share_margin: float
    steps: tuple[KEstStep, ...]
    without_layer: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Fragment:
    """A fragment of δ̂_i that made a participant a suspect, beside a typical one.

    Attributes
    ----------
    index : its place in the layer: (out, in) of a kernel, else its number alone.
    distance : its distance, or other score of a fragment.
    times_median : how many times the median of all distances of the layer that is; None where
        the median is not positive.
    values : its first values.
    typical_id : another participant, not among the k̃ most marked, whose fragment in the same
        place has the median distance of theirs; the same one where there is no other.
    typical_distance, typical_values : of that one.
    """

    index: tuple[int, ...]
    distance: float
    times_median: float | None
    values: tuple[float, ...]
    typical_id: str
    typical_distance: float
    typical_values: tuple[float, ...]


@dataclass(frozen=True)
class Plane:
    """Fragments in the plane of their first two principal components (Fig. 3c).

    Attributes
    ----------
    explained : the share of all variance along each of the two.
    fragments : the numbers of the fragments that were sampled, the same of everybody.
    points : by participant x and y of each of them in turn, in standard deviations of all
        fragments along the first component.
    """

    explained: tuple[float, ...]
    fragments: tuple[int, ...]
    points: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class LayerEvidence:
    """What pictures of one layer are made of.

    Attributes
    ----------
    shape : rows and columns of the values of a fragment, as it is drawn; where only its first
        values are kept, the last row may be short.
    median_distance : of all fragments of the layer.
    most_distant : the fragments of largest distance, by participant: of those who have most
        marks, the first first, and of whom else it was asked for.
    plane : None where all fragments lie on a line.
    """

    layer: str
    shape: tuple[int, int]
    median_distance: float
    most_distant: dict[str, tuple[Fragment, ...]]
    plane: Plane | None


@dataclass(frozen=True)
class Verdict:
    """What an audit found.

    Attributes
    ----------
    ranking : empty when the updates cannot be told apart.
    stability : None where nobody is ranked, and in reports of schema 1.1.
    evidence : a sample of what was scored, by layer; empty unless it was asked for.
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
    evaluation: TruthMetrics | None = None
    stability: Stability | None = None
    evidence: tuple[LayerEvidence, ...] = ()
    devices: tuple[str, ...] = ("cpu",)

    @property
    def suspects(self) -> tuple[Ranked, ...]:
        """The k̃ participants of highest score."""
        return tuple(ranked for ranked in self.ranking if ranked.suspect)
