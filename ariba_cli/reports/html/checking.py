"""The section on checking the report, and on its run."""

import json
import shlex
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.html.blocks import code, folded, pairs, paragraph, section
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.report import Report


def checking_section(report: Report) -> Element:
    """Return the command that audits the round again, the hash, and the record of the run."""
    text = (
        "This page is drawn from a JSON report. With that report and the round, the audit can be "
        "run again and compared:"
    )
    command = element("pre", {}, code("ariba verify REPORT.json ROUND"))
    return section(
        "checking",
        "How to check this report",
        paragraph(text),
        command,
        pairs(_record(report)),
        folded("The command that was run", element("pre", {}, code(_command(report)))),
    )


def _record(report: Report) -> Iterator[tuple[str, Child]]:
    run = report.run
    yield "result_sha256", code(visible(report.result_sha256))
    yield "schema", visible(report.schema_version)
    yield "ariba", visible(run.ariba)
    yield "Python", visible(run.python)
    libraries = sorted(run.libraries.items())
    yield "libraries", ", ".join(visible(f"{name} {version}") for name, version in libraries) or "–"
    yield "device", visible(run.device)
    if run.sandbox is not None:
        walls = ", ".join(f"{name} {held}" for name, held in sorted(run.sandbox.items()))
        yield "sandbox", visible(walls)
    yield "started", visible(run.started)
    yield "took", f"{run.seconds:.3g} s"
    if run.round is not None:
        yield "round", code(visible(run.round))
    yield from config_rows(run)


def config_rows(run: RunRecord) -> Iterator[tuple[str, Child]]:
    """Yield the options that came from a file, and which it was; nothing where none did."""
    config = run.config
    if config is not None:
        options = "; ".join(
            f"{visible(name)} {visible(json.dumps(value, ensure_ascii=False))}"
            for name, value in config.options.items()
        )
        yield "options from a file", options or "none"
        yield "that file", code(f"{visible(config.file)}, sha256 {visible(config.sha256)}")


def _command(report: Report) -> str:
    return " ".join(visible(shlex.quote(argument)) for argument in report.run.argv)
