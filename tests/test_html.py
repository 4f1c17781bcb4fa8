"""The report as a page: what is on it, that it needs nothing else, and that no text is more."""

import base64
import hashlib
import re
import time
import unicodedata
from functools import cache

import pytest
from msgspec.structs import replace

from ariba_cli.reports.html.heat import heat_map
from ariba_cli.reports.html.markup import element
from ariba_cli.reports.html.page import audit_html
from ariba_cli.reports.html.scores import axis_of_scores
from ariba_cli.reports.report import Report
from ariba_cli.verdicts.verdict import KEstStep
from tests.html_pages import Page
from tests.html_reports import LAYERS, html_report, nobody_ranked, some_findings, with_verdict

SECTIONS = [
    "verdict",
    "ranking",
    "scores",
    "detectors",
    "plane",
    "kernels",
    "layers",
    "stability",
    "method",
    "inputs",
    "findings",
    "limits",
    "checking",
]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><img src=http://evil/x>",
    "</title></svg><base href=//evil>",
    "<!--",
    "]]>",
    "&lt;b&gt;&#0;",
    "javascript:alert(1)",
    "url(http://evil/x)",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "\x00\x08\x7f",
    "a\nb\rc\td",
    "\u202egnp.exe\u2066",
    "\u200b\ufeff\u2028",
    "=cmd|' C calc'!A0",
    "\udcff",
    " ",
    "x" * 400,
    "\U0001f600 p\u0308",
]


BOTH = ("mahalanobis", "norm")


def full_report() -> Report:
    return html_report(layers=LAYERS, findings=some_findings(), truth=True, detectors=BOTH)


@cache
def renamed_page(start: str, detectors: tuple[str, ...]) -> Page:
    """A full page in which every text that is not ours starts with another."""

    def rename(text: str) -> str:
        return start + text

    findings = some_findings(rename)
    report = html_report(
        layers=LAYERS, rename=rename, findings=findings, truth=True, detectors=detectors
    )
    return Page(audit_html(report))


def words(page: Page) -> str:
    return re.sub(r"\s+", " ", page.text)


def test_sections_stand_in_order_and_can_be_reached() -> None:
    page = Page(audit_html(full_report()))
    assert page.sections == SECTIONS
    # The first screen leads to the findings, too.
    assert page.values("href") == [*(f"#{anchor}" for anchor in SECTIONS), "#findings"]


def test_the_same_report_gives_the_same_bytes() -> None:
    assert audit_html(full_report()) == audit_html(full_report())


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("detectors", [BOTH, ("norm",)])
def test_no_text_is_more_than_text(name: str, detectors: tuple[str, ...]) -> None:
    # In order of ids both names rank alike, so that the pages differ in their text alone.
    harmless, hostile = renamed_page("x", detectors), renamed_page(name, detectors)
    assert hostile.elements == harmless.elements
    # The room that names take is a number, and no more than that.
    assert hostile.without_numbers == harmless.without_numbers
    assert re.fullmatch(r"([A-Za-z0-9]|\\[0-9a-f]{6})+", hostile.foot)
    assert hostile.sheet.replace(hostile.foot, "") == harmless.sheet.replace(harmless.foot, "")
    for character in "".join(hostile.texts).replace("\n", ""):
        assert character == " " or unicodedata.category(character)[0] in "LMNPS"


def test_no_value_of_an_attribute_can_be_a_name() -> None:
    with pytest.raises(ValueError, match="cannot be the value"):
        element("a", {"title": '"><script>'})


def test_nothing_runs_and_nothing_is_loaded() -> None:
    data = audit_html(full_report())
    page = Page(data)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use"}
    assert not {name for _, name, _ in page.attributes if name.startswith("on")}
    assert "style" not in {name for _, name, _ in page.attributes}
    assert all(value.startswith("#") for value in page.values("href"))
    assert not page.values("src")
    assert b"http:" not in data
    assert b"https:" not in data
    assert "url(" not in page.sheet
    assert "@import" not in page.sheet


