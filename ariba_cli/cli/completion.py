"""`ariba completion`: the completion of command lines by a shell.

A shell that completes runs `ariba` with the line up to the cursor in a variable. The line is
split into words here for all shells alike: Bash by itself takes `pyod:ECOD` for three words.
"""

import os
import shlex
from collections.abc import MutableMapping
from enum import StrEnum
from importlib import resources
from typing import Annotated

import typer

from ariba_cli.cli.options import shared as options

# What Typer looks at: whether it is to complete, the words, and which is being written.
_TASK = "_ARIBA_COMPLETE"
_WORDS = "COMP_WORDS"
_WHICH = "COMP_CWORD"
# What the scripts say instead of the words: the line as far as the cursor.
_LINE = "_ARIBA_COMPLETE_LINE"


class Shell(StrEnum):
    """The shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that lets a shell complete commands, options, their values and files.

    Add a line to the file that your shell reads when it starts:

    In ~/.bashrc: eval "$(ariba completion bash)"

    In ~/.zshrc, after compinit: eval "$(ariba completion zsh)"

    In ~/.config/fish/config.fish: ariba completion fish | source
    """
    script = resources.files("ariba_cli.cli") / "shells" / f"ariba.{shell.value}"
    console = options.MESSAGES.console()
    console.data(script.read_bytes())


def heed_shells(variables: MutableMapping[str, str] = os.environ) -> None:
    """Have the next command line completed instead of run, if a shell asks for that.

    Parameters
    ----------
    variables : mutable mapping of str to str, optional
        The environment, in which the shell's line is put in the form that Typer reads.
    """
    if not variables.get(_TASK):
        return
    from typer.completion import get_completion_inspect_parameters

    # Registers the shells that Typer knows; it does so only for options of its own, which
    # write into the start-up files of whatever shell they find.
    get_completion_inspect_parameters()
    line = variables.get(_LINE)
    if line is not None:
        *words, last = split(line)
        variables[_WORDS] = shlex.join([*words, last])
        variables[_WHICH] = str(len(words))


def split(line: str) -> list[str]:
    r"""Return the words of an unfinished line; the last is the one that is being written.

    >>> split("ariba audit --fail-on 'sha")
    ['ariba', 'audit', '--fail-on', 'sha']
    >>> split("ariba audit ")
    ['ariba', 'audit', '']
    """
    for closing in ("", "'", '"'):
        try:
            # Something always stands at the cursor, after a space and after a backslash too.
            *words, last = shlex.split(f"{line}.{closing}")
        except ValueError:
            continue
        return [*words, last[:-1]]
    return [""]
