"""The experiments of the paper and their printed results (arXiv 2202.04311, Table 1 and Sec. 5)."""

from dataclasses import dataclass

# The measures of a cell, by the names that `cells.Cell` has for them.
Printed = dict[str, float]


@dataclass(frozen=True)
class Experiment:
    """A table or a figure: one thing is varied, and a cell made for each of its values.

    Attributes
    ----------
    name : str
        The name of its folder among the results.
    title : str
        The title, for a heading.
    varied : str
        The quantity that is varied, for a column or an axis.
    values : tuple of str
        The values of the paper, in order; others that are found are added.
    printed : dict of str to Printed
        The results in the paper's text, by value.
    pruned : bool
        True if the model is also measured with the suspects left out.
    """

    name: str
    title: str
    varied: str
    values: tuple[str, ...]
    printed: dict[str, Printed]
    pruned: bool = False


def _row(
    accuracy: float, backdoor: float, pruned_accuracy: float, pruned_backdoor: float, c: float
) -> Printed:
    return {
        "accuracy": accuracy,
        "backdoor": backdoor,
        "pruned_accuracy": pruned_accuracy,
        "pruned_backdoor": pruned_backdoor,
        "confidence": c,
        "p_m": 1.0,
    }


# The paper does not say which data set belongs to which attack: the accuracy fits these.
DATASETS = {"targeted": "Fashion-MNIST", "pattern": "MNIST", "semantic": "CIFAR-10"}

TABLE_1 = Experiment(
    name="table1",
    title="Table 1",
    varied="attack",
    values=tuple(DATASETS),
    printed={
        "targeted": _row(0.8887, 0.90, 0.9001, 0.13, 0.79),
        "pattern": _row(0.9885, 0.83, 0.9924, 0.00, 0.95),
        "semantic": _row(0.7130, 0.67, 0.7294, 0.23, 0.94),
    },
    pruned=True,
)

FIGURE_6A = Experiment(
    name="fig6a",
    title="Figure 6a: the scores of a round",
    varied="round",
    values=("attacked", "clean"),
    printed={},
)

# The text has no numbers for the curves of Fig. 7. Where they meet the settings of Table 1,
# its row stands for them.
_PATTERN = TABLE_1.printed["pattern"]
_RESNET_LAYERS = tuple(
    f"layer{stage}.{block}.conv{number}"
    for stage in (1, 2, 3, 4)
    for block in (0, 1)
    for number in (1, 2)
)

FIGURES_7 = (
    Experiment(
        name="fig7a",
        title="Figure 7a: attackers who stay near the global model",
        varied="ρ",
        values=("0", "0.1", "0.3", "0.5", "0.7", "0.9"),
        printed={"0": _PATTERN},
    ),
    Experiment(
        name="fig7b",
        title="Figure 7b: attackers who scale by less",
        varied="σ",
        values=("5", "10", "20", "30", "40", "50"),
        printed={"50": _PATTERN},
    ),
    Experiment(
        name="fig7c",
        title="Figure 7c: how many are taken for suspects",
        varied="k̃",
        values=("5", "10", "15", "20", "25"),
        printed={"10": _PATTERN},
        pruned=True,
    ),
    Experiment(
        name="fig7d",
        title="Figure 7d: the layer, pattern on MNIST",
        varied="layer",
        values=("conv1", "conv2", "fc1", "fc2"),
        printed={"conv2": _PATTERN},
        pruned=True,
    ),
    Experiment(
        name="fig7d-cifar10",
        title="Figure 7d: the layer, semantic on CIFAR-10",
        varied="layer",
        values=_RESNET_LAYERS,
        printed={"layer3.0.conv1": TABLE_1.printed["semantic"]},
        pruned=True,
    ),
)

EXPERIMENTS = (TABLE_1, FIGURE_6A, *FIGURES_7)
