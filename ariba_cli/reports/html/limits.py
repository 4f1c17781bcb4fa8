"""The section on the limits of the method."""

from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import bullets, note, section
from ariba_cli.reports.words import marks_fragments
from ariba_cli.verdicts.verdict import Verdict

_ALWAYS = (
    "It always names k_est participants. A clean round has suspects too, and their scores alone "
    "cannot show that it is clean."
)
_ESTIMATE = (
    "k_est is an estimate. If more participants than that are compromised, some of them are not "
    "among the suspects."
)
_OF_MARKS = (
    _ALWAYS,
    "It sees the layers that were examined. In a measured attack the compromised changed only "
    "linear layers and took their convolutions from an honest update: the convolutions showed "
    "nothing, and the backdoor worked every time.",
    "It sees updates that are larger than others or shaped unlike them. Updates that were boosted "
    "to replace the global model ranked first in every measured round. Where honest participants "
    "had similar data, attackers who scaled their updates down to an honest size still ranked high "
    "(AUC 0.97 to 0.98). Where their data differed, such attackers could hardly be told from the "
    "honest (AUC 0.56 to 0.70).",
    "It assumes that few are compromised. With 10 to 20 of 50 participants compromised and hiding "
    "their size, honest participants ranked above them (AUC 0.10 to 0.33).",
    "It says who stands out, and not why: rare data, a fault or another number of training steps "
    "can make an update unusual, just as a backdoor can.",
    _ESTIMATE,
)
_OF_UPDATES = (
    _ALWAYS,
    "It compares whole updates, over the layers that were examined. What is in other layers is "
    "not seen, and a small change in one layer can be lost in the rest.",
    "It does not see attackers whose updates are as long as honest ones and point the same way.",
    "Honest participants with unusual data look like attackers: their updates are unlike those of "
    "the others, too.",
    "It says who stands out, and not why: rare data, a fault or another number of training steps "
    "can make an update unusual, just as a backdoor can.",
    _ESTIMATE,
)
_OF_LEVELS = (
    "If nobody stands out, that does not prove that the round is clean. An attacker who trains "
    "like honest participants, or knows these signs, can hide among them.",
    "An honest participant with rare data, or with another way of training, can stand out. The "
    "reasons say what is unusual, not that somebody intended it.",
    "The p-values hold for rounds like those of the calibration. Other kinds of models may have "
    "other tails: audit clean rounds of your own first.",
    "It assumes that more than half are honest. It flags nobody among fewer than ten.",
    "It compares only the layers that were examined, and cannot see an attack on others.",
)
_MEASURED = (
    "Measured on MNIST with 50 participants (5 of them compromised, unless stated otherwise), "
    "k_est = 10 and a network of 4 layers. AUC is the probability that a compromised participant "
    "ranks above an honest one."
)


def limits_section(verdict: Verdict) -> Element:
    """Return the blind spots of marks, with measurements, or those of whole updates."""
    heading = "Limits of the method"
    if marks_fragments(verdict):
        return section("limits", heading, bullets(_OF_MARKS), note(_MEASURED))
    return section("limits", heading, bullets(_OF_LEVELS if verdict.by_level else _OF_UPDATES))
