"""The page `docs/detection.md`, which is made from the records of a run alone."""

from collections.abc import Iterator, Sequence

from benchmarks.detection.figures import (
    CLEAN_GOALS,
    GOALS,
    HIDDEN,
    Figures,
    allowed,
    attacked,
    clean,
    of_clean,
    of_detector,
    of_panel,
    of_rule,
)
from benchmarks.detection.matrix import PARTITIONS
from benchmarks.detection.measuring import ARIBA, DETECTORS, LEVELS, PANEL
from benchmarks.detection.rules import RULES
from benchmarks.records import Record
from benchmarks.seeds import REPORTING

# By so much the AUC of two detectors must differ for one to see what the other does not.
_APART = 0.1

_NOT_REPORTED = """\
**These rounds were made with the development seeds, which guided design choices. They are not
results.**
"""
_HEAD = """\
# How well attacks are found

`make docs` makes this page from `detection.jsonl`, which has a line for each round. This command
makes and measures the rounds:

```text
python -m benchmarks detection --seeds reporting --data-dir DATA
```
"""
_HOW = """\
## How the rounds were made

A federation trains honestly, as with `ariba simulate`. For each attack, its last round is written
again with k participants compromised, as with `ariba attack`, and then audited. The clean
rounds are that last round and some earlier ones. These rounds have seeds from 1000 on. Rounds with
smaller seeds served to fit the tails and to make every other choice.

- *boosted ×10* and *×3*: the compromised train gently and for long, and scale what they learn.
- *reduced ×1*: they train like the honest, and send what they learn without scaling.
- *norm-matched*: they send updates as long as the median honest update. They train like the
  honest; *after training of their own*, they train as `ariba attack` does by default, with
  another optimiser and for longer; *constrained* ones also stay near the global model; *for ten
  rounds* means that they also attacked in the nine rounds before.
- *label flipping* has no trigger: X'% is then the share of the test images of one class that the
  model takes for another. *noise* has no trigger either: the update consists of random numbers.
- *adaptive* attackers know the panel and the honest updates. *along* gives every layer the same
  cosine with the global model as in honest updates; *bias* scales the output bias so that it fits
  its rows; *both* combines the two; *all* also removes the sums over the classes.

X'% is measured on the model that plain FedAvg makes from the attacked round. AUC is the chance
that a compromised participant ranks above an honest one, as a mean over rounds. *Found* is the
share of the compromised who are flagged, *honest flagged* that of the honest, over all rounds of a
line. A compromised participant whose update is shorter than a thousandth of the usual length does
nothing, and counts as honest.
"""
_LIMITS = """\
## Limits

- Each audit sees one round. In one round, most hidden attacks hardly change the model (see X'%);
  they need several rounds.
- The networks and the images are small. Results on yours may differ.
- These attackers are the ones described above. One who knows more, or tries longer, may escape.
- Clean rounds of one federation resemble each other, so they count for less than their number.
- The published rules are implemented from their papers. None of them claims a rate of false
  accusations: they leave updates out of an average, which costs less than an accusation.
"""


def page(records: Sequence[Record]) -> str:
    """Return the page.

    Parameters
    ----------
    records : sequence of Record
        The records of one run, each round once.
    """
    purposes = {one["purpose"] for one in records}
    parts = [_HEAD, *([] if purposes == {REPORTING} else [_NOT_REPORTED]), _HOW]
    parts += [_made(records), _goals(records), _by_attack(records), _by_detector(records)]
    parts += [_ariba_and_panel(records), _clean(records), _LIMITS]
    return "\n".join(parts)


def _made(records: Sequence[Record]) -> str:
    versions = ", ".join(sorted({f"ariba {one['version']}" for one in records}))
    methods = ", ".join(sorted({one["method"] for one in records}))
    seeds = ", ".join(str(seed) for seed in sorted({one["seed"] for one in records}))
    rows = [
        (name, str(len(clean(own))), str(len(attacked(own)))) for name, own in _federations(records)
    ]
    words = f"Made with {versions} (digest of the method {methods}), seeds {seeds}.\n"
    if "," in methods:
        words += "These versions of the code gave the same figures wherever both measured.\n"
    return words + "\n" + _table(("federation", "clean rounds", "attacked rounds"), rows)


def _goals(records: Sequence[Record]) -> str:
    rows = []
    for goal in GOALS:
        rounds = [one for one in attacked(records) if goal.which(one)]
        found = of_panel(rounds)
        rows.append(
            (
                goal.words,
                str(found.rounds),
                _reached(found.auc, goal.auc, at_least=True),
                _reached(found.found, goal.found, at_least=True, percent=True),
                _reached(found.false, goal.false, at_least=False, percent=True),
                _percent(allowed(rounds, "0.05")),
            )
        )
    head = ("rounds", "number", "AUC", "found at .05", "honest flagged", "allowed")
    lines = [
        "## Goals and results\n",
        "All lines are for n = 50 and networks without normalisation, unless they say otherwise. "
        "The "
        "goal is in brackets; figures in **bold** miss it. *Allowed* is the share of the honest "
        "that the level itself permits to be flagged: .05·r/n when r of n are flagged. With ten "
        "of 50 that is 1%, above the goal.\n",
        _table(head, rows),
    ]
    for alpha, most in CLEAN_GOALS.items():
        own = of_clean(clean(records), alpha)
        share = own.naming / own.rounds if own.rounds else None
        lines.append(
            f"- Clean rounds in which anybody is flagged at {alpha.lstrip('0')}: {own.naming} of "
            f"{own.rounds}, {_reached(share, most, at_least=False, percent=True)}"
        )
    return "\n".join(lines) + "\n"


