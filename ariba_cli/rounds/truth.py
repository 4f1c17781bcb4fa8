"""`truth.json`: the compromised participants, known only in simulation. No detector reads it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.files.strict_json import parse_object
from ariba_cli.rounds.contents import PARTICIPANTS, TRUTH_NAME
from ariba_cli.rounds.directory import Round


@dataclass(frozen=True)
class Truth:
    """The compromised participants, and the settings of the attack."""

    compromised: tuple[str, ...]
    attack: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the bytes of `truth.json`."""
        content = {"compromised": self.compromised, "attack": self.attack}
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def has_truth(round_: Round) -> bool:
    """Return whether a round has a truth; rounds of a run before its attack have none."""
    return TRUTH_NAME in round_.files


def truth_of(round_: Round) -> Truth:
    """Read the truth beside the updates of a round that was opened.

    Raises
    ------
    InputError
        When a participant could have written it, or `read_truth` raises it.
    """
    if TRUTH_NAME in round_.planted:
        raise InputError(
            f"'{round_.root / TRUTH_NAME}' lies among the updates, where any participant could "
            f"have put it; if it is yours, move the updates into a folder {PARTICIPANTS}/"
        )
    return read_truth(round_.root)


def read_truth(root: Path) -> Truth:
    """Read the truth beside a round's updates.

    Raises
    ------
    InputError
        When there is none, it is not strict JSON, or it names nobody.
    """
    path = root / TRUTH_NAME
    try:
        data = read_small(path, Limits())
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}; --truth needs a simulated round") from error
    try:
        content = parse_object(data, "content")
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}: it does not say who was compromised") from error
    compromised, attack = content.get("compromised", []), content.get("attack", {})
    sound = (
        isinstance(compromised, list)
        and compromised
        and all(isinstance(name, str) for name in compromised)
        and len(set(compromised)) == len(compromised)
        and isinstance(attack, dict)
    )
    if not sound:
        raise InputError(f"'{path}' does not say who was compromised")
    return Truth(tuple(compromised), attack)
