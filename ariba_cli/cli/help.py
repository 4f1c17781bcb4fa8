"""The help of a command beside its options: the same sections, in the same order.

They come from its docstring: paragraphs that start with `Example: ` are shown together below the
first one, and one that starts with `Exit codes: ` goes below the options.
"""

import inspect
import textwrap
from collections.abc import Callable

# Click then leaves the lines of a paragraph as they are, so that they can be copied.
_AS_IT_IS = "\b\n"
_EXAMPLE = "Example: "
_EXIT_CODES = "Exit codes"
_EXAMPLE_WIDTH = 72

_USUAL = "Exit codes: 0 done; 2 not done, and stderr says why"
_SIGNALS = "; 130 and 143 stopped by Ctrl-C or SIGTERM."

EXIT_CODES = (
    "Exit codes: 0 done; 1 done, and a condition that you asked about, such as one of --fail-on, "
    f"holds; 2 not done, and stderr says why{_SIGNALS}"
)
ENVIRONMENT = (
    "Environment: ARIBA_COMMAND_OPTION is the default of an option, such as "
    "ARIBA_AUDIT_K_EST=10. ARIBA_CONFIG is a file with defaults of "
    "options, and ARIBA_DATA_DIR is the folder of data sets. NO_COLOR takes "
    "colour away, SOURCE_DATE_EPOCH sets the time in reports, ARIBA_NATIVE=off computes without "
    "compiled kernels, and ARIBA_DEBUG=1 shows where an unexpected error came from."
)


def help_text(command: Callable[..., None]) -> str:
    """Return the description of a command, and its examples, each ready to be copied."""
    prose, examples = [], []
    for paragraph in _paragraphs(command):
        if paragraph.startswith(_EXAMPLE):
            examples.append(_shown(paragraph.removeprefix(_EXAMPLE)))
        elif not paragraph.startswith(_EXIT_CODES):
            prose.append(paragraph)
    if examples:
        heading = "Examples:" if len(examples) > 1 else "Example:"
        # Next to the first sentence, where they are on the first screen.
        prose.insert(1, _AS_IT_IS + "\n".join([heading, *examples]))
    return "\n\n".join(prose)


def exit_codes(command: Callable[..., None]) -> str:
    """Return the paragraph on the exit codes of a command."""
    own = (one for one in _paragraphs(command) if one.startswith(_EXIT_CODES))
    return next(own, _USUAL).rstrip(".") + _SIGNALS


def _paragraphs(command: Callable[..., None]) -> list[str]:
    return inspect.cleandoc(command.__doc__ or "").split("\n\n")


def _shown(example: str) -> str:
    """Return a command line, split over several lines for a shell where it is long."""
    lines = textwrap.wrap(example, _EXAMPLE_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "  " + " \\\n    ".join(lines)
