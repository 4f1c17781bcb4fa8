"""Options for the compromise of participants."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.cli.console import Console
from ariba_cli.cli.options import choices
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.arguments import parse_arguments

if TYPE_CHECKING:
    from ariba_cli.attacks.outcome import Forged
    from ariba_cli.attacks.settings import AttackSettings
    from ariba_cli.federated.training import LocalTraining
    from ariba_cli.reports.text import Paper


def _strategies_table(paper: "Paper") -> str:
    from ariba_cli.reports.strategies_table import strategies_table

    return strategies_table(paper)


KOption = Annotated[
    int | None,
    options.integer(
        "--k", help="How many participants to compromise, drawn with the seed. [default: a tenth]"
    ),
]
CompromisedOption = Annotated[
    str | None,
    typer.Option(metavar="IDS", help="Compromise these participants instead, such as p03,p17."),
]
TriggerOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Which images the backdoor misclassifies: pattern (images with a pattern), trojan "
        "(with one that makes units fire), dba (with one of its four bars), targeted (30 chosen "
        "images), single-input (one image), "
        "semantic (images with a natural feature: green cars, digits that lean to the left), "
        "edge-case (rare images of a class), or class (all images of the class after the "
        "target).",
        autocompletion=choices.triggers,
    ),
]
StrategyOption = Annotated[
    list[str],
    typer.Option(
        metavar="NAME",
        help="How to attack besides poisoning the samples, such as replacement or norm-matching; "
        "--list-strategies shows all. Repeat the option to combine strategies; none means "
        "poisoning alone.",
        autocompletion=choices.strategies,
    ),
]
StrategyArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy-arg",
        metavar="KEY=VALUE",
        help="An argument of a strategy, such as deviation=1; --list-strategies shows them. "
        "Repeatable.",
        autocompletion=choices.strategy_arguments,
    ),
]
TargetClassOption = Annotated[
    int,
    options.integer(
        metavar="CLASS", least=0, help="The class that the backdoor aims at, counted from 0."
    ),
]
SourceClassOption = Annotated[
    int | None,
    options.integer(
        metavar="CLASS",
        least=0,
        help="label-flipping: the class whose labels are flipped. [default: the class after the "
        "target]",
    ),
]
PoisonRatioOption = Annotated[
    float | None,
    options.number(
        least=0.01,
        most=1.0,
        help="How many samples with the trigger a participant adds for each of its own samples of "
        "other classes. [default: by trigger]",
    ),
]
SigmaOption = Annotated[
    float | None,
    options.number(
        least=0.0,
        help="replacement: σ, the sum of the factors σ_i by which the updates are scaled. "
        "[default: n/η]",
    ),
]
RhoOption = Annotated[
    float,
    options.number(least=0.0, most=1.0, help="anomalous: ρ in (1−ρ)·loss + ρ·l_a, less than 1."),
]
AnomalyOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="anomalous: the distance l_a, l2 or cosine.",
        autocompletion=choices.anomalies,
    ),
]
BackdoorImagesOption = Annotated[
    int | None,
    options.integer(
        help="Measure the backdoor on this many test images, drawn with the seed. [default: all]"
    ),
]

AgainstOption = Annotated[
    str | None,
    typer.Option(
        metavar="AUDITOR",
        help="Search for the updates that an audit by the panel finds least unusual while the "
        "backdoor still works. The search varies their scale, layers, noise and honest part.",
        autocompletion=choices.auditors,
    ),
]
TriesOption = Annotated[
    int,
    options.integer(help="--against: how many times the attacker may ask the auditor."),
]
LeastBackdoorOption = Annotated[
    float,
    options.number(
        metavar="SHARE",
        least=0.0,
        most=1.0,
        help="--against: the backdoor accuracy that must remain after FedAvg.",
    ),
]

ListStrategiesOption = Annotated[
    bool,
    typer.Option(
        "--list-strategies",
        callback=options.listing(_strategies_table),
        is_eager=True,
        show_envvar=False,
        help="List all strategies with what they do, need and take, and exit.",
    ),
]

_OF_A_STRATEGY = {
    "sigma": "replacement",
    "rho": "anomalous",
    "anomaly": "anomalous",
    "source_class": "label-flipping",
}


@dataclass(frozen=True)
class AttackOptions:
    """The options for the choice of the compromised, and for their attack."""

    k: KOption = None
    compromised: CompromisedOption = None
    trigger: TriggerOption = "pattern"
    strategy: StrategyOption = field(default_factory=lambda: ["replacement"])
    strategy_arg: StrategyArgOption = None
    target_class: TargetClassOption = 0
    source_class: SourceClassOption = None
    poison_ratio: PoisonRatioOption = None
    sigma: SigmaOption = None
    rho: RhoOption = 0.5
    anomaly: AnomalyOption = "l2"
    backdoor_images: BackdoorImagesOption = None
    against: AgainstOption = None
    tries: TriesOption = 20
    least_backdoor: LeastBackdoorOption = 0.8

    def settings(
        self, context: typer.Context, training: "LocalTraining", *, seed: int, begins: int = 1
    ) -> "AttackSettings":
        """Return the settings of the attack.

        Raises
        ------
        UsageError
            When an option would change nothing, or cannot be read.
        """
        from ariba_cli.attacks.settings import AttackSettings

        strategies = _strategies(self.strategy)
        _check_heeded(context, strategies)
        return AttackSettings(
            compromised=_names(self.compromised),
            k=self.k,
            trigger=self.trigger,
            strategies=strategies,
            arguments=parse_arguments(self.strategy_arg or (), "--strategy-arg", "deviation=1"),
            target_class=self.target_class,
            source_class=self.source_class,
            poison_ratio=self.poison_ratio,
            sigma=self.sigma,
            rho=self.rho,
            anomaly=self.anomaly,
            backdoor_images=self.backdoor_images,
            against=self.against,
            tries=self.tries,
            least_backdoor=self.least_backdoor,
            begins=begins,
            seed=seed,
            training=training,
        )


# What a command takes where none of them is given.
ATTACK = AttackOptions()


def _names(compromised: str | None) -> tuple[str, ...]:
    """Return the ids that were named, such as in `p03,p17`."""
    named = tuple(compromised.split(",")) if compromised is not None else ()
    if "" in named:
        raise UsageError("--compromised has an empty name between commas; write it as p03,p17")
    return named


def _strategies(named: list[str]) -> tuple[str, ...]:
    """Return the strategies that were named, in one order; `none` stands for none."""
    if choices.NO_STRATEGY in named and len(named) > 1:
        raise UsageError("--strategy none excludes all others; leave it out")
    return tuple(sorted(set(named) - {choices.NO_STRATEGY}))


def _check_heeded(context: typer.Context, strategies: Sequence[str]) -> None:
    """Refuse an option of a strategy that is not among these: it would change nothing."""
    for option, strategy in _OF_A_STRATEGY.items():
        if strategy not in strategies and on_command_line(context, option):
            name = option.replace("_", "-")
            raise UsageError(
                f"--{name} needs --strategy {strategy}; add that, or leave out --{name}"
            )
    if context.params.get("against") is None:
        for option in ("tries", "least_backdoor"):
            if on_command_line(context, option):
                name = option.replace("_", "-")
                raise UsageError(f"--{name} needs --against; add --against panel, or leave it out")


def on_command_line(context: typer.Context, option: str) -> bool:
    """Return True if an option was typed, and not taken from a default or the environment."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def audited(forged: "Forged") -> list[str]:
    """Return the verdict of the attacked auditor on the round, in lines; none without one."""
    if forged.reached is None:
        return []
    lines = [f"{forged.settings.against:<13}  flagged    least p-value  backdoor accuracy"]
    for when, one in zip(("plain", "disguised"), forged.reached, strict=True):
        flagged = f"{len(one.flagged)} of {len(one.p_values)}"
        least = min(one.p_values.values())
        lines.append(f"{when:<13} {flagged:>8}  {least:>15.2g}  {one.backdoor_accuracy:>17.3f}")
    disguise, tries = forged.reached[1].disguise, forged.reached[1].tries
    if disguise is None:
        lines.append(f"none of {tries} tries found a better disguise")
    else:
        lines.append(
            f"scale {disguise.scale:.3g} in {', '.join(disguise.layers)}; honest part "
            f"{disguise.honest:g}, noise {disguise.noise:g}; {tries} tries"
        )
    return lines


def warn_of_many(settings: "AttackSettings", participants: int, console: Console) -> None:
    """Warn when half of the participants or more are compromised."""
    k = len(set(settings.compromised)) or settings.k or 0
    if participants > k >= participants / 2:
        console.warn(
            f"{k} of {participants} participants are compromised, half or more; no ranking of "
            "the unusual finds a majority"
        )
