"""A verdict → its ranking as CSV."""

import csv
import io

from ariba_cli.reports.canonical import rounded
from ariba_cli.verdict import Verdict
from ariba_cli.visible import visible

# The last four are the wide forms of the first, which some spreadsheets take for the same.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def audit_csv(verdict: Verdict) -> bytes:
    """Rank, id, score, share and suspect, one participant a line, with a header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["rank", "id", "score", "share", "suspect"])
    for ranked in verdict.ranking:
        suspect = "yes" if ranked.suspect else "no"
        share = rounded(ranked.share)
        writer.writerow([ranked.rank, _cell(ranked.id), ranked.score, share, suspect])
    return buffer.getvalue().encode("utf-8")


def _cell(text: str) -> str:
    """Untrusted text that no spreadsheet takes for a formula."""
    shown = visible(text)
    return "'" + shown if text.startswith(_FORMULA_STARTS) else shown
