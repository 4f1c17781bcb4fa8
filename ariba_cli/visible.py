"""Untrusted text, made safe to look at."""

import unicodedata

# Letters, marks, numbers, punctuation, symbols and the plain space. Left out are controls
# (ESC among them), bidirectional and other format characters, surrogates, private and
# unassigned code points, and every separator but the space.
_SHOWN = frozenset("LMNPS")


def visible(text: str) -> str:
    r"""The text with everything that a terminal might obey written as an escape.

    >>> visible("p03\x1b[2J")
    'p03\\x1b[2J'
    """
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if character == " " or (character.isascii() and character.isprintable()):
        return character
    if unicodedata.category(character)[0] in _SHOWN:
        return character
    return character.encode("unicode_escape").decode("ascii")
