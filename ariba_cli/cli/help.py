"""What a command's help says beside its options: the same sections, in the same order."""

import inspect
import textwrap
from collections.abc import Callable

# Click then leaves the lines of a paragraph as they are, so that they can be copied.
_AS_IT_IS = "\b\n"
_EXAMPLE = "Example: "
_EXAMPLE_WIDTH = 72

ENVIRONMENT = (
    "Environment: ARIBA_COMMAND_OPTION is the default of an option, as ARIBA_AUDIT_K_EST=10; the "
    "help of each command names them. ARIBA_DATA_DIR is the folder of data sets. NO_COLOR takes "
    "colour away, SOURCE_DATE_EPOCH sets the time in reports, and ARIBA_DEBUG=1 shows where an "
    "unexpected error came from."
)


def help_text(command: Callable[..., None]) -> str:
    """The docstring of a command, with its examples together, as they can be copied.

    An example is a paragraph of the docstring that starts with `Example: `.
    """
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    prose = [one for one in paragraphs if not one.startswith(_EXAMPLE)]
    examples = [_shown(one) for one in paragraphs if one.startswith(_EXAMPLE)]
    if examples:
        heading = "Examples:" if len(examples) > 1 else "Example:"
        prose.append(_AS_IT_IS + "\n".join([heading, *examples]))
    return "\n\n".join(prose)


def _shown(example: str) -> str:
    """A command line, as a shell reads it over several lines where it is long."""
    words = example.removeprefix(_EXAMPLE)
    lines = textwrap.wrap(words, _EXAMPLE_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "  " + " \\\n    ".join(lines)


def exit_codes(one: str = "") -> str:
    """How a command ends; `one` is when with 1, for those that do."""
    one = f"1 {one}; " if one else ""
    return (
        f"Exit codes: 0 done; {one}2 it could not be done, and stderr says why in a line; 130 and "
        "143 stopped by Ctrl-C or SIGTERM."
    )
