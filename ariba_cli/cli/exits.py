"""The exit codes."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit code of a command."""

    COMPLETED = 0
    CONDITION_HOLDS = 1
    # Of what is compared.
    DIFFERENT = 1
    COULD_NOT_COMPLETE = 2
    INTERRUPTED = 130
    TERMINATED = 143
