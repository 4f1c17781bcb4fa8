"""Untrusted text, made safe to look at."""

import re
import unicodedata

# Letters, marks, numbers, punctuation, symbols and the plain space. Left out are controls
# (ESC among them), bidirectional and other format characters, surrogates, private and
# unassigned code points, and every separator but the space.
_SHOWN = frozenset("LMNPS")

# Of these categories, what takes no ink: Unicode's default ignorable code points, and the
# braille pattern without dots. With one of them, another's name would look like one's own.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Spaces that are not seen, or that put what follows them somewhere else.
_SPACES = re.compile("^ +| +$|(?<= ) +")


def visible(text: str) -> str:
    r"""Return the text with escapes for everything that a terminal might obey, or not show.

    Each backslash becomes two, so that no text can imitate an escape. Show text that was made
    visible before by `harmless`, which does not double its backslashes again.

    >>> print(visible("p03\x1b[2J"))
    p03\x1b[2J
    >>> print(visible(r"p03\x1b[2J"))
    p03\\x1b[2J
    """
    return harmless(text.replace("\\", r"\\"))


def harmless(text: str) -> str:
    r"""Return the same as `visible`, but with backslashes as they are.

    It is a second safeguard for texts that have already been made visible, and leaves these
    unchanged.

    >>> print(harmless(visible("p03\x1b[2J")))
    p03\x1b[2J
    """
    shown = "".join(map(_visible_character, text))
    return _SPACES.sub(lambda spaces: r"\x20" * len(spaces[0]), shown)


def _visible_character(character: str) -> str:
    if character == " " or (character.isascii() and character.isprintable()):
        return character
    if unicodedata.category(character)[0] in _SHOWN and not _BLANK.match(character):
        return character
    return character.encode("unicode_escape").decode("ascii")
