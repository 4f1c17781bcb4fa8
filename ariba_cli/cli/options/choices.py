"""The values that a shell completes, beside those that Typer knows: looked up only then.

Each function is given to an option as its `autocompletion`; Typer keeps the values that begin with
the word that is being written. Words come from the registries, and never from a round.
"""

# What stands for no strategy at all.
NO_STRATEGY = "none"


def conditions() -> list[str]:
    """Return the forms that can follow `--fail-on`."""
    from ariba_cli.cli.options.conditions import FORMS

    return [form.start for form in FORMS]


def detectors() -> list[str]:
    """Return the name of every detector."""
    from ariba_cli.detectors import DETECTORS, WITH_VARIANTS
    from ariba_cli.scoring.pyod_catalogue import CATALOGUE

    variants = [f"pyod:{name}" for name in sorted(CATALOGUE, key=str.lower)]
    return [*(name for name in DETECTORS if name not in WITH_VARIANTS), *variants]


def rules() -> list[str]:
    """Return the name of every aggregation rule."""
    from ariba_cli.aggregation.rules import RULES

    return list(RULES)


def triggers() -> list[str]:
    """Return the name of every trigger."""
    from ariba_cli.attacks.triggers import TRIGGERS

    return list(TRIGGERS)


def strategies() -> list[str]:
    """Return the name of every strategy, and the word for none."""
    from ariba_cli.attacks.strategies import STRATEGIES

    return [*STRATEGIES, NO_STRATEGY]


def strategy_arguments() -> list[str]:
    """Return every argument of a strategy; a value follows the equals sign."""
    from ariba_cli.attacks.strategies import STRATEGIES, arguments_of

    return [f"{key}=" for key in arguments_of(tuple(STRATEGIES))]


def auditors() -> list[str]:
    """Return the auditors whose verdict an attacker can minimise."""
    from ariba_cli.attacks.against import AUDITORS

    return list(AUDITORS)


def anomalies() -> list[str]:
    """Return the names of the anomaly terms l_a."""
    from ariba_cli.attacks.strategies import ANOMALIES

    return list(ANOMALIES)


def datasets() -> list[str]:
    """Return the name of every data set."""
    from ariba_cli.federated.datasets import DATASETS

    return list(DATASETS)


def partitions() -> list[str]:
    """Return every way to deal out samples; a number follows the colon."""
    from ariba_cli.federated.partitions import PARTITIONS

    return [f"{name}:" if way.parameter else name for name, way in PARTITIONS.items()]


def models() -> list[str]:
    """Return the name of every network that can be trained."""
    from ariba_cli.federated.models import MODELS

    return list(MODELS)


def schemas() -> list[str]:
    """Return every kind of report that has a schema."""
    from ariba_cli.reports.published import versions

    return list(versions())


def fragments() -> list[str]:
    """Return every way to cut a layer; a number follows the colon."""
    return ["kernel", "filter", "row", "block:"]


def layers() -> list[str]:
    """Return the layer arguments that can be named without a round."""
    return ["all"]


def devices() -> list[str]:
    """Return the devices of computation; there may be several cards."""
    return ["auto", "cpu", "cuda", "cuda:0"]


def kept_rounds() -> list[str]:
    """Return the choices of rounds that a simulation writes; a number follows the colon."""
    return ["all", "last", "every:"]
