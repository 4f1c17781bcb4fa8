"""A report of an audit: the verdict, and how it came about."""

from dataclasses import dataclass

from ariba_cli.reports.canonical import RunRecord
from ariba_cli.verdict import Verdict


@dataclass(frozen=True)
class Report:
    """What a JSON report of an audit says.

    Attributes
    ----------
    verdict : its floats have the digits that the report has.
    result_sha256 : of the canonical bytes of its result.
    """

    verdict: Verdict
    run: RunRecord
    schema_version: str
    result_sha256: str
