"""The verdict for use in a notebook."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from ariba_cli.base.errors import UsageError
from ariba_cli.base.visible import visible
from ariba_cli.reports.audit_json import audit_json
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.reasons import reasons_in_words
from ariba_cli.reports.run_record import run_record
from ariba_cli.reports.words import headline_in_words, named_word, value_in_words, value_name
from ariba_cli.verdicts.verdict import Verdict as _Verdict

if TYPE_CHECKING:
    import pandas

# How many of the ranking a notebook shows.
_SHOWN = 20


class Verdict(_Verdict, frozen=True):
    """The result of an audit, and the record of its run.

    Attributes
    ----------
    ranking : tuple of Ranked
        The participants, the most suspicious first.
    suspects : tuple of Ranked
        The participants that the decision names.
    detectors : tuple of DetectorResult
        The result of each detector.
    findings : tuple of Finding
        The faults of the inputs.
    run : RunRecord
        Versions, time and device.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> verdict = ariba.audit("fixtures/attacked", layers="conv2", k_est=4)
    >>> [one.id for one in verdict.suspects[:2]]
    ['p18', 'p15']
    """

    run: RunRecord | None = None

    def to_json(self, *, one_line: bool = False) -> bytes:
        """Return the bytes of the report that `ariba audit -f json` writes."""
        return audit_json(self, self._record, one_line=one_line)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists and plain values."""
        import json

        found: dict[str, Any] = json.loads(self.to_json())
        return found

    def to_frame(self) -> "pandas.DataFrame":
        """Return the ranking as a pandas table, with a column for each detector and layer.

        Raises
        ------
        UsageError
            When pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise UsageError("to_frame needs pandas; install it with pip install pandas") from error
        own = {one.id: one for one in self.deciding.scores}
        rows = []
        for ranked in self.ranking:
            row: dict[str, Any] = asdict(ranked)
            row |= {f"{self.deciding.name}:{k}": v for k, v in own[ranked.id].by_layer.items()}
            rows.append(row)
        frame = pandas.DataFrame(rows)
        for other in self.detectors:
            if other is not self.deciding:
                frame[other.name] = frame["id"].map({one.id: one.value for one in other.scores})
        return frame

    def __repr__(self) -> str:
        """Return the named participants, in one line."""
        return f"<Verdict: {headline_in_words(self)}>"

    def _repr_html_(self) -> str:
        """Return the first of the ranking as a table, for notebooks."""
        from html import escape

        rows = "".join(
            f"<tr><td>{one.rank}</td><td>{escape(visible(one.id))}</td>"
            f"<td>{value_in_words(self, one.value)}</td>"
            f"<td>{named_word(self) if one.named else ''}</td>"
            f"<td>{escape(reasons_in_words(one)) if one.named else ''}</td></tr>"
            for one in self.ranking[:_SHOWN]
        )
        titles = ("rank", "participant", value_name(self), "", "reasons" if self.by_level else "")
        head = f"<tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>"
        words = escape(headline_in_words(self))
        return f"<p>{words}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    @property
    def _record(self) -> RunRecord:
        assert self.run is not None
        return self.run


def with_record(
    found: _Verdict,
    started: datetime,
    ticks: float,
    path: str | None,
    sandbox: dict[str, int | bool] | None = None,
) -> Verdict:
    """Return a verdict with the versions, the time, the device and the sandbox of its run."""
    run = run_record(
        started,
        time.perf_counter() - ticks,
        device=", ".join(found.devices),
        round_path=path,
        sandbox=sandbox,
    )
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    return Verdict(**fields, run=run)
