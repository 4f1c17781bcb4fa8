"""The JSON documents: a `result` that is the same everywhere, its hash, and a record of the run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Beyond it not every integer is a float64, nor a number of every JSON reader.
_EXACT = 2**53


@dataclass(frozen=True)
class ConfigRecord:
    """The defaults of options that came from a file.

    Attributes
    ----------
    file : str
        The path of the file.
    sha256 : str
        Its hash.
    options : dict of str to Any
        The options that it decided, by name: texts, numbers, true or false, and lists.
    """

    file: str
    sha256: str
    options: dict[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """The facts about a run that do not decide its result.

    Attributes
    ----------
    ariba : str
        The version of ariba.
    python : str
        The version of Python.
    libraries : dict of str to str
        The versions of libraries, by name.
    argv : list of str
        The arguments of the command.
    started : str
        The time of the start, in UTC.
    seconds : float
        The duration, in seconds.
    device : str
        The device on which layers were scored.
    round : str, optional
        The path of the audited round as the user gave it; None where no round was audited.
    sandbox : dict of str to int or bool, optional
        The limits on the processes that parsed files; None where none was needed.
    config : ConfigRecord, optional
        The options that a file decided; None where there was no such file.
    """

    ariba: str
    python: str
    libraries: dict[str, str]
    argv: list[str]
    started: str
    seconds: float
    device: str
    round: str | None = None
    sandbox: dict[str, int | bool] | None = None
    config: ConfigRecord | None = None


def document(
    schema_version: str,
    result: dict[str, Any],
    run: RunRecord,
    *,
    parts: Mapping[str, Any] | None = None,
    one_line: bool = False,
) -> bytes:
    """Return the bytes of a report: indented, or one line of a stream of them.

    Parameters
    ----------
    schema_version : str
        The version of the report's schema.
    result : dict
        The part that is the same everywhere: codes, ids and numbers.
    run : RunRecord
        The record of the run.
    parts : dict of str to Any, optional
        The parts beside the result: sentences about it, and the data of pictures. Each
        has a hash of its own, so that a better wording changes no result; empty ones are left
        out.
    one_line : bool, optional
        True for one of a stream of reports.
    """
    content = {
        "schema_version": schema_version,
        "result": result,
        "result_sha256": hashlib.sha256(canonical_bytes(result)).hexdigest(),
        "run": {key: value for key, value in asdict(run).items() if value is not None},
    }
    for name, part in (parts or {}).items():
        if part:
            content[name] = part
            content[f"{name}_sha256"] = hashlib.sha256(canonical_bytes(part)).hexdigest()
    if one_line:
        return canonical_bytes(content) + b"\n"
    # Faster encoders refuse the lone surrogates that stand for a name of a file that is not UTF-8.
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False, indent=2)
    return (text + "\n").encode("ascii")


def canonical_bytes(content: Any) -> bytes:
    """Return the JSON that `result_sha256` hashes: sorted keys, no white space, ASCII."""
    text = json.dumps(
        content, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")
    )
    return text.encode("ascii")


def rounded(number: float) -> float:
    """Return a float in the form of a report: 6 significant digits, and 1 rather than 1.0.

    Programs disagree on how to write 1.0, and other tools shall find the same hash.
    """
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < _EXACT else short


def rounded_all(content: Any) -> Any:
    """Return JSON with every float in it rounded by `rounded`; floats that are not numbers stay."""
    if isinstance(content, dict):
        return {key: rounded_all(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [rounded_all(value) for value in content]
    return rounded(content) if isinstance(content, float) else content
