"""Mistakes whose sentences are attributes of their class."""

from collections.abc import Sequence

import pytest

from opgraph.errors import InvalidInvocationError, Mistake, Source


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
