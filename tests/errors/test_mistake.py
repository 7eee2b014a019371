"""Mistakes whose sentences are attributes of their class."""

from collections.abc import Sequence

import pytest

from opgraph.errors import InvalidInvocationError, Mistake, Source
from opgraph.keys import AssetKey, Meant


class NoSuchLane(Mistake, InvalidInvocationError):
    """A lane is named that is not there."""

    name: str
    lanes: Sequence[str]
    says = "there is no lane {name!r}; there are {lanes}"
    mend = "name one of the {count}"

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.lanes)


@pytest.mark.parametrize(
    "made",
    [
        lambda: NoSuchLane("fast", ["a", "b"], where=Source("f.py", 3)),
        lambda: NoSuchLane(lanes=(each for each in "ab"), name="fast", where=Source("f.py", 3)),
    ],
    ids=["by position", "by name"],
)
def test_fields_and_sentences(made):
    """Fields are kept, several values as a tuple, and named in the sentences; properties too."""
    mistake = made()
    assert (mistake.name, mistake.lanes, mistake.where) == ("fast", ("a", "b"), Source("f.py", 3))
    assert str(mistake) == "there is no lane 'fast'; there are `a`, `b`\n  at f.py:3\n  fix: name one of the 2"


def test_nothing_to_list():
    """An empty list reads `none`; without a place the message has none."""
    assert str(NoSuchLane("fast", ())).splitlines()[0] == "there is no lane 'fast'; there are none"
    assert NoSuchLane("fast", ()).where is None


class Mistyped(Mistake, InvalidInvocationError):
    """A value of another kind, and names that were not meant."""

    given: object
    near: Sequence[object]
    says = "{given}; {given:typed}; {given:type}{near:meant}"
    mend = "{near:count} name{near:s}: {near:plain}"
    at_caller = True


def test_how_sentences_show_fields():
    """What a user gave is shortened or told by its type; names are counted, listed or asked for, keys by their text."""
    mistake = Mistyped("x" * 99, ["a", AssetKey("b/c")])
    shown = "'" + "x" * 36 + "..."
    assert mistake.what == f"{shown}; {shown} (a str); str. Did you mean `a` or `b/c`?"
    assert mistake.fix == "2 names: a, b/c"
    assert Mistyped(None, ()).what == "None; None; NoneType"
    assert Mistyped(None, ["a"]).fix == "1 name: a"


def test_the_caller_s_line():
    """A mistake of a call tells the user's line that called."""
    assert (place := Mistyped(1, ()).where) is not None
    assert place.file == __file__


class NoSuchRoad(Mistake, InvalidInvocationError):
    """A road is named that is not there."""

    name: str
    roads: Sequence[str]
    meant = Meant("name", "roads")
    says = "there is no road {name}"
    mend = "{meant}name one"


def test_what_was_meant():
    """Names like the one that was given are asked for; without any the question is left out."""
    assert NoSuchRoad("norht", ["north", "south"]).fix == "did you mean `north`? name one"
    assert NoSuchRoad("x", ["north"]).fix == "name one"


def test_what_a_user_gave_may_be_a_tuple():
    """A tuple that was given is shown as it is, whatever its items say of themselves."""

    class Unsayable:
        def __repr__(self):
            raise RuntimeError

    class Refused(Mistake, InvalidInvocationError):
        given: object
        says = "no such {given}, a {given:type}"

    assert str(Refused((1, "a"))) == "no such (1, 'a'), a tuple"
    assert str(Refused((Unsayable(),))) == "no such <tuple>, a tuple"
