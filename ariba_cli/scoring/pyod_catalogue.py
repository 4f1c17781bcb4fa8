"""What PyOD has: every detector by name, what it costs, and which are of no use here.

Nothing of PyOD is imported for it, since that takes two seconds.
"""

import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ariba_cli.base.errors import UsageError

# What a default fit sample may take, for fitting and for what scoring takes longer with it.
_BUDGET_SECONDS = 60.0
_MOST_FITTED = 1_000_000
# 256 MiB of float64.
_MOST_FITTED_VALUES = 2**25

# The fragments and the dimension for which costs are shown and were measured.
SHOWN_FRAGMENTS = 100_000
SHOWN_DIMENSION = 9


class Growth(Enum):
    """How a time grows with the fit sample: how it is written, and by what power, at least."""

    CONSTANT = "1"
    LINEAR = "n"
    SORTING = "n log n"
    QUADRATIC = "n^2"
    CUBIC = "n^3"

    def __call__(self, ratio: float) -> float:
        """By what factor it grows, roughly."""
        power = {"1": 0.0, "n": 1.0, "n log n": 1.1, "n^2": 2.0, "n^3": 3.0}[self.value]
        return math.pow(ratio, power)


@dataclass(frozen=True)
class Cost:
    """What a detector takes.

    Attributes
    ----------
    at : the fit sample that it was measured with.
    fit : seconds to fit that.
    score : seconds to score 100,000 fragments then.
    fit_growth, score_growth : how both grow with the fit sample.
    """

    at: int
    fit: float
    score: float
    fit_growth: Growth
    score_growth: Growth

    def fit_seconds(self, fitted: int) -> float:
        """What fitting takes."""
        return self.fit * self.fit_growth(fitted / self.at)

    def score_seconds(self, fitted: int) -> float:
        """What scoring 100,000 fragments takes."""
        return self.score * self.score_growth(fitted / self.at)


class Rows(Enum):
    """What a score depends on beside the fit sample, and so how many are scored at once.

    Values are fragments; for those that compare what they score with each other alone, it
    is as many as were fitted.
    """

    APART = 2**14
    WITH_SAMPLE = 2**16
    TOGETHER = 0


@dataclass(frozen=True)
class Known:
    """A detector of PyOD.

    Attributes
    ----------
    module : where in `pyod.models` it is; the class has the detector's name.
    needs : packages beside those that PyOD itself needs.
    one_value : whether it takes fragments of one value alone.
    fewest : the smallest fit sample that is chosen for the sake of time: with fewer, it says
        little of what is usual.
    """

    module: str
    cost: Cost
    rows: Rows = Rows.APART
    needs: tuple[str, ...] = ()
    one_value: bool = False
    fewest: int = 1_000

    def fit_sample(self, fragments: int, dimension: int) -> int:
        """On how many of so many fragments to fit by default: what a minute is enough for.

        Scoring itself takes what it takes; what counts is how much longer it takes than
        with the smallest sample. Time is taken to grow with the values of a fragment.
        """
        wider = max(1.0, dimension / SHOWN_DIMENSION)
        scored = fragments / SHOWN_FRAGMENTS

        def seconds(fitted: int) -> float:
            longer = self.cost.score_seconds(fitted) - self.cost.score_seconds(self.fewest)
            return wider * (self.cost.fit_seconds(fitted) + scored * longer)

        affordable = [
            fitted
            for fitted in _round_numbers(self.fewest, _MOST_FITTED)
            if seconds(fitted) <= _BUDGET_SECONDS and fitted * dimension <= _MOST_FITTED_VALUES
        ]
        return min(fragments, max(affordable, default=self.fewest))

    def chunk(self, fitted: int) -> int:
        """How many fragments to score at once."""
        return self.rows.value or fitted


def _round_numbers(least: int, most: int) -> Iterator[int]:
    """1, 2 and 5 times the powers of ten."""
    power = 10 ** int(math.log10(least))
    while power <= most:
        for number in (power, 2 * power, 5 * power):
            if least <= number <= most:
                yield number
        power *= 10


