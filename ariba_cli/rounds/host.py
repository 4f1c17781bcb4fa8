"""`host.json`: the knowledge that the host of a federation has of a round beside the updates."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.files.strict_json import parse_object
from ariba_cli.rounds.contents import HOST_NAME, PARTICIPANTS
from ariba_cli.rounds.directory import Round

LAYOUT = 1

# Metrics are what clients say: no more of them are kept than somebody would read.
_MOST_METRICS = 64
_MOST_CHARACTERS = 300

# More than anybody holds; a float is exact up to it.
_MOST_SAMPLES = 2**53


@dataclass(frozen=True)
class Answer:
    """The part of a participant's answer that is not its update.

    Attributes
    ----------
    node : str
        The host's name for the participant.
    samples : int, optional
        The number of samples that it claims to have trained on; None if it states no whole number.
    metrics : dict of str to object
        Its other claims.
    """

    node: str
    samples: int | None = None
    metrics: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """The reason why a participant's update was not passed on.

    Attributes
    ----------
    kind : str
        `refused`, if it cannot be averaged; `pruned`, if the policy names it; `unaudited`,
        if nothing is passed on that no audit has seen.
    why : str
        The reason in words.
    """

    kind: str
    why: str


@dataclass(frozen=True)
class HostRecord:
    """The host's record of one round of a federation.

    Attributes
    ----------
    host : str
        The program that is the host, and its version.
    policy : str
        The policy by which participants are pruned.
    participants : dict of str to Answer
        The answers of all participants who sent an update, by id.
    left_out : dict of str to LeftOut
        The reasons why updates were not passed on, by id.
    failures : sequence of (str, str)
        The participants that answered with an error, by the host's names, and their errors.
    unaudited : str
        The reason why there was no audit; empty if there was one.
    """

    host: str
    policy: str
    participants: Mapping[str, Answer]
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    failures: Sequence[tuple[str, str]] = ()
    unaudited: str = ""

    def encode(self) -> bytes:
        """Return the bytes of `host.json`."""
        content = {
            "layout": LAYOUT,
            "host": self.host,
            "policy": self.policy,
            "unaudited": _text(self.unaudited),
            "participants": {
                name: {
                    "node": _text(one.node),
                    "samples": one.samples,
                    "metrics": _plain_metrics(one.metrics),
                    **_left_out(self.left_out.get(name)),
                }
                for name, one in sorted(self.participants.items())
            },
            "failures": [
                {"node": _text(node), "error": _text(error)} for node, error in self.failures
            ],
        }
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def whole_samples(value: object) -> int | None:
    """Return the number of samples that a participant claims to have; None if it is not whole.

    >>> whole_samples(40.0), whole_samples(-1), whole_samples("many")
    (40, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MOST_SAMPLES or value != int(value):
        return None
    return int(value)


def samples_of(round_: Round) -> dict[str, int]:
    """Return the number of samples that each participant claims to hold.

    Parameters
    ----------
    round_ : Round
        A round with a `host.json`.

    Raises
    ------
    InputError
        When a participant could have written the file, or no host writes such a file.
    """
    path = round_.root / HOST_NAME
    if HOST_NAME in round_.planted:
        raise InputError(
            f"'{path}' lies among the updates, where any participant could have put it; if it is "
            f"yours, move the updates into a folder {PARTICIPANTS}/"
        )
    try:
        content = parse_object(read_small(path, Limits()), "content")
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}: it does not say how many samples each has") from error
    answers = content.get("participants")
    if content.get("layout") != LAYOUT or not isinstance(answers, dict):
        raise InputError(f"'{path}' does not have layout {LAYOUT}, the only one that ariba knows")
    found = {
        name: whole_samples(answer.get("samples")) if isinstance(answer, dict) else None
        for name, answer in answers.items()
    }
    return {name: samples for name, samples in found.items() if samples is not None}


def _left_out(one: LeftOut | None) -> dict[str, str]:
    return {} if one is None else {"left_out": one.kind, "why": _text(one.why)}


def _plain_metrics(metrics: Mapping[str, object]) -> dict[str, object]:
    """Return the metrics that are single numbers or short texts, and leave the others out."""
    kept: dict[str, object] = {}
    for key, value in metrics.items():
        name, plain = str(key), _plain(value)
        if plain is not None and len(name) <= _MOST_CHARACTERS and len(kept) < _MOST_METRICS:
            kept[name] = plain
    return kept


def _plain(value: object) -> object:
    if isinstance(value, bool | int):
        return value if abs(value) <= _MOST_SAMPLES else str(value)[:_MOST_CHARACTERS]
    if isinstance(value, float):
        # JSON has no NaN.
        return value if math.isfinite(value) else str(value)
    return value[:_MOST_CHARACTERS] if isinstance(value, str) else None


def _text(value: str) -> str:
    return value[:_MOST_CHARACTERS]
