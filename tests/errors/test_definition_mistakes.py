"""Mistakes in what is declared: what the message says, word for word."""

import pytest
from definition_cases import CASES
from messages import GOLDEN, compare, name_of, own_frames, plain

from opgraph.declare.mistakes import collecting
from opgraph.errors import InvalidDefinitionError

# They speak of what was typed on the command line or given to `materialize`, not of a line of the definitions.
TYPED = {
    "operate.target.UnknownJob",
    "operate.target.UnknownOps",
    "plan.mistakes.NothingToRun",
    "plan.mistakes.UnselectedAssetsRefused",
    "resolve.mistakes.NothingSelected",
    "resolve.mistakes.UnknownSelected",
}


def made(case, tmp_path):
    case(tmp_path) if case.__code__.co_argcount else case()


@pytest.mark.parametrize("name", CASES)
def test_message(name, tmp_path):
    """Each mistake has a class of its own and says what is wrong, in which of the user's files, and what to do."""
    with pytest.raises(InvalidDefinitionError) as caught:
        made(CASES[name], tmp_path)
    error = caught.value
    assert name_of(type(error)) == name, str(error)
    assert error.fix
    if name not in TYPED:
        assert error.where is not None
        assert error.where.file.startswith((str(tmp_path), __file__.rpartition("/")[0])), error.where
        assert error.where.line > 0
    assert own_frames(error) == []
    compare(GOLDEN / "definition" / f"{name}.txt", plain(str(error), tmp_path))


# Of what is no function nothing could be declared: there is nothing to go on with.
DECLARED = [
    name
    for name in CASES
    if name.startswith(("declare.mistakes.", "declare.assets.asset_mistakes.")) and not name.endswith(".NotAFunction")
]


@pytest.mark.parametrize("name", DECLARED)
def test_collected(name, tmp_path):
    """While a loader collects, a mistake raises nothing and the declaration goes on; it is first in the list."""
    with collecting() as problems:
        made(CASES[name], tmp_path)
    assert name_of(type(problems[0])) == name
    assert plain(str(problems[0])) + "\n" == (GOLDEN / "definition" / f"{name}.txt").read_text(encoding="utf-8")