def test_the_policy_allows_the_style_sheet_and_nothing_else() -> None:
    page = Page(audit_html(full_report()))
    digest = base64.b64encode(hashlib.sha256(page.sheet.encode()).digest()).decode()
    policy = next(value for value in page.values("content") if "-src" in value)
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_every_class_has_a_rule() -> None:
    page = Page(audit_html(full_report()))
    classes = {one for value in page.values("class") for one in value.split()}
    ruled = set(re.findall(r"\.([a-z][\w-]*)", page.sheet))
    # They say what something is, and look like what is around them.
    assert classes - ruled <= {"plain", "chart", "start", "other", "kernels", "findings", "r2"}


def test_every_picture_has_a_title() -> None:
    data = audit_html(full_report()).decode()
    pictures = re.findall(r'<svg [^>]*role="img"[^>]*>(.{7})', data)
    assert pictures
    assert set(pictures) == {"<title>"}


def test_it_is_said_that_somebody_is_always_named() -> None:
    text = words(Page(audit_html(html_report())))
    assert "3 of 12 participants are named as suspects." in text
    assert "ariba always names the 3 highest scores, even in a clean round." in text
    assert "1 of 8 layers examined" in text
    assert "an attack on the rest is not seen" in text


def test_suspects_are_marked_by_a_shape_too() -> None:
    data = audit_html(html_report()).decode()
    marked = re.findall(r'<span class="suspect">▲ suspect</span>', data)
    assert len(marked) == 3


def test_shares_are_bars_with_a_line_and_a_cutoff() -> None:
    page = Page(audit_html(html_report()))
    bars = [value for value in page.values("class") if value in ("bar suspect", "bar other")]
    assert bars.count("bar suspect") >= 3
    assert "k_est/n = 0.25" in page.text
    assert "cutoff at k_est = 3" in page.text


def test_fragments_stand_beside_typical_ones_on_one_scale() -> None:
    text = words(Page(audit_html(html_report())))
    assert "out 12, in 3" in text
    assert "distance 9.5" in text
    assert "4.2× median" in text
    assert "−1" in text


def test_a_missing_median_is_left_out() -> None:
    text = words(Page(audit_html(html_report())))
    assert "no. 7 distance 9.1 typical p0011: 1" in text


def test_stability_says_who_enters_and_who_leaves() -> None:
    report = html_report(layers=LAYERS)
    text = words(Page(audit_html(report)))
    assert "With k_est 2, p0002 would not be named." in text
    assert "With k_est 4, p0003 would be named too." in text
    assert "2 of the 3 suspects stay suspects, whichever layer is left out." in text
    assert "p0004: a suspect for k_est from 5 to 6" in text
    assert text.count("○ leaves") == 3


def test_one_layer_has_no_comparison_of_layers() -> None:
    assert "layers" not in Page(audit_html(html_report())).sections


def test_without_evidence_it_says_so_and_without_stability_there_is_no_section() -> None:
    page = Page(audit_html(html_report(evidence=False, stability=False)))
    assert "kernels" not in page.sections
    assert "holds no sample of the fragments" in page.text
    assert "stability" not in page.sections


def test_where_nobody_is_ranked_it_says_so() -> None:
    page = Page(audit_html(nobody_ranked()))
    assert page.sections == ["verdict", "method", "inputs", "findings", "limits", "checking"]
    assert "Nobody is ranked: the updates cannot be told apart in this layer." in page.text


def test_a_layer_in_which_nobody_was_scored_has_a_dash() -> None:
    report = html_report(layers=LAYERS)
    verdict = report.verdict
    (own,) = verdict.detectors
    scores = tuple(
        replace(one, by_layer={layer: one.by_layer[layer] for layer in LAYERS[:2]})
        for one in own.scores
    )
    verdict = replace(verdict, detectors=(replace(own, scores=scores),))
    data = audit_html(with_verdict(report, verdict))
    assert data.decode().count('<td class="none">–</td>') == len(scores)


