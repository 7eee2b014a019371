"""Mistakes on the command line, in configuration, in a run and in calls: what the message says, word for word."""

import pytest
from messages import GOLDEN, compare, name_of, own_frames, plain
from use_cases import CASES

from opgraph.errors import Error


@pytest.mark.parametrize("name", CASES)
def test_message(name, tmp_path):
    """Each mistake is an error of its own class that says what is wrong and what to do, without a line of opgraph."""
    case = CASES[name]
    with pytest.raises(Error) as caught:
        case(tmp_path) if case.__code__.co_argcount else case()
    error = caught.value
    assert name_of(type(error)) == name, f"{name_of(type(error))}: {error}"
    assert error.fix or hasattr(error, "problems"), str(error)
    assert own_frames(error) == []
    compare(GOLDEN / "use" / f"{name}.txt", plain(str(error), tmp_path))