def find(name: str) -> str:
    """The detector of that name, in any case, as PyOD writes it.

    Raises
    ------
    UsageError
        When there is none, or when it is of no use for an audit.
    """
    if not name:
        raise UsageError(f"name the detector, as in pyod:ECOD ({_LISTED})")
    labels = {label.lower(): label for label in (*CATALOGUE, *OF_NO_USE)}
    label = labels.get(name.lower())
    if label is None:
        near = difflib.get_close_matches(name.lower(), labels, n=3, cutoff=0.5)
        meant = " or ".join(f"'pyod:{labels[one]}'" for one in near if labels[one] in CATALOGUE)
        hint = f"; did you mean {meant}?" if meant else ""
        raise UsageError(f"PyOD is not known to have a detector '{name}'{hint} ({_LISTED})")
    if label in OF_NO_USE:
        raise UsageError(f"pyod:{label} cannot be used: it {OF_NO_USE[label]} ({_LISTED})")
    return label


_LISTED = "ariba audit --list-detectors shows all"

_CONSTANT, _LINEAR, _SORTING = Growth.CONSTANT, Growth.LINEAR, Growth.SORTING
_QUADRATIC, _CUBIC = Growth.QUADRATIC, Growth.CUBIC

# Measured with PyOD 3.6.7, one detector at a time, with its default arguments: normal
# fragments of 9 values, each with a random scale, and one in fifty four times as large. They
# are rough: seconds of the second use, after what is compiled on first use, on two cores of
# a machine that others used too; of those that need torch, and of ROD, seconds of one
# processor. Growth is that of the algorithm's steps; AE1SVM, ALAD, AnoGAN, AutoEncoder,
# DeepSVDD, LOCI, RGraph and VAE were timed with one fit sample only.
CATALOGUE = {
    "ABOD": Known("abod", Cost(10_000, 2.5, 28, _QUADRATIC, _SORTING)),
    "AE1SVM": Known("ae1svm", Cost(200, 2.9, 8.9, _LINEAR, _CONSTANT), needs=("torch",)),
    "ALAD": Known("alad", Cost(200, 3.2, 0.4, _LINEAR, _CONSTANT), needs=("torch", "pandas")),
    "AnoGAN": Known(
        "anogan", Cost(50, 13, 88, _LINEAR, _CONSTANT), needs=("torch", "pandas"), fewest=100
    ),
    "AutoEncoder": Known(
        "auto_encoder", Cost(1_000, 1.5, 6.8, _LINEAR, _CONSTANT), needs=("torch", "tqdm")
    ),
    "CBLOF": Known("cblof", Cost(100_000, 0.53, 0.05, _LINEAR, _CONSTANT)),
    "CD": Known("cd", Cost(10_000, 0.09, 1.1, _LINEAR, _CONSTANT), Rows.TOGETHER),
    "COF": Known("cof", Cost(1_000, 0.37, 33, _QUADRATIC, _LINEAR), Rows.TOGETHER),
    "COPOD": Known("copod", Cost(100_000, 0.29, 0.89, _SORTING, _SORTING), Rows.WITH_SAMPLE),
    "DIF": Known("dif", Cost(1_000, 3.5, 250, _LINEAR, _CONSTANT), Rows.TOGETHER, ("torch",)),
    "DeepSVDD": Known("deep_svdd", Cost(1_000, 6.2, 0.1, _LINEAR, _CONSTANT), needs=("torch",)),
    "ECOD": Known("ecod", Cost(100_000, 0.28, 0.82, _SORTING, _SORTING), Rows.WITH_SAMPLE),
    "FeatureBagging": Known(
        "feature_bagging", Cost(10_000, 8.4, 81, _QUADRATIC, _LINEAR), needs=("combo",)
    ),
    "GMM": Known("gmm", Cost(100_000, 0.19, 0.04, _LINEAR, _CONSTANT)),
    "HBOS": Known("hbos", Cost(100_000, 0.04, 0.02, _LINEAR, _CONSTANT)),
    "HDBSCAN": Known("hdbscan", Cost(10_000, 1.5, 9.5, _QUADRATIC, _LINEAR)),
    "IForest": Known("iforest", Cost(100_000, 0.99, 0.34, _LINEAR, _CONSTANT)),
    "INNE": Known("inne", Cost(100_000, 4.5, 4.2, _LINEAR, _CONSTANT)),
    "KDE": Known("kde", Cost(10_000, 10, 97, _QUADRATIC, _LINEAR)),
    "KNN": Known("knn", Cost(20_000, 4.4, 21, _QUADRATIC, _LINEAR)),
    "KPCA": Known("kpca", Cost(2_000, 3.0, 76, _CUBIC, _LINEAR)),
    "LMDD": Known("lmdd", Cost(200, 0.2, 100, _QUADRATIC, _CONSTANT), Rows.TOGETHER),
    "LOCI": Known("loci", Cost(100, 1.7, 1_700, _CUBIC, _QUADRATIC), Rows.TOGETHER, fewest=100),
    "LODA": Known("loda", Cost(100_000, 0.31, 0.2, _LINEAR, _CONSTANT)),
    "LOF": Known("lof", Cost(20_000, 6.2, 28, _QUADRATIC, _LINEAR)),
    "LUNAR": Known("lunar", Cost(2_000, 24, 6.6, _LINEAR, _LINEAR), needs=("torch",)),
    "MAD": Known("mad", Cost(100_000, 0.02, 0.01, _LINEAR, _CONSTANT), one_value=True),
    "MCD": Known("mcd", Cost(30_000, 5.4, 0.01, _LINEAR, _CONSTANT)),
    "MO_GAAL": Known("mo_gaal", Cost(4_000, 25, 0.1, _LINEAR, _CONSTANT), needs=("torch",)),
    "OCSVM": Known("ocsvm", Cost(10_000, 6.0, 24, _QUADRATIC, _LINEAR)),
    "PCA": Known("pca", Cost(100_000, 0.04, 0.02, _LINEAR, _CONSTANT)),
    "QMCD": Known("qmcd", Cost(4_000, 0.05, 1.2, _QUADRATIC, _LINEAR)),
    "RGraph": Known("rgraph", Cost(100, 0.28, 4_100, _QUADRATIC, _LINEAR), fewest=100),
    "ROD": Known("rod", Cost(4_000, 10, 8.4, _LINEAR, _CONSTANT), Rows.TOGETHER),
    "SOD": Known("sod", Cost(1_000, 0.56, 56, _QUADRATIC, _LINEAR), Rows.TOGETHER),
    "SOS": Known("sos", Cost(1_000, 0.71, 79, _QUADRATIC, _LINEAR), Rows.TOGETHER),
    "SO_GAAL": Known("so_gaal", Cost(2_000, 14, 0.3, _LINEAR, _CONSTANT), needs=("torch",)),
    "Sampling": Known("sampling", Cost(100_000, 0.06, 0.03, _LINEAR, _CONSTANT)),
    "VAE": Known("vae", Cost(1_000, 6.0, 7.2, _LINEAR, _CONSTANT), needs=("torch", "tqdm")),
}

_LABELS = "learns from labels, and an audit has none"
_ENSEMBLE = "puts other detectors together, which have to be given as objects"
_SERIES = "is for time series"
_GRAPHS = "is for graphs"
_MEDIA = "is for text, images or sound"

# What else there is in PyOD, and why it cannot be used.
OF_NO_USE = {
    "ANOMALOUS": _GRAPHS,
    "AnomalyDAE": _GRAPHS,
    "AnomalyTransformer": _SERIES,
    "AudioAE": _MEDIA,
    "CONAD": _GRAPHS,
    "CoLA": _GRAPHS,
    "DOMINANT": _GRAPHS,
    "DevNet": _LABELS,
    "EmbeddingOD": _MEDIA,
    "GUIDE": _GRAPHS,
    "KShape": _SERIES,
    "LSCP": _ENSEMBLE,
    "LSTMAD": _SERIES,
    "MatrixProfile": _SERIES,
    "MultiModalOD": _MEDIA,
    "Radar": _GRAPHS,
    "SAND": _SERIES,
    "SCAN": _GRAPHS,
    "SUOD": _ENSEMBLE,
    "SpectralResidual": _SERIES,
    "TimeSeriesOD": _SERIES,
    "XGBOD": _LABELS,
}
