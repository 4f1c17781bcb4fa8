"""The conditions of `--fail-on`: a row for each, with a verdict in which it holds and one not."""

import pytest
from msgspec.structs import replace

from ariba_cli.base.errors import UsageError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.cli.options.conditions import FORMS, conditions_in_words, parse_condition
from ariba_cli.verdicts.method import Decision, Method, RequestedDetector, RequestedOptions
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Coverage, Verdict
from docs.make import helps
from tests.conftest import FIXTURES, Ariba

VERDICT = Verdict(
    method=Method(("w",), "named", RequestedOptions((RequestedDetector("mahalanobis"),), "1")),
    decision=Decision("top-k", "mahalanobis", k_est=1, margin=0.2),
    inputs=(),
    layers=(),
    detectors=(),
    ranking=(
        Ranked(1, "p1", 5, 0.5, suspect=True),
        Ranked(2, "p2", 3, 0.3, suspect=False),
    ),
    coverage=Coverage(1, 1, 10, 10),
    findings=(),
)
TIED = replace(VERDICT, decision=replace(VERDICT.decision, margin=0.0, tie_at_cutoff=True))
BY_LEVEL = replace(VERDICT, decision=Decision("level", "panel", alpha=0.05))
FLAGGED = replace(BY_LEVEL, ranking=(Ranked(1, "p1", 9.0, p_value=1e-6, flagged=True),))
UNFLAGGED = replace(BY_LEVEL, ranking=(Ranked(1, "p1", 1.0, p_value=0.3, flagged=False),))
NOBODY = replace(VERDICT, ranking=(), decision=replace(VERDICT.decision, margin=0.0))


def with_findings(*kinds: FindingKind) -> Verdict:
    return replace(VERDICT, findings=tuple(Finding(kind, "so it is") for kind in kinds))


def others(*kinds: FindingKind) -> Verdict:
    """A verdict with every finding but these."""
    return with_findings(*(kind for kind in FindingKind if kind not in kinds))


K = FindingKind
REFUSED = (K.REFUSED, K.MISSING_LAYER, K.WRONG_SHAPE, K.WRONG_TYPE)
UNSEALED = (K.UNSEALED, K.SEAL_BROKEN, K.UNLISTED_FILE)
# What is written, the form it is in, and verdicts in which it holds and does not.
ROWS = [
    # Where nobody can be told apart, nothing is ruled out.
    ("share>=0.5", "share>=", [VERDICT, TIED, NOBODY], []),
    ("share>=.51", "share>=", [NOBODY], [VERDICT, TIED]),
    ("share>=0", "share>=", [VERDICT, NOBODY], []),
    ("flagged", "flagged", [FLAGGED, replace(BY_LEVEL, ranking=())], [UNFLAGGED]),
    ("margin<0.21", "margin<", [VERDICT, TIED, NOBODY], []),
    ("margin<0.2", "margin<", [TIED, NOBODY], [VERDICT]),
    ("margin<0", "margin<", [NOBODY], [VERDICT, TIED, UNFLAGGED]),
    ("margin<0.5", "margin<", [FLAGGED], [UNFLAGGED]),
    ("tie", "tie", [TIED], [VERDICT, NOBODY]),
    ("refused", "refused", [with_findings(one) for one in REFUSED], [VERDICT, others(*REFUSED)]),
    ("unsealed", "unsealed", [with_findings(o) for o in UNSEALED], [VERDICT, others(*UNSEALED)]),
    *(
        (kind.value, kind.value, [with_findings(kind)], [VERDICT, others(kind)])
        for kind in FindingKind
        if kind not in (K.REFUSED, K.UNSEALED)
    ),
]


@pytest.mark.parametrize(("text", "_form", "holds", "not_so"), ROWS, ids=[row[0] for row in ROWS])
def test_a_condition_holds_where_it_should(
    text: str, _form: str, holds: list[Verdict], not_so: list[Verdict]
) -> None:
    condition = parse_condition(text)
    assert condition.text == text
    assert all(condition.holds(verdict) for verdict in holds)
    assert not any(condition.holds(verdict) for verdict in not_so)


def test_a_condition_that_a_verdict_cannot_answer_is_refused() -> None:
    with pytest.raises(UsageError, match="leave out --k-est, --layer and --fragment"):
        parse_condition("flagged").holds(VERDICT)
    with pytest.raises(UsageError, match="panel marks none; use --fail-on flagged"):
        parse_condition("share>=0.4").holds(FLAGGED)


def test_every_condition_has_a_row_in_which_it_holds_and_one_in_which_it_does_not() -> None:
    for form in FORMS:
        rows = [row for row in ROWS if row[1] == form.start]
        assert any(row[2] for row in rows), form
        assert any(row[3] for row in rows), form
    starts = [form.start for form in FORMS]
    assert len(set(starts)) == len(starts)
    assert {kind.value for kind in FindingKind} <= set(starts)


@pytest.mark.parametrize(
    "text",
    [
        *("", "shares", "share>=", "share>=X", "share>=1.1", "share>=-0", "share>=nan"),
        *("share>=1e-1", "share>0.5", "share >=0.5", "share>=٣", "share>=" + "1" * 5000),
        *("margin<", "margin<2", "margin<=0.1", "margin<inf"),
        *("Tie", "tie0.5", "refused,duplicate", "missing_layer"),
    ],
)
def test_what_is_no_condition_is_refused_with_all_that_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_condition(text)
    for form in FORMS:
        assert form.written in str(caught.value)


def test_the_help_lists_all(ariba: Ariba) -> None:
    shown = " ".join(ariba("audit", "--help").stdout.decode().split())
    # A line may end at a hyphen.
    assert conditions_in_words().replace("-", "") in shown.replace("- ", "").replace("-", "")


@pytest.mark.parametrize(("condition", "code"), [("tie", 0), ("large-k-est", 1), ("dominant", 0)])
def test_a_condition_is_the_exit_code(ariba: Ariba, condition: str, code: int) -> None:
    done = ariba("audit", FIXTURES / "attacked", "--k-est", "10", "--fail-on", condition)
    assert done.returncode == code
    assert (f"condition holds: {condition}".encode() in done.stderr) == bool(code)


def test_the_example_of_the_help_tells_an_attack_from_a_clean_round(ariba: Ariba) -> None:
    text = helps()["ariba audit"].replace("\\\n", " ")
    (line,) = [one for one in text.splitlines() if one.startswith("    ") and "--fail-on" in one]
    _, _, _, *options = line.split()
    for name, code in (("attacked", 1), ("clean", 0)):
        assert ariba("audit", FIXTURES / name, *options).returncode == code
