"""The aggregation rules → the table of their actions and arguments."""

from ariba_cli.aggregation.rules import RULES, make_rule
from ariba_cli.reports.text import Paper, plain_table, render, sentence


def rules_table(paper: Paper) -> str:
    """Return every rule with its action and its needs, and every argument with its range."""
    from rich.text import Text

    table = plain_table(("rule", "left"), ("what it does", "left"), ("needs", "left"))
    arguments = plain_table(
        ("argument", "left"), ("of", "left"), ("what it is", "left"), ("takes", "left")
    )
    for name in RULES:
        declared = make_rule(name).declaration
        needs = [need.value.replace("-", " ") for need in sorted(declared.needs)]
        if declared.fewest > 1:
            needs.append(f"{declared.fewest} updates")
        table.add_row(name, Text(declared.summary), ", ".join(needs))
        for key, one in declared.arguments.items():
            arguments.add_row(
                key, name, Text(f"{one.meaning}; by default {one.said_default}"), one.said_range
            )
    return render(
        [table, "", sentence("Give arguments with --rule-arg KEY=VALUE."), "", arguments], paper
    )
