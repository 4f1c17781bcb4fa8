"""A safe subset of regular expressions, for the patterns by which adapters name modules.

They are matched in time linear in the name and the pattern: every place in the pattern that
the characters so far can have led to is followed at once. Since only whole matches count,
lazy and greedy repetition are the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ariba_cli.base.errors import RefusedFileError

_MOST_CHARACTERS = 1024
# Of the states of a pattern, in which every repetition is written out.
_MOST_STATES = 4096
_DEEPEST = 50
_MOST_REPETITIONS = 1000
_FIRST_BEYOND_ASCII = 128

# Of all names held against all patterns of one file, in characters; what is not known yet of
# a pattern counts more, for each of its states.
_MOST_WORK = 3 * 10**7
_NEW_STATE_WORK = 16
_COMPILED_STATE_WORK = 100

# The classes that have a letter, and by the capital all other characters.
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "s": str.isspace,
    "w": lambda character: character.isalnum() or character == "_",
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}


class UnsafePatternError(ValueError):
    """A text that does not parse, or asks for more than the subset."""


@dataclass(frozen=True, slots=True)
class _Characters:
    """A set of characters: those that are listed and those of some classes, or all others."""

    listed: frozenset[str]
    classes: frozenset[str] = frozenset()
    negated: bool = False

    def __contains__(self, character: str) -> bool:
        found = character in self.listed or any(
            _CLASSES[one.lower()](character) != one.isupper() for one in self.classes
        )
        return found != self.negated


_ANYTHING = _Characters(frozenset("\n"), negated=True)
_DOT = _Characters(frozenset("."))


@dataclass(slots=True)
class _State:
    """A place in a pattern.

    Attributes
    ----------
    takes : _Characters, optional
        The characters that lead to the next place; None if none is taken.
    only_at : str, optional
        `start` or `end` for an anchor, which is passed only there; None elsewhere.
    following : list of int
        The next places.
    """

    takes: _Characters | None = None
    only_at: str | None = None
    following: list[int] = field(default_factory=list)


class Pattern:
    r"""A pattern that is matched as a whole, as `re.fullmatch` does.

    Parameters
    ----------
    text : str
        The pattern.
    work : Work
        The counter of the work that matching takes.
    of_last_parts : bool, optional
        True to allow any text that ends in a dot before the pattern.

    >>> Pattern(r"layers\.(1|2)\.[qv]_proj", Work()).matches("layers.2.q_proj")
    True

    Raises
    ------
    UnsafePatternError
        When the text does not parse, or asks for more than literal characters, classes, groups,
        alternatives, repetition and the anchors `^` and `$`.
    """

    def __init__(self, text: str, work: "Work", *, of_last_parts: bool = False) -> None:
        states = _Compiler(text, of_last_parts=of_last_parts).states
        work.add(_COMPILED_STATE_WORK * len(states))
        self._work = work
        self._states = states
        self._last = len(states) - 1
        self._sets: list[frozenset[int]] = []
        self._numbers: dict[frozenset[int], int] = {}
        self._ends: list[bool] = []
        self._steps: dict[tuple[int, str], int] = {}
        self._start = self._number(self._closure([0], "start"))

    def matches(self, name: str) -> bool:
        """Return whether the pattern matches a name as a whole.

        Raises
        ------
        RefusedFileError
            When matching takes too much work.
        """
        self._work.add(len(name))
        current = self._start
        if not name:
            return self._last in self._closure(self._closure([0], "start"), "start", "end")
        for character in name:
            step = self._steps.get((current, character))
            if step is None:
                step = self._step(current, character)
            current = step
        return self._ends[current]

    def _step(self, current: int, character: str) -> int:
        taken = [
            one
            for state in self._sets[current]
            if (takes := self._states[state].takes) is not None and character in takes
            for one in self._states[state].following
        ]
        found = self._closure(taken)
        self._work.add(_NEW_STATE_WORK * (len(self._sets[current]) + len(found)))
        step = self._steps[current, character] = self._number(found)
        return step

    def _number(self, states: frozenset[int]) -> int:
        """Return the number of a set of states, a new one if it has none yet."""
        if states not in self._numbers:
            self._numbers[states] = len(self._sets)
            self._sets.append(states)
            self._ends.append(self._last in self._closure(states, "end"))
        return self._numbers[states]

    def _closure(self, states: Iterable[int], *places: str) -> frozenset[int]:
        """Return the states that are reached without taking another character."""
        reached, waiting = set(states), list(states)
        while waiting:
            state = self._states[waiting.pop()]
            if state.takes is None and state.only_at in (None, *places):
                new = [one for one in state.following if one not in reached]
                reached.update(new)
                waiting += new
        return frozenset(reached)


class Work:
    """A counter of the work of matching for one file; its limit is beyond any honest file."""

    def __init__(self) -> None:
        self._left = _MOST_WORK

    def add(self, steps: int) -> None:
        """Add steps, and raise RefusedFileError when the total exceeds the limit."""
        self._left -= steps
        if self._left < 0:
            raise RefusedFileError("has patterns that take too long to match")


class _Compiler:
    """A compiler of a pattern to states; each part has a first state, and a last that leads on."""

    def __init__(self, text: str, *, of_last_parts: bool) -> None:
        if len(text) > _MOST_CHARACTERS:
            raise UnsafePatternError(f"it has {len(text):,} characters")
        self._text = text
        self._at = 0
        self._depth = 0
        self.states: list[_State] = []
        first, last = self._alternatives()
        if self._at < len(text):
            raise UnsafePatternError("its parentheses do not match")
        if of_last_parts:
            first = self._after_any_parts(first)
        # The first state is the start, and the last one the end.
        self._renumber(first, last)

    def _renumber(self, first: int, last: int) -> None:
        order = [first, *(i for i in range(len(self.states)) if i not in (first, last)), last]
        new = {old: number for number, old in enumerate(order)}
        for state in self.states:
            state.following = [new[one] for one in state.following]
        self.states = [self.states[old] for old in order]

    def _after_any_parts(self, first: int) -> int:
        """Return a start before a state that also accepts any text that ends in a dot."""
        start, anything, dot = (self._new(one) for one in (None, _ANYTHING, _DOT))
        for source, target in (
            (start, first),
            (start, anything),
            (start, dot),
            (anything, anything),
            (anything, dot),
            (dot, first),
        ):
            self._link(source, target)
        return start

    def _new(self, takes: _Characters | None = None, only_at: str | None = None) -> int:
        if len(self.states) >= _MOST_STATES:
            raise UnsafePatternError(f"it has more than {_MOST_STATES:,} places when written out")
        self.states.append(_State(takes, only_at))
        return len(self.states) - 1

    def _link(self, source: int, target: int) -> None:
        self.states[source].following.append(target)

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._next
        if not character:
            raise UnsafePatternError("it ends too soon")
        self._at += 1
        return character

    def _alternatives(self) -> tuple[int, int]:
        first, last = self._new(), self._new()
        while True:
            one = self._sequence()
            self._link(first, one[0])
            self._link(one[1], last)
            if self._next != "|":
                return first, last
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        first = last = self._new()
        while self._next and self._next not in "|)":
            start = self._at
            part = self._part()
            part = self._repeated(part, start)
            self._link(last, part[0])
            last = part[1]
        return first, last

    def _part(self) -> tuple[int, int]:
        character = self._take()
        if character == "(":
            return self._group()
        if character in "^$":
            return self._single(only_at="start" if character == "^" else "end")
        if character in "*+?{":
            raise UnsafePatternError(f"it repeats nothing at {self._at - 1}")
        if character == "[":
            return self._single(self._class())
        if character == "\\":
            return self._single(self._escaped())
        return self._single(_ANYTHING if character == "." else _Characters(frozenset(character)))

    def _single(
        self, takes: _Characters | None = None, only_at: str | None = None
    ) -> tuple[int, int]:
        first, last = self._new(takes, only_at), self._new()
        self._link(first, last)
        return first, last

    def _group(self) -> tuple[int, int]:
        if self._next == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise UnsafePatternError(
                    f"{self._text[self._at - 1 : self._at + 2]!r} is not allowed"
                )
            self._at += 2
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnsafePatternError(f"its groups are more than {_DEEPEST} deep")
        found = self._alternatives()
        self._depth -= 1
        if self._next != ")":
            raise UnsafePatternError("its parentheses do not match")
        self._at += 1
        return found

    def _escaped(self) -> _Characters:
        character = self._take()
        if character.lower() in _CLASSES:
            return _Characters(frozenset(), frozenset(character))
        if character in _CONTROLS:
            return _Characters(frozenset(_CONTROLS[character]))
        if character.isalnum():
            raise UnsafePatternError(f"an escaped {character!r} is not allowed")
        return _Characters(frozenset(character))

    def _class(self) -> _Characters:
        negated = self._next == "^"
        self._at += negated
        listed: frozenset[str] = frozenset()
        classes: frozenset[str] = frozenset()
        first = True
        while first or self._next != "]":
            one, first = self._of_class(), False
            if self._next == "-" and self._text[self._at + 1 :][:1] != "]":
                self._at += 1
                one = _range(one, self._of_class())
            listed, classes = listed | one.listed, classes | one.classes
        self._at += 1
        return _Characters(listed, classes, negated)

    def _of_class(self) -> _Characters:
        character = self._take()
        return self._escaped() if character == "\\" else _Characters(frozenset(character))

    def _repeated(self, part: tuple[int, int], start: int) -> tuple[int, int]:
        """Return a part repeated as often as the quantifier after it says."""
        least, most = self._counts()
        if (least, most) == (1, 1):
            return part
        if self._next == "?":
            self._at += 1
        elif self._next and self._next in "*+{":
            raise UnsafePatternError(f"it repeats what is repeated at {self._at}")
        end, after = self._at, self._depth
        first = last = self._new()
        copies = least if most is None else most
        exits = []
        for number in range(max(copies, 1 if most is None else 0)):
            one = part if number == 0 else self._again(start)
            if number >= least:
                exits.append(last)
            self._link(last, one[0])
            last = one[1]
            if most is None and number == max(copies, 1) - 1:
                self._link(one[1], one[0])
        self._at, self._depth = end, after
        finish = self._new()
        for state in (last, *exits):
            self._link(state, finish)
        return first, finish

    def _again(self, start: int) -> tuple[int, int]:
        """Return another copy of the part of the pattern that starts there."""
        self._at = start
        return self._part()

    def _counts(self) -> tuple[int, int | None]:
        """Return the least and most repetitions of the last part; None for no upper bound."""
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._next in simple:
            return simple[self._take()]
        closing = self._text.find("}", self._at)
        if self._next != "{" or closing < 0:
            return 1, 1
        least, comma, most = self._text[self._at + 1 : closing].partition(",")
        counts = [int(one) for one in (least, most) if one.isdecimal() and len(one) < 5]
        if len(counts) != bool(least) + bool(most) or not counts:
            raise UnsafePatternError(f"{least + comma + most!r} does not say how often")
        self._at = closing + 1
        low = counts[0] if least else 0
        high = (counts[-1] if most else None) if comma else low
        if max(counts) > _MOST_REPETITIONS or (high is not None and high < low):
            raise UnsafePatternError(f"{least + comma + most!r} does not say how often")
        return low, high


def _range(low: _Characters, high: _Characters) -> _Characters:
    first, last = (ord(max(one.listed, default="\0")) for one in (low, high))
    if not 0 < first <= last < _FIRST_BEYOND_ASCII:
        raise UnsafePatternError("it has a range of characters that runs backwards")
    return _Characters(frozenset(map(chr, range(first, last + 1))))
