"""`truth.json`: who was compromised, known only in simulation. No detector reads it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ariba_cli.errors import InputError, RefusedFileError
from ariba_cli.rounds.directory import TRUTH_NAME
from ariba_cli.rounds.opening import open_file


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
        with open_file(root / TRUTH_NAME) as file:
            content = json.loads(file.read(0, file.size))
        compromised = tuple(content["compromised"])
        attack = dict(content.get("attack", {}))
    except RefusedFileError as error:
        raise InputError(
            f"'{root / TRUTH_NAME}' {error}; --truth needs a simulated round"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{root / TRUTH_NAME}' does not say who was compromised") from error
    if not compromised or not all(isinstance(name, str) for name in compromised):
        raise InputError(f"'{root / TRUTH_NAME}' names no compromised participant")
    return Truth(compromised, attack)