def test_values_of_zero_and_points_in_one_place_are_drawn() -> None:
    report = html_report()
    evidence = report.verdict.evidence[0]
    assert evidence.plane is not None
    fragment = evidence.most_distant["p0000"][0]
    nothing = replace(fragment, values=(0.0,) * 9, typical_values=(0.0,) * 9)
    plane = replace(evidence.plane, points=dict.fromkeys(evidence.plane.points, (0.0, 0.0)))
    flat = replace(evidence, most_distant={"p0000": (nothing,)}, plane=plane)
    page = Page(audit_html(with_verdict(report, replace(report.verdict, evidence=(flat,)))))
    assert "nan" not in " ".join(page.values("d"))


def test_five_thousand_participants_make_a_page_that_can_be_read() -> None:
    report = html_report(5000, 1000, rename=lambda text: f"participant-{text}")
    start = time.perf_counter()
    data = audit_html(report)
    assert time.perf_counter() - start < 5
    assert len(data) < 3_000_000
    text = data.decode()
    assert "The other 950 suspects" in text
    assert "The other 3,970 participants" in text
    # Everybody is in the complete list.
    assert "participant-p4999</span></th>" in text
    assert text.count('class="bar ') < 300
    assert "Shown are the 40 of 2,000 who enter nearest to the cutoff." in text


def test_a_thousand_layers_make_a_page_that_can_be_read() -> None:
    data = audit_html(html_report(12, 3, [f"layers.{place}.weight" for place in range(1000)]))
    assert len(data) < 2_000_000
    text = words(Page(data))
    assert "Shown are the 60 layers in which a suspect has the highest shares." in text
    assert "Drawn are the 8 of 1,000 layers" in text
    assert "A suspect leaves without 1,000 of the 1,000 layers; 24 of them are shown." in text