def _by_attack(records: Sequence[Record]) -> str:
    groups: dict[tuple[str, str, int], list[Record]] = {}
    for one in attacked(records):
        groups.setdefault((one["attack"], one["trigger"], one["k"]), []).append(one)
    rows = []
    for (family, trigger, k), own in sorted(groups.items()):
        name = family if trigger == "pattern" else f"{family}, {trigger}"
        row = [name, str(k)]
        for partition in PARTITIONS:
            found = of_panel([one for one in own if one["partition"] == partition])
            row.append(_cell(found))
        rows.append(tuple(row))
    head = ("attack", "k", *PARTITIONS)
    words = (
        "Each cell: AUC of the panel, found at .05, the median of X'%, and the number of rounds.\n"
    )
    return "\n".join(["## By attack and partition\n", words, _table(head, rows)])


def _by_detector(records: Sequence[Record]) -> str:
    hostile = attacked(records)
    groups = {
        "boosted, reduced": [o for o in hostile if o["attack"].startswith(("boosted", "reduced"))],
        "hidden, k > 1": [o for o in hostile if o["attack"] in HIDDEN and o["k"] > 1],
        "hidden, lone": [o for o in hostile if o["attack"] in HIDDEN and o["k"] == 1],
        "adaptive": [o for o in hostile if o["attack"].startswith("adaptive")],
        "flipping, noise": [o for o in hostile if o["attack"] in ("label flipping", "noise")],
    }
    ranks = [
        (name, *(_number(of_detector(own, name).auc) for own in groups.values()))
        for name in DETECTORS
    ]
    names = [
        (f"panel at {alpha:g}", [of_panel(own, f"{alpha:g}") for own in (hostile, clean(records))])
        for alpha in LEVELS
    ]
    names += [(name, [of_rule(own, name) for own in (hostile, clean(records))]) for name in RULES]
    rows = [
        (name, _percent(bad.found), _percent(bad.false), _percent(good.false))
        for name, (bad, good) in names
    ]
    words = (
        "The AUC of detectors. Most of them only rank, and name the first k_est. ARIBA is "
        f"`{ARIBA}` over all layers with k_est a fifth of n. *Hidden* are norm-matched and "
        "constrained.\n"
    )
    others = "\nRules that leave participants out. The published ones do so in clean rounds, too.\n"
    head = ("rule", "found", "honest flagged, attacked rounds", "honest flagged, clean rounds")
    return "\n".join(
        [
            "## By detector\n",
            words,
            _table(("detector", *groups), ranks),
            others,
            _table(head, rows),
        ]
    )


def _ariba_and_panel(records: Sequence[Record]) -> str:
    """Return the section on the attacks where one of the two sees more than the other."""
    rounds = [
        one for one in attacked(records) if None not in (one["auc"][PANEL], one["auc"][ARIBA])
    ]
    ahead: dict[str, dict[str, int]] = {}
    for one in rounds:
        counts = ahead.setdefault(one["attack"], {"rounds": 0, PANEL: 0, ARIBA: 0})
        counts["rounds"] += 1
        difference = one["auc"][PANEL] - one["auc"][ARIBA]
        counts[PANEL] += difference > _APART
        counts[ARIBA] += difference < -_APART
    rows = [
        (name, str(own["rounds"]), str(own[PANEL]), str(own[ARIBA]))
        for name, own in sorted(ahead.items())
    ]
    words = (
        "ARIBA marks unusual kernels, which the panel does not look at. The table counts the "
        "rounds "
        f"in which the AUC of one is more than {_APART:g} above that of the other.\n"
    )
    head = ("attack", "rounds", "panel ahead", "ARIBA ahead")
    return "\n".join(["## ARIBA and the panel\n", words, _table(head, rows)])


def _clean(records: Sequence[Record]) -> str:
    rows = []
    for name, own in _federations(clean(records)):
        figures = [of_clean(own, f"{alpha:g}") for alpha in LEVELS]
        one = figures[0]
        cells = [f"{each.naming} / {each.named}" for each in figures]
        rows.append((name, str(one.rounds), str(one.participants), *cells))
    head = ("federation", "rounds", "participants", *(f"at {alpha:g}" for alpha in LEVELS))
    words = "Each cell: clean rounds in which somebody is flagged / participants who are flagged.\n"
    return "\n".join(["## Clean rounds\n", words, _table(head, rows)])


def _federations(records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
    found: dict[str, list[Record]] = {}
    for one in records:
        words = (one["dataset"], one["model"], one["optimizer"], one["partition"])
        name = f"{', '.join(words)}, n = {one['participants']}"
        found.setdefault(name, []).append(one)
    yield from sorted(found.items())


def _cell(found: Figures) -> str:
    if not found.rounds:
        return "–"
    works = _percent(found.works, 0)
    return f"{_number(found.auc)}, {_percent(found.found, 0)}, X' {works} ({found.rounds})"


def _reached(
    value: float | None, goal: float | None, *, at_least: bool, percent: bool = False
) -> str:
    if value is None:
        return "not run"
    shown = _percent(value) if percent else _number(value)
    if goal is None:
        return shown
    aim = f"{100 * goal:g}%" if percent else _number(goal)
    met = value >= goal if at_least else value <= goal
    return f"{shown if met else f'**{shown}**'} ({'≥' if at_least else '≤'} {aim})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
