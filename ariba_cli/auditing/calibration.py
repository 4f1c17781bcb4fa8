"""The basis of the p-values of an audit, and its fit to the round."""

from ariba_cli.auditing.detection import Detected
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.ids import id_order
from ariba_cli.detectors.declaration import Calibrated
from ariba_cli.verdicts.evidence import Similarity
from ariba_cli.verdicts.ranked import Calibration

# More of the usual participants than that show as much of a sign as a twentieth of the honest
# did in the rounds of the calibration.
_MOST_DEPARTURE = 0.25
# Of how many participants it can be told.
_FEWEST = 20
# Of whom the cosines are kept for pictures.
_MOST_ALIKE = 100
_DECIMALS = 3


def calibration_of(decides: Detected) -> Calibration | None:
    """Return the basis of the p-values; None if there are no p-values."""
    found = _calibrated(decides)
    if found is None:
        return None
    return Calibration(
        source=found.source,
        participants=found.participants,
        departure=found.departure,
        unseen=dict(found.unseen),
    )


def uncalibrated(decides: Detected) -> list[Finding]:
    """Return the finding that the rounds of the calibration were unlike this one, if they were."""
    found = _calibrated(decides)
    if found is None:
        return []
    findings = []
    if found.normalised:
        detail = (
            "the model has normalisation layers, and the p-values come from models without any: "
            "treat them as a guide, and look at who ranks first"
        )
        findings.append(Finding(FindingKind.UNCALIBRATED, detail, facts={"normalised": 1}))
    if len(decides.ids) >= _FEWEST and found.departure > _MOST_DEPARTURE:
        detail = (
            f"{found.departure:.0%} of the participants who look usual show a sign more strongly "
            "than 95% of the honest did in the rounds of the calibration: treat the p-values as a "
            "guide, and look at who ranks first"
        )
        share = float(f"{found.departure:.6g}")
        findings.append(Finding(FindingKind.UNCALIBRATED, detail, facts={"departure": share}))
    return findings


def similarity_of(decides: Detected) -> Similarity | None:
    """Return the similarity of those who stand out most; None where it was not measured."""
    found = _calibrated(decides)
    if found is None or found.similarity is None:
        return None
    first = sorted(decides.result.ids[:_MOST_ALIKE], key=id_order)
    places = [decides.ids.index(name) for name in first]
    return Similarity(
        ids=tuple(first),
        cosines=tuple(
            tuple(round(float(found.similarity[one, other]), _DECIMALS) for other in places)
            for one in places
        ),
    )


def _calibrated(decides: Detected) -> Calibrated | None:
    return None if decides.scores is None else decides.scores.calibrated