@pytest.mark.parametrize("participants", [3, 50, 121])
def test_any_number_of_participants_is_drawn(participants: int) -> None:
    page = Page(audit_html(html_report(participants, max(participants // 5, 1))))
    assert page.sections == [one for one in SECTIONS if one not in ("detectors", "layers")]


def test_who_comes_back_as_a_suspect_has_two_bars() -> None:
    from ariba_cli.reports.html.stability import spans

    steps = (
        KEstStep(1, ("a",), ()),
        KEstStep(2, ("b", "c"), ("a",)),
        KEstStep(3, ("a",), ()),
    )
    assert spans(steps) == {"a": [(1, 1), (3, 3)], "b": [(2, 3)], "c": [(2, 3)]}


def test_a_bar_ends_at_the_last_k_est_that_was_counted() -> None:
    from ariba_cli.reports.html.stability import spans

    steps = (KEstStep(1, ("a",), ()), KEstStep(40, ("b",), ("a",)), KEstStep(80, (), ("b",)))
    assert spans(steps) == {"a": [(1, 1)], "b": [(40, 40)]}


def test_a_group_is_named_in_findings() -> None:
    text = words(Page(audit_html(full_report())))
    assert "duplicate p0003, p0004 they sent the same values" in text
    assert "unsealed the round there is no manifest.json" in text


def test_detectors_stand_side_by_side() -> None:
    report = html_report(12, 3, detectors=("norm", "mahalanobis"), truth=True)
    text = words(Page(audit_html(report)))
    assert "norm decides who is named" in text
    assert "participant norm (times the median norm) mahalanobis (share)" in text
    # Marks tie for the first three; the fourth has the most of the others.
    assert "p0000 ▲ 1 (7.5) ▲ 1 (0.938)" in text
    assert "p0003 4 (5.5) 12 (0.016)" in text
    assert "norm 100% 0 0.990 mahalanobis 100% 0 0.990" in text
    assert "Distances and marks come from mahalanobis, which does not decide" in text


def test_who_is_ranked_by_another_detector_alone_is_shown() -> None:
    report = html_report(detectors=("norm", "mahalanobis"))
    norm, marks = report.verdict.detectors
    verdict = replace(report.verdict, detectors=(replace(norm, scores=()), marks), ranking=())
    text = words(Page(audit_html(with_verdict(report, verdict))))
    assert "p0000 – ▲ 1 (0.938)" in text
    assert "Another 2 participants not shown here." in text


def test_whole_updates_are_drawn_without_shares() -> None:
    report = html_report(layers=LAYERS, evidence=False, detectors=("norm",))
    data = audit_html(report)
    page = Page(data)
    text = words(page)
    without = ("detectors", "plane", "kernels", "stability")
    assert page.sections == [one for one in SECTIONS if one not in without]
    assert "rank participant times the median norm" in text
    assert "k_est/n" not in text
    assert "Scores of 12 participants, with the cutoff" in text
    assert "1. p0000: times the median norm 7.5, suspect" in text
    assert "A score below zero has an empty bar." not in text
    assert "whole update 1 conv1 2 conv2 3 fc1" in text
    # The largest of each column has the strongest colour.
    assert data.decode().count('class="s10"') == 1 + len(LAYERS)
    assert "1 conv1.weight 32 × 16 × 3 × 3 12" in text
    assert "the length of an update; boosted updates are long" in text
    assert "It compares whole updates" in text
    assert "Honest participants with unusual data look like attackers" in text
    assert "ARIBA, arXiv" not in text


def test_scores_below_zero_have_an_empty_bar() -> None:
    report = html_report(20, 3, detectors=("cosine",), evidence=False)
    verdict = report.verdict
    ranking = tuple(replace(one, score=one.score - 1) for one in verdict.ranking)
    page = Page(audit_html(with_verdict(report, replace(verdict, ranking=ranking))))
    assert "A score below zero has an empty bar." in page.text
    heights = [
        value
        for tag, name, value in page.attributes
        if (tag, name) == ("rect", "height") and not value.startswith("-")
    ]
    assert "0.0" in heights
    assert not [value for value in page.values("height") if value.startswith("-")]


@pytest.mark.parametrize("highest", [1e-310, 3e-9, 0.1, 0.97, 1.0, 9.99, 12345.0, 1e308])
def test_scores_have_an_axis_of_a_few_ticks(highest: float) -> None:
    top, tick = axis_of_scores(highest)
    assert top >= min(highest, 1e300)
    assert 1 <= round(top / tick) <= 6


def test_a_detector_of_a_newer_version_is_shown_by_its_name() -> None:
    text = words(Page(audit_html(html_report(detectors=("newest",), evidence=False))))
    assert "unknown to this version of ariba" in text
    assert "rank participant score" in text


def test_what_was_asked_for_is_listed() -> None:
    text = words(Page(audit_html(full_report())))
    assert "detectors mahalanobis, norm" in text
    assert 'neighbours of norm "5" fit sample of norm 100' in text
    assert "k_est 20% layers conv1.weight, conv2.weight, fc1.weight fragment kernel" in text
    assert "excluded p9999 names of arrays 3 given" in text


def test_everybody_is_in_one_list() -> None:
    report = html_report(50, 10, evidence=False, stability=False)
    text = words(Page(audit_html(report)))
    lists = text[text.index("always names") : text.index("What is known")]
    lists += text[text.rindex("Everybody else") : text.rindex("Scores")]
    for ranked in report.verdict.ranking:
        assert len(re.findall(rf"\b{ranked.rank} {ranked.id} ", lists)) == 1


def test_findings_are_counted_before_anybody_is_named() -> None:
    text = words(Page(audit_html(full_report())))
    line = "3 findings : 1 duplicate, 1 nonfinite, 1 unsealed."
    assert text.index(line) < text.index("always names") < text.index("p0000")
    assert "finding :" not in words(Page(audit_html(html_report())))


def test_title_and_hash_are_printed_on_each_page() -> None:
    foot = Page(audit_html(full_report())).foot
    text = re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), foot)
    assert text == f"Audit of round_0030\nresult_sha256 {'ab' * 32}"
    assert "counter(page)" in Page(audit_html(full_report())).sheet


@pytest.mark.parametrize(("values", "shape"), [(128, (8, 16)), (32, (2, 16)), (9, (3, 3))])
def test_rows_are_drawn_as_large_as_kernels(values: int, shape: tuple[int, int]) -> None:
    picture = heat_map((1.0,) * values, shape, 1.0, "a fragment")
    assert float(picture.get("width") or 0) / shape[1] >= 6
    assert 75 <= float(picture.get("width") or 0) <= 200
