"""`ariba audit`: find the participants that stand out in a round, or in several."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options import choices
from ariba_cli.cli.options import detectors as detector_options
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.arguments import parse_arguments
from ariba_cli.cli.options.conditions import conditions_in_words, parse_condition
from ariba_cli.cli.options.groups import grouped
from ariba_cli.cli.verdicts import AuditFormat

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base ** (power + 1)
    for power, prefix in enumerate("kmgt")
    for suffix, base in (("b", 1000), ("ib", 1024))
}
_LEAST_MEMORY = 2**20


@grouped
def audit(
    round_paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ROUND...",
            help="The directory of a round, or of a run with its rounds, on disk or in an object "
            "store (s3://…, gs://…, az://…); of several, one is audited after the other, and then "
            "all together.",
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A layer to examine: a name such as layer3.0.conv1, a pattern such as "
            "'layer3.*.conv?', or all. Repeatable: each layer is scored separately, and the "
            "ranking uses the mean share. [default: all layers that hold weights]",
            autocompletion=choices.layers,
        ),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(
            metavar="ALPHA",
            help="The false-discovery level: the share of honest participants to expect among all "
            "who are flagged. [default: 0.05]",
        ),
    ] = None,
    k_est: Annotated[
        str | None,
        typer.Option(
            metavar="N|P%",
            help="Name this many suspects, whether they stand out or not. Give a number or a "
            "percentage (rounded up); choose it larger than the number of attackers that you "
            "expect. [default: 20% where the detector gives no p-values]",
        ),
    ] = None,
    fragment: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="How to cut the layers into fragments: kernel, filter, row, or block:D for D "
            "values. [default: kernel for convolutions and row for other layers; block:64 "
            "where these are too wide]",
            autocompletion=choices.fragments,
        ),
    ] = None,
    detector: detector_options.DetectorOption = None,
    detector_arg: detector_options.DetectorArgOption = None,
    fit_sample: detector_options.FitSampleOption = None,
    device: detector_options.DeviceOption = "auto",
    _list_detectors: detector_options.ListDetectorsOption = False,
    format_: Annotated[
        AuditFormat,
        typer.Option("--format", "-f", help="The format of the report."),
    ] = AuditFormat.TABLE,
    output: options.OutputOption = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            parser=options.new_file,
            help="Also write the report as one HTML page with pictures, for one round or for "
            "several together.",
        ),
    ] = None,
    explain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Explain this participant's place in the ranking: the chance of every sign or, "
            "for detectors that mark fragments, its most distant fragments beside typical "
            "ones. Repeatable.",
        ),
    ] = None,
    top: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="How many participants to show in the table. [default: all who are named, and the "
            "next ten]",
        ),
    ] = None,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence",
            help="Also store the data for pictures in the JSON: how alike the updates are or, for "
            "detectors that mark fragments, a sample of them and the most distant ones (8 "
            "bytes of memory per fragment).",
        ),
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Exit with 1 when this condition holds in any round, or in all rounds together. X "
            "is from 0 to 1; quote the condition in the shell. Conditions: "
            f"{conditions_in_words()}. Repeatable.",
            autocompletion=choices.conditions,
        ),
    ] = None,
    files0_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Audit the rounds that FILE lists, with a NUL after each path, as find -print0 "
            "writes them; - is stdin. JSON is then always one line per round.",
        ),
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="REPORT.json",
            help="Compute p-values from clean rounds of your own; give a report of ariba audit -f "
            "json. Repeatable: together the reports need 100 participants.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Leave this participant out, as if it had sent nothing. Repeatable.",
        ),
    ] = None,
    names: options.NamesOption = None,
    layout: options.LayoutOption = None,
    by_order: options.ByOrderOption = False,
    global_model: options.GlobalOption = None,
    verify_seal: Annotated[
        bool,
        typer.Option("--verify-seal", help="Hash every file that the seal lists, and compare."),
    ] = False,
    strict: options.StrictOption = False,
    max_memory: options.MaxMemoryOption = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Let the workers of a Dask cluster work on large layers, with the same result: "
            "local for processes on this machine, the address of a scheduler such as "
            "tcp://10.0.0.7:8786, or the scheduler.json that it writes.",
        ),
    ] = None,
    files: options.FileLimits = options.FILE_LIMITS,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth",
            help="Compare the verdict with truth.json, which attacked rounds of a simulation have.",
        ),
    ] = False,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Say whether anybody in a round stands out as compromised, who it is, and why.

    Participants who stand out are flagged, at a false-discovery level. In most clean rounds nobody
    is flagged. With --k-est, --layer or --fragment the audit follows the ARIBA paper instead: it
    names the k_est most unusual participants of every round, clean or not. If you give several
    detectors, the first decides who is named, and the table also shows the ranks that the others
    give. In place of a directory you can give an HDF5 file with one group per participant.

    When you audit several rounds and one cannot be audited, stderr says so, and the others are
    still audited. JSON is then one line per round, written as soon as the round is done. With four
    or more rounds of a run, in order, a last line is about all rounds together: evidence adds up
    over the rounds in which a participant took part.

    Exit codes: 0 done; 1 done, and a condition of --fail-on holds; 2 a round could not be audited

    Example: ariba audit runs/demo/attacked

    Example: ariba audit runs/demo/attacked --layer conv2 --k-est 10

    Example: ariba audit runs/demo/attacked --detector krum --detector norm

    Example: ariba audit runs/demo/attacked --fail-on flagged --fail-on unsealed

    Example: ariba audit runs/demo/attacked --explain p03 --html report.html

    Example: ariba audit runs/demo --html history.html

    Example: find runs -name 'round_*' -print0 | ariba audit --files0-from - -f json
    """
    with defer_signals():
        from ariba_cli.auditing.history import RunningHistory
        from ariba_cli.cli.auditing import Auditing
        from ariba_cli.cli.options.given import rounds_to_audit
        from ariba_cli.cli.output import deliver_all
        from ariba_cli.cli.verdicts import Verdicts

    console = messages.console()
    conditions = [parse_condition(text) for text in fail_on or ()]
    given = rounds_to_audit(round_paths or (), files0_from, console.note)
    auditing = Auditing(
        asked={
            "layers": tuple(layer or ()),
            "fragment": fragment,
            "level": level,
            "k_est": k_est,
            "detectors": tuple(detector) if detector else None,
            "detector_arguments": parse_arguments(
                detector_arg or (), "--detector-arg", "n_neighbors=10"
            ),
            "fit_sample": fit_sample,
            "device": device,
            "exclude": tuple(exclude or ()),
            "baseline": tuple(baseline or ()),
            "layout": None if layout is None else layout.value,
            "by_order": by_order,
            "global_model": global_model,
            "not_models": options.paths(names),
            "options": files.read_options(names, console),
            # What is asked of a seal is not known before it is verified.
            "verify_seal": verify_seal or any(one.needs_seal for one in conditions),
            "strict": strict,
            "max_memory": None if max_memory is None else parse_bytes(max_memory),
            "cluster": cluster,
            "evidence": evidence or html is not None or bool(explain),
            "explain": tuple(explain or ()),
            "truth": truth,
            "notice": console.note,
        },
        outputs=options.paths(output, html),
        conditions=conditions,
        console=console,
        history=RunningHistory() if given.several else None,
    )
    if explain and format_ is AuditFormat.CSV:
        raise UsageError("--explain does not work with -f csv; use -f table, or -f json")
    if html is not None and output is not None and html.resolve() == output.resolve():
        raise UsageError("--html and --output name the same file; give them two")
    if format_ is AuditFormat.TABLE:
        options.check_holds_table(output, AuditFormat, {"html": "--html"})
    verdicts = Verdicts(
        format_,
        console,
        several=given.several,
        for_file=output is not None,
        reproducible=reproducible,
        evidence=evidence or bool(explain),
        explained=explain or (),
        page=html,
        top=None if top is None else parse_top(top),
    )
    if given.several:
        reports = auditing.each(given.paths, given.total, verdicts)
    else:
        reports = auditing.one(next(given.paths), verdicts)
    deliver_all(reports, output, console)
    if auditing.failed:
        raise typer.Exit(Exit.COULD_NOT_COMPLETE)
    if auditing.holding:
        raise typer.Exit(Exit.CONDITION_HOLDS)


def parse_top(text: str) -> int:
    """Return the number of participants that `10` or `all` stands for.

    Raises
    ------
    UsageError
        When it is neither.
    """
    if text == "all":
        return sys.maxsize
    if re.fullmatch(r"[1-9][0-9]{0,8}", text):
        return int(text)
    raise UsageError(f"--top must be a number of participants, or all, not '{text}'")


def parse_bytes(text: str) -> int:
    """Return the number of bytes that `512MB`, `4GiB` or a number stands for.

    Raises
    ------
    UsageError
        When it is none of them, or too few to work with.
    """
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]{0,3})", text)
    scale = _UNITS.get(found[2].lower()) if found else None
    if found is None or scale is None:
        raise UsageError(f"a size is a number with a unit, such as 512MB or 4GiB, not '{text}'")
    size = int(float(found[1]) * scale)
    if size < _LEAST_MEMORY:
        raise UsageError(f"--max-memory must be at least 1MiB, not {text}")
    return size
