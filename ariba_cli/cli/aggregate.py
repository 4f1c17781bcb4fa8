"""`ariba aggregate`: make the next global model of a round."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.suggestions import nearest
from ariba_cli.base.visible import visible
from ariba_cli.cli.audit import parse_bytes
from ariba_cli.cli.libraries import import_training_libraries
from ariba_cli.cli.options import rules as rule_options
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options import training as training_options
from ariba_cli.cli.options.arguments import parse_arguments
from ariba_cli.cli.options.groups import grouped
from ariba_cli.cli.options.training import EngineName

if TYPE_CHECKING:
    from ariba_cli.aggregation.aggregate import Aggregation
    from ariba_cli.aggregation.updates import Accuracy
    from ariba_cli.cli.console import Console
    from ariba_cli.rounds.directory import Round
    from ariba_cli.runs.run_file import Run


class Weighting(StrEnum):
    """The weighting of the participants."""

    EQUAL = "equal"
    SAMPLES = "samples"


@grouped
def aggregate(
    round_path: options.RoundArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            parser=options.new_file,
            help="The model file to write.",
        ),
    ],
    rule: rule_options.RuleOption = "fedavg",
    rule_arg: rule_options.RuleArgOption = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|REPORT.json",
            help="Leave out this participant, or everybody whom a report of ariba audit -f json "
            "names. If there is a file of this name, it is read as a report. Repeatable.",
        ),
    ] = None,
    weighting: Annotated[
        Weighting,
        typer.Option(
            "--weights",
            help="How much each participant counts: equally, or by its number of samples, which "
            "the round's host.json or the run's run.json gives.",
        ),
    ] = Weighting.EQUAL,
    eta: Annotated[
        float | None,
        options.number(
            least=0.001,
            help="The server's learning rate η. [default: the one in the run.json beside the "
            "round, or 1]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        options.integer(
            least=0,
            help="The seed for a rule that adds noise. [default: the one in the run.json beside "
            "the round, or 0]",
        ),
    ] = None,
    max_memory: options.MaxMemoryOption = None,
    run_path: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN.json",
            help="The run.json that describes the network and the data, for rules that need them. "
            "[default: the run.json beside the round]",
        ),
    ] = None,
    data_dir: training_options.DataDirOption = None,
    public: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="The run, or the round, that was trained on public data, for a rule that learns "
            "from it what honest updates look like.",
        ),
    ] = None,
    _list_rules: rule_options.ListRulesOption = False,
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    strict: options.StrictOption = False,
    files: options.FileLimits = options.FILE_LIMITS,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Aggregate the updates of a round into the next global model, by FedAvg or another rule.

    Writes θ + η Δ as safetensors. The rule computes Δ from all θ_i − θ; by default it is their
    mean. Without a global model, only the mean of the weights can be written. An update that is
    not finite, or cannot be used as a whole, is left out. The command prints who was left out, one
    line each, with a tab before the reason: "named" by a report, "dropped", the kind of finding,
    or the name of the rule. With -v it says how much each of the others counts.

    Example: ariba audit runs/demo/attacked -f json -o report.json

    Example: ariba aggregate runs/demo/attacked --drop report.json --out
    runs/demo/pruned.safetensors

    Example: ariba aggregate runs/demo/attacked --rule multi-krum --rule-arg f=5 --out
    runs/demo/krum.safetensors
    """
    with defer_signals():
        from ariba_cli.aggregation.aggregate import aggregate_round
        from ariba_cli.aggregation.public import public_rounds
        from ariba_cli.aggregation.rules import make_rule
        from ariba_cli.aggregation.rules.declaration import Need
        from ariba_cli.base.machine import memory_bytes
        from ariba_cli.federated.server import noise_seed
        from ariba_cli.replay.suspects import read_suspects
        from ariba_cli.reports.finding_words import findings_in_words
        from ariba_cli.rounds.contents import HOST_NAME
        from ariba_cli.rounds.directory import open_round
        from ariba_cli.rounds.host import samples_of
        from ariba_cli.runs.run_file import path_beside

    console = messages.console()
    chosen = make_rule(rule, parse_arguments(rule_arg or (), "--rule-arg", "f=10"))
    memory = None if max_memory is None else parse_bytes(max_memory)
    if Need.PUBLIC_ROUNDS in chosen.declaration.needs:
        import_training_libraries()
    elif public is not None:
        raise UsageError(f"{rule} learns from no public rounds; leave out --public")
    terms = files.read_options(names, console)
    reports = [Path(one) for one in drop or () if os.path.lexists(one)]
    named = [one for one in drop or () if not os.path.lexists(one)]
    round_ = open_round(
        round_path, terms, global_path=global_model, not_models=options.paths(names, *reports)
    )
    _check_named(named, round_)
    by_samples = weighting is Weighting.SAMPLES
    by_host = by_samples and HOST_NAME in round_.files
    by_run = by_samples and not by_host
    needs_data = Need.DATA in chosen.declaration.needs
    asks = eta is None or (seed is None and "noise" in chosen.given)
    needed = by_run or needs_data or run_path is not None
    run = None
    if asks or needed:
        run = _run(
            run_path or path_beside(round_path),
            by_samples=by_run,
            data=needs_data,
            needed=needed,
        )
    if eta is None:
        eta = 1.0 if run is None else run.settings.eta
    if seed is None:
        seed = 0 if run is None else run.settings.seed
    number = 0 if round_.manifest is None else round_.manifest.round
    samples = samples_of(round_) if by_host else None
    if by_run and run is not None:
        samples = run.samples
    suspects = [name for path in reports for name in read_suspects(path, round_)]
    with (
        _accuracy(run if needs_data else None, data_dir, console) as accuracy,
        console.progress() as progress,
    ):
        done = aggregate_round(
            round_,
            out,
            rule=chosen,
            eta=eta,
            samples=samples,
            dropped=tuple(dict.fromkeys([*named, *suspects])),
            strict=strict,
            max_memory=memory,
            noise_seed=noise_seed(seed, number),
            accuracy=accuracy,
            public=None
            if public is None
            else lambda: public_rounds(public, terms, memory or memory_bytes() // 4),
            progress=progress,
        )
    for line in findings_in_words([*round_.findings, *done.findings], str):
        console.warn(line)
    if done.kept:
        console.note(f"taken from the global model: {', '.join(done.kept)}")
    for name, share in done.shares.items():
        console.detail(f"{visible(name)} counts {share:.4f}")
    given = "".join(f", {key} {value:g}" for key, value in done.arguments.items())
    console.note(
        f"averaged {len(done.used)} of {len(round_.participants)} by {rule}{given} with eta "
        f"{eta:g}; wrote {out}"
    )
    console.data(_left_out(done, suspects, rule))


def _run(path: Path, *, by_samples: bool, data: bool, needed: bool) -> "Run | None":
    """Return the run of the `run.json` of a round; None when there is none and none is needed."""
    from ariba_cli.runs.run_file import read_run_at

    if not needed and not os.path.lexists(path):
        return None
    to_know = "eta, unless you give --eta"
    if by_samples:
        to_know = "the samples of each participant"
    if data:
        to_know = "the data and the model"
    return read_run_at(path, to_know=to_know)


@contextmanager
def _accuracy(
    run: "Run | None", data_dir: Path | None, console: "Console"
) -> "Iterator[Accuracy | None]":
    """Yield a function that returns the accuracy of a model on a run's data; None if not needed."""
    if run is None:
        yield None
        return
    from ariba_cli.runs.serving import accuracy_in

    import_training_libraries()
    place = training_options.place(
        run.settings.dataset,
        data_dir,
        download=False,
        engine=EngineName.AUTO,
        device="auto",
        console=console,
    )
    with accuracy_in(run, place) as accuracy:
        yield accuracy


def _check_named(named: Sequence[str], round_: "Round") -> None:
    """Raise UsageError when somebody is to be dropped who is neither there nor a report."""
    ids = [member.id for member in round_.participants]
    for name in named:
        if name not in ids:
            near = nearest(name, ids)
            hint = "" if near is None else f"; did you mean '{near}'?"
            raise UsageError(
                f"--drop '{name}' is neither a participant of the round nor a report{hint}"
            )


def _left_out(done: "Aggregation", named: Collection[str], rule: str) -> bytes:
    """Return a line with the reason for each one left out: asked for, unusable, or the rule."""
    reasons = {name: "named" if name in named else "dropped" for name in done.dropped}
    reasons |= {str(one.participant): one.kind.value for one in done.findings}
    reasons |= {name: rule for name, share in done.shares.items() if share == 0}
    return "".join(f"{visible(name)}\t{why}\n" for name, why in reasons.items()).encode()
