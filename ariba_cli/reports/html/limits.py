"""What the method can see, and what it cannot."""

from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import bullets, note, section

_LIMITS = (
    "It always names k̃ participants. A clean round has suspects too, and nothing in their scores "
    "alone says that it is clean.",
    "It sees the layers that were examined. In a measured attack the compromised changed only "
    "linear layers and took their convolutions from an honest update: the convolutions showed "
    "nothing, and the backdoor worked every time.",
    "It sees updates that are larger than others or shaped unlike them. Updates that were boosted "
    "to replace the global model always ranked first. Where honest participants had like data, "
    "attackers who scaled their updates down to an honest size still ranked high (AUC 0.97 to "
    "0.98). Where honest data were unlike, such attackers were barely told from the honest (AUC "
    "0.56 to 0.70).",
    "It takes the compromised to be few. With 10 to 20 of 50 participants compromised and hiding "
    "their size, honest participants ranked above them (AUC 0.10 to 0.33).",
    "It says who, and not what: an odd update may come from rare data, a fault, or another "
    "number of training steps as well as from a backdoor.",
    "k̃ is an estimate. If more are compromised than k̃, some of them are not among the suspects.",
)


def limits_section() -> Element:
    """What was measured of the blind spots."""
    text = (
        "Measured on MNIST with 50 participants, 5 of them compromised, k̃ = 10 and a network of "
        "4 layers. AUC is the probability that a compromised participant ranks above an honest one."
    )
    return section("limits", "Limits of the method", bullets(_LIMITS), note(text))
