"""The safe subset of regular expressions matches as Python's own does, in linear time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats.patterns import Pattern, UnsafePatternError, Work

ATOMS = [*"ab1_", ".", r"\.", "[ab]", "[^a]", "[a-b1]", "[]a]", r"[\d.]", r"[^\W1]"]
ATOMS += [r"\d", r"\w", r"\W", r"\S", "(?:ab|1)", "(a|)"]
REPETITIONS = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{0}"]
PARTS = st.builds("{}{}".format, st.sampled_from(ATOMS), st.sampled_from(REPETITIONS))
PATTERNS = st.recursive(
    st.one_of(PARTS, st.sampled_from("^$")),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{}|{}".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(REPETITIONS)),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.lists(st.text("ab1._é\n", max_size=7), max_size=8))
def test_it_matches_as_the_library_does(text: str, names: list[str]) -> None:
    pattern, expected = Pattern(text, Work()), re.compile(text)
    of_parts, with_parts = Pattern(text, Work(), of_last_parts=True), rf"(.*\.)?({text})"
    for name in names:
        assert pattern.matches(name) == (expected.fullmatch(name) is not None)
        assert of_parts.matches(name) == (re.fullmatch(with_parts, name) is not None)


@pytest.mark.parametrize(
    "text",
    [
        *("(", ")", "a)(b", "*a", "a**", "a{2}{2}", "[a", "[b-a]", r"[\d-a]", "a\\", "a{b}"),
        *(r"(a)\1", "(?=a)", "(?<!a)", "(?i)a", "(?P<n>a)", r"\bq", r"\x41", "a{2,1}", "a{9999}"),
        *("a" * 1025, "(a{99}){99}", "(" * 60 + ")" * 60),
    ],
)
def test_what_is_more_than_the_subset_is_no_pattern(text: str) -> None:
    with pytest.raises(UnsafePatternError):
        Pattern(text, Work())


@pytest.mark.parametrize("text", ["(a*)*b", "(a|a)*b", "(a|b)*a(a|b){20}b", "(.*a){20}"])
def test_what_takes_others_for_ever_takes_no_time(text: str) -> None:
    assert not Pattern(text, Work()).matches("a" * 1000 + "c")


def test_work_ends() -> None:
    work = Work()
    pattern = Pattern("a", work)
    with pytest.raises(RefusedFileError, match="too long"):
        pattern.matches("b" * 10**8)
    with pytest.raises(RefusedFileError, match="too long"):
        Pattern("c", work)
