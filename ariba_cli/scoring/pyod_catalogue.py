"""The catalogue of PyOD: every detector by name, and those that are of no use here.

It imports nothing of PyOD, since that takes two seconds.
"""

import difflib
from dataclasses import dataclass
from enum import Enum

from ariba_cli.base.errors import UsageError

# Default fit samples, by what fitting or scoring costs: it grows with the sample about
# linearly; it compares the fragments of the sample with each other, or with what is scored; it
# trains a network; it takes every pair, or more, for every fragment.
SWIFT = 100_000
PAIRWISE = 5_000
NETWORK = 2_000
EXHAUSTIVE = 200


class Rows(Enum):
    """The rows on which a score depends beside the fit sample, and so the size of a chunk.

    Values are numbers of fragments. For detectors that only compare the rows that they score with
    each other, it is the number of fitted rows.
    """

    APART = 2**14
    WITH_SAMPLE = 2**16
    TOGETHER = 0


@dataclass(frozen=True)
class Known:
    """A detector of PyOD.

    Attributes
    ----------
    module : str
        The module in `pyod.models` that has it; the class has the detector's name.
    fit_sample : int
        The largest number of fragments on which it is fitted by default.
    rows : Rows
        The number of fragments that are scored at once.
    needs : tuple of str
        The packages that it needs in addition to those of PyOD itself.
    one_value : bool
        True if it takes only fragments of one value.
    """

    module: str
    fit_sample: int = SWIFT
    rows: Rows = Rows.APART
    needs: tuple[str, ...] = ()
    one_value: bool = False

    def chunk(self, fitted: int) -> int:
        """Return the number of fragments to score at once."""
        return self.rows.value or fitted


def find(name: str) -> str:
    """Return the name of a detector as PyOD writes it, from that name in any case.

    Raises
    ------
    UsageError
        When there is none, or when it is of no use for an audit.
    """
    if not name:
        raise UsageError(f"name a detector of PyOD, such as pyod:ECOD ({_LISTED})")
    labels = {label.lower(): label for label in (*CATALOGUE, *OF_NO_USE)}
    label = labels.get(name.lower())
    if label is None:
        near = difflib.get_close_matches(name.lower(), labels, n=3, cutoff=0.5)
        meant = " or ".join(f"'pyod:{labels[one]}'" for one in near if labels[one] in CATALOGUE)
        hint = f"; did you mean {meant}?" if meant else ""
        raise UsageError(f"unknown detector of PyOD '{name}'{hint} ({_LISTED})")
    if label in OF_NO_USE:
        raise UsageError(f"pyod:{label} cannot be used: it {OF_NO_USE[label]} ({_LISTED})")
    return label


_LISTED = "ariba audit --list-detectors shows all"

CATALOGUE = {
    "ABOD": Known("abod", PAIRWISE),
    "AE1SVM": Known("ae1svm", NETWORK, needs=("torch",)),
    "ALAD": Known("alad", NETWORK, needs=("torch", "pandas")),
    "AnoGAN": Known("anogan", EXHAUSTIVE, needs=("torch", "pandas")),
    "AutoEncoder": Known("auto_encoder", NETWORK, needs=("torch", "tqdm")),
    "CBLOF": Known("cblof"),
    "CD": Known("cd", PAIRWISE, Rows.TOGETHER),
    "COF": Known("cof", NETWORK, Rows.TOGETHER),
    "COPOD": Known("copod", SWIFT, Rows.WITH_SAMPLE),
    "DIF": Known("dif", NETWORK, Rows.TOGETHER, ("torch",)),
    "DeepSVDD": Known("deep_svdd", NETWORK, needs=("torch",)),
    "ECOD": Known("ecod", SWIFT, Rows.WITH_SAMPLE),
    "FeatureBagging": Known("feature_bagging", PAIRWISE, needs=("combo",)),
    "GMM": Known("gmm"),
    "HBOS": Known("hbos"),
    "HDBSCAN": Known("hdbscan", PAIRWISE),
    "IForest": Known("iforest"),
    "INNE": Known("inne"),
    "KDE": Known("kde", PAIRWISE),
    "KNN": Known("knn", PAIRWISE),
    "KPCA": Known("kpca", NETWORK),
    "LMDD": Known("lmdd", EXHAUSTIVE, Rows.TOGETHER),
    "LOCI": Known("loci", EXHAUSTIVE, Rows.TOGETHER),
    "LODA": Known("loda"),
    "LOF": Known("lof", PAIRWISE),
    "LUNAR": Known("lunar", NETWORK, needs=("torch",)),
    "MAD": Known("mad", one_value=True),
    "MCD": Known("mcd"),
    "MO_GAAL": Known("mo_gaal", NETWORK, needs=("torch",)),
    "OCSVM": Known("ocsvm", PAIRWISE),
    "PCA": Known("pca"),
    "QMCD": Known("qmcd", PAIRWISE),
    "RGraph": Known("rgraph", EXHAUSTIVE),
    "ROD": Known("rod", PAIRWISE, Rows.TOGETHER),
    "SOD": Known("sod", NETWORK, Rows.TOGETHER),
    "SOS": Known("sos", NETWORK, Rows.TOGETHER),
    "SO_GAAL": Known("so_gaal", NETWORK, needs=("torch",)),
    "Sampling": Known("sampling"),
    "VAE": Known("vae", NETWORK, needs=("torch", "tqdm")),
}

_LABELS = "learns from labels, and an audit has none"
_ENSEMBLE = "combines other detectors, which can only be given as Python objects"
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
