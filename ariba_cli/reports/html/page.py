"""The page as a whole: its head, its policy, the order of its sections."""

from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, paragraph, section
from ariba_cli.reports.html.checking import checking_section
from ariba_cli.reports.html.detectors import detectors_section
from ariba_cli.reports.html.findings import findings_section
from ariba_cli.reports.html.frame import head, header, navigation
from ariba_cli.reports.html.inputs import inputs_section
from ariba_cli.reports.html.kernels import kernels_section
from ariba_cli.reports.html.layers import layers_section
from ariba_cli.reports.html.limits import limits_section
from ariba_cli.reports.html.markup import element, serialise, short
from ariba_cli.reports.html.method import method_section
from ariba_cli.reports.html.plane import plane_section
from ariba_cli.reports.html.ranking import ranking_section
from ariba_cli.reports.html.scores import scores_section
from ariba_cli.reports.html.signs import signs_section
from ariba_cli.reports.html.similarity import similarity_section
from ariba_cli.reports.html.stability import stability_section
from ariba_cli.reports.html.summary import summary_section
from ariba_cli.reports.report import Report
from ariba_cli.reports.words import marks_fragments
from ariba_cli.verdicts.verdict import Verdict

_NAME = 60


def audit_html(report: Report) -> bytes:
    """Return a report as one page that needs nothing else: no scripts, nothing that is loaded.

    The same report gives the same bytes. All content that came from the round is text, and nothing
    but text, in which `visible` writes escapes for invisible characters.

    Parameters
    ----------
    report : Report
        A verdict and its record. Sections whose data it lacks are left out, or say so in
        a line.

    Returns
    -------
    bytes
        HTML in UTF-8.
    """
    sections = _sections(report)
    top = head(f"Audit of {_round_name(report)}", sha256=report.result_sha256)
    return serialise(element("html", {"lang": "en"}, top, _body(report, sections)))


def _sections(report: Report) -> list[Element]:
    verdict = report.verdict
    sections = [
        summary_section(verdict),
        ranking_section(verdict),
        scores_section(verdict),
        signs_section(verdict),
        similarity_section(verdict),
        detectors_section(verdict),
        *_evidence(verdict),
        layers_section(verdict),
        stability_section(verdict),
        method_section(verdict),
        inputs_section(verdict),
        findings_section(verdict),
        limits_section(verdict),
        checking_section(report),
    ]
    return [one for one in sections if one is not None]


def _evidence(verdict: Verdict) -> list[Element | None]:
    """Return pictures of fragments, or the reason why there are none."""
    if verdict.evidence:
        return [plane_section(verdict), kernels_section(verdict)]
    if not verdict.ranking or not marks_fragments(verdict):
        return []
    text = "This report holds no sample of the fragments, so they cannot be drawn."
    return [section("plane", "Fragments", paragraph(text))]


def _body(report: Report, sections: list[Element]) -> Element:
    verdict = report.verdict
    found = count(len(verdict.findings), "finding")
    footer = element("footer", {}, f"ariba {visible(report.run.ariba)} · {found}")
    return element(
        "body",
        {},
        header("ariba audit", _round_name(report), _facts(report)),
        navigation(sections),
        element("main", {}, *sections),
        footer,
    )


def _round_name(report: Report) -> str:
    """Return the last part of the path of the round, which others may have chosen."""
    name = PurePosixPath(report.run.round or "").name
    return short(name, _NAME) if name else "a round"


def _facts(report: Report) -> tuple[str, ...]:
    verdict = report.verdict
    layers = verdict.method.layers
    examined = short(layers[0], _NAME) if len(layers) == 1 else count(len(layers), "layer")
    participants = count(sum(one.role == "participant" for one in verdict.inputs), "participant")
    alpha, k_est = verdict.decision.alpha, verdict.decision.k_est
    rule = f"level {alpha:.3g}" if alpha is not None else f"k_est = {k_est:,}"
    return participants, examined, rule, visible(report.run.started)
