"""The page of the measurements, made of the records alone."""

from collections.abc import Iterator, Sequence
from statistics import mean

from benchmarks.detection.matrix import CLEAN
from benchmarks.history.matrix import (
    AS_HONEST,
    ATTACKED,
    ATTACKS,
    BASES,
    BOOSTED,
    LEAD,
    MATRICES,
    OWN_TRAINING,
)
from benchmarks.records import Record
from benchmarks.seeds import REPORTING

_HEAD = f"""# How well persistent attackers are found

`make docs` makes this page from `history.jsonl`, which has a line for each run. This command makes
and measures the runs:

```text
python -m benchmarks history --seeds reporting --data-dir DATA
```

A federation of 50 trains honestly, and then k of them attack in each of {ATTACKED} rounds. `ariba
audit RUN` then gives one verdict on all rounds together. *Boosted* attackers scale what they
learned by 10. *Norm-matched* attackers send updates as long as the median honest update; they train
with settings of their own, as `ariba simulate --attack` does, or with those of the honest.
All design choices were made on digits with seeds below 1000; these runs have seeds from 6001 on. A
known weakness: in a run with seed 1 and Dirichlet .5, a lone norm-matched attacker who trained like
the honest got an AUC of .94 and was not flagged. Such attacks had almost no effect (X'% below 2).

X'% is the share of images with the trigger that the last model takes for the target class. AUC is
the chance that a compromised participant ranks above an honest one: *alone* gives the mean and the
minimum over rounds that are audited one by one, *together* the value for all rounds. *Found* is the
share of the compromised who are flagged at level .05, *honest flagged* that of the honest.
"""
_TABLE = (
    "| data | partition | attack | k | runs | X'% | AUC alone | AUC together | FoolsGold with "
    "memory | found alone | found together | honest flagged |",
    "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)
# What is aimed at of boosted attackers and of those who train as `ariba simulate` has them.
_GOAL = (BOOSTED, OWN_TRAINING)
_LEAST_AUC, _LEAST_FOUND, _MOST_FALSE = 0.98, 0.9, 0.01


def page(records: Sequence[Record]) -> str:
    """Return the page of records."""
    attacked = [one for one in records if one["attack"] != CLEAN and "lead" not in one]
    led = [one for one in records if one["attack"] != CLEAN and "lead" in one]
    clean = [one for one in records if one["attack"] == CLEAN]
    lines = [_HEAD, *_made_with(records), "", "## Attacked runs", ""]
    lines += [*_TABLE, *_rows(attacked), "", *_goals(attacked), "", "## When the attack began", ""]
    lines += [*_since(led), "", "## Clean runs", "", *_clean(clean), ""]
    return "\n".join(lines)


def _made_with(records: Sequence[Record]) -> Iterator[str]:
    methods = {f"{one['version']} (digest of the method {one['method']})" for one in records}
    seeds = ", ".join(map(str, sorted({one["seed"] for one in records})))
    attacked = {one["key"] for one in records if one["attack"] != CLEAN and "lead" not in one}
    planned = len(BASES) * len(ATTACKS) * len(MATRICES[REPORTING].seeds)
    yield (
        f"Made with ariba {', '.join(sorted(methods))}, seeds {seeds}: {len(attacked)} of the "
        f"{planned} attacked runs that are planned, on digits, MNIST and Fashion-MNIST, IID and "
        "Dirichlet .5. What is not in the table was not measured."
    )


def _rows(records: Sequence[Record]) -> Iterator[str]:
    groups: dict[tuple[str, str, str, int], list[Record]] = {}
    for one in records:
        key = one["dataset"], one["partition"], one["attack"], one["k"]
        groups.setdefault(key, []).append(one)
    for (dataset, partition, attack, k), own in sorted(groups.items()):
        alone = [auc for one in own for auc in one["auc_alone"]]
        bad = sum(one["k"] for one in own)
        honest = sum(one["participants"] - one["k"] for one in own)
        cells = [
            dataset,
            partition,
            attack,
            str(k),
            str(len(own)),
            f"{100 * mean(one['works'][-1] for one in own):.0f}",
            f"{mean(alone):.3f}, {min(alone):.2f}",
            f"{mean(one['auc'] for one in own):.3f}",
            f"{mean(one['auc_foolsgold'] for one in own):.3f}",
            f"{100 * sum(one['found_alone'] for one in own) / bad:.0f}%",
            f"{100 * sum(one['found'] for one in own) / bad:.0f}%",
            f"{100 * sum(one['false'] for one in own) / honest:.1f}%",
        ]
        yield f"| {' | '.join(cells)} |"


def _goals(records: Sequence[Record]) -> Iterator[str]:
    """Yield the goals and the results; those that were missed in bold."""
    for words, families in (
        ("boosted, and norm-matched with their own training", _GOAL),
        ("norm-matched, trained like the honest", (AS_HONEST,)),
    ):
        own = [one for one in records if one["attack"] in families]
        if not own:
            continue
        auc = mean(one["auc"] for one in own)
        found = sum(one["found"] for one in own) / sum(one["k"] for one in own)
        honest = sum(one["participants"] - one["k"] for one in own)
        false = sum(one["false"] for one in own) / honest
        said = [
            _bold(f"AUC {auc:.3f} (≥ {_LEAST_AUC})", missed=auc < _LEAST_AUC),
            _bold(f"found {100 * found:.0f}% (≥ 90%)", missed=found < _LEAST_FOUND),
            _bold(f"honest flagged {100 * false:.2f}% (≤ 1%)", missed=false > _MOST_FALSE),
        ]
        yield f"- {words}, {len(own)} runs: {', '.join(said)}"


def _since(records: Sequence[Record]) -> Iterator[str]:
    """Yield a sentence on the rounds in which the attack seems to begin."""
    if not records:
        yield "No run with honest rounds before the attack was measured."
        return
    off = [number - LEAD for one in records for number in one["began"]]
    right = sum(number == 0 for number in off)
    near = sum(abs(number) <= 1 for number in off)
    bad = sum(one["k"] for one in records)
    found = sum(one["found"] for one in records)
    yield (
        f"When the audit also has the {LEAD} honest rounds before the attack, it flags {found} of "
        f"{bad} "
        f"compromised participants, and {sum(one['false'] for one in records)} of the others. It "
        "gives "
        f"the right first round for {right} of them, and is at most one round off for {near}."
    )


def _clean(records: Sequence[Record]) -> Iterator[str]:
    whole = [one for one in records if one["rounds"] > ATTACKED]
    for words, own in (
        ("whole runs", whole),
        (f"the last {ATTACKED} rounds alone", [one for one in records if one not in whole]),
    ):
        if not own:
            continue
        rounds, named = sum(one["rounds"] for one in own), sum(one["false"] for one in own)
        people = sum(one["participants"] for one in own)
        alone = sum(one["false_alone"] * one["rounds"] for one in own)
        where = ", ".join(sorted({f"{one['dataset']} {one['partition']}" for one in own}))
        yield (
            f"- {words} ({where}): {len(own)} runs of {rounds} rounds in all, {named} of {people} "
            f"participants flagged; audits of single rounds flag somebody in {alone:.0f} rounds"
        )


def _bold(words: str, *, missed: bool) -> str:
    return f"**{words}**" if missed else words
