"""The options in the help of a command: under headings where there are many, and in few lines."""

from collections.abc import Iterator
from typing import Any

import typer.core

# By the name of the parameter. The others of a command stand under its last heading.
SECTIONS = {
    "audit": {
        "Who is named": "layer level k_est fragment detector detector_arg fit_sample baseline "
        "_list_detectors",
        "Rounds and participants": "files0_from exclude global_model names layout by_order",
        "The report": "format_ output html explain top evidence fail_on truth reproducible",
        "Safety and limits": "verify_seal strict max_memory max_file_bytes timeout "
        "require_sandbox device cluster",
        "Messages": "config color quiet verbose",
    },
    "simulate": {
        "Data and model": "dataset data_dir download partition model lora",
        "Federation": "participants rounds eta rule rule_arg sampled failing",
        "Training": "optimizer epochs batch_size learning_rate momentum weight_decay engine device",
        "Attack": "attack k compromised trigger strategy strategy_arg target_class source_class "
        "poison_ratio sigma rho anomaly backdoor_images against tries least_backdoor "
        "_list_strategies",
        "Training of the compromised": "attack_optimizer attack_epochs attack_batch_size "
        "attack_learning_rate attack_momentum attack_weight_decay",
        "The run": "keep format_ seed resume",
        "Messages": "config color quiet verbose",
    },
}
# Wider names of options stand on a line of their own.
_WIDEST = 24


class SectionedCommand(typer.core.TyperCommand):
    """A command whose help lists its options under headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, and the options by heading."""
        for heading, params in self._headings(ctx):
            records = [one.get_help_record(ctx) for one in params]
            with formatter.section(heading):
                formatter.write_dl([one for one in records if one], col_max=_WIDEST)

    def _headings(self, ctx: Any) -> Iterator[tuple[str, list[Any]]]:
        params = self.get_params(ctx)
        arguments = [one for one in params if one.param_type_name == "argument"]
        if arguments:
            yield "Arguments", arguments
        options = {one.name: one for one in params if one.param_type_name == "option"}
        sections = SECTIONS.get(self.name or "", {"Options": ""})
        *first, last = ((heading, names.split()) for heading, names in sections.items())
        for heading, names in first:
            yield heading, [options.pop(name) for name in names]
        yield last[0], list(options.values())


def long_name(option: typer.core.TyperOption) -> str:
    """Return the name of an option, with its dashes."""
    return next(name for name in option.opts if name.startswith("--"))


def name_variables(command: typer.core.TyperCommand, prefix: str) -> str:
    """Give each option a variable that holds its default, called by the option; say so.

    Parameters
    ----------
    command : TyperCommand
        The command; in its help the variables have no place beside the options.
    prefix : str
        The first words of the variables, such as `ARIBA_AUDIT`.

    Returns
    -------
    str
        A paragraph for the help, with an example.
    """
    example = ""
    for one in command.params:
        if not isinstance(one, typer.core.TyperOption) or one.is_eager:
            continue
        own = f"{prefix}_{long_name(one)[2:].replace('-', '_').upper()}"
        one.envvar = one.envvar or own
        one.show_envvar = one.envvar != own
        example = example or own
    return (
        f"Environment: the default of each option is in a variable of its name, such as {example}."
    )
