"""`truth.json`: who was compromised, known only in simulation. No detector reads it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.rounds.contents import TRUTH_NAME


@dataclass(frozen=True)
class Truth:
    """The compromised participants, and how the attack was made."""

    compromised: tuple[str, ...]
    attack: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes of `truth.json`."""
        content = {"compromised": self.compromised, "attack": self.attack}
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def read_truth(root: Path) -> Truth:
    """Read the truth beside a round's updates.

    Raises
    ------
    InputError
        When there is none, or it names nobody.
    """
    try:
        content = json.loads(read_small(root / TRUTH_NAME, Limits()))
        compromised = content["compromised"]
        attack = dict(content.get("attack", {}))
    except RefusedFileError as error:
        raise InputError(
            f"'{root / TRUTH_NAME}' {error}; --truth needs a simulated round"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{root / TRUTH_NAME}' does not say who was compromised") from error
    sound = (
        isinstance(compromised, list)
        and compromised
        and all(isinstance(name, str) for name in compromised)
        and len(set(compromised)) == len(compromised)
    )
    if not sound:
        raise InputError(f"'{root / TRUTH_NAME}' is no list of compromised participants")
    return Truth(tuple(compromised), attack)
