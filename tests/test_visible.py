"""The characters that no terminal may be made to obey."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ariba_cli.base.visible import harmless, visible


@given(st.text(alphabet=st.sampled_from("\\x1b\x1bn\n u0e\ue000")), st.text())
def test_no_text_looks_like_another(first: str, second: str) -> None:
    """It can be read back: no name spells the escape in another."""
    for text in (first, second):
        assert read_back(visible(text)) == text
        assert harmless(visible(text)) == visible(text)


def read_back(shown: str) -> str:
    """Return the text that was shown so."""
    number = r"x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})"
    escape = re.compile(rf"\\(?:(\\)|([nrt])|{number})")

    def character(found: re.Match[str]) -> str:
        if found[1] or found[2]:
            return found[1] or {"n": "\n", "r": "\r", "t": "\t"}[found[2]]
        return chr(int(found[3] or found[4] or found[5], 16))

    return escape.sub(character, shown)


@given(st.text())
def test_what_is_shown_is_harmless(text: str) -> None:
    shown = visible(text)
    for character in shown:
        assert character == " " or unicodedata.category(character)[0] in "LMNPS"
    assert shown.encode("utf-8").decode("utf-8") == shown


@pytest.mark.parametrize(
    "text", ["p03", "layer3.0.conv1.weight", "Müller [/red]", "参加者-7", "k̃/n"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\r", r"a\nb\r"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("\x9b31m", r"\x9b31m"),
        ("\udcff", r"\udcff"),
        ("a\u00a0b\u2028", r"a\xa0b\u2028"),
        ("\u200b", r"\u200b"),
        ("\x00", r"\x00"),
        ("p03\ufe0f", r"p03\ufe0f"),
        ("p\u034f03", r"p\u034f03"),
        ("\u3164\u2800\U000e0100", r"\u3164\u2800\U000e0100"),
        ("p03 ", r"p03\x20"),
        (" p03", r"\x20p03"),
        ("p03   9  suspect", r"p03 \x20\x209 \x20suspect"),
        (" ", r"\x20"),
        (r"p03\x1b", r"p03\\x1b"),
        ("\\", r"\\"),
    ],
)
def test_the_rest_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
