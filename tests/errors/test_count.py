"""Every mistake has a class of its own, and every class a case with the message that users see."""

import definition_cases
import use_cases
from messages import GOLDEN, every_error, name_of

from opgraph.errors import InvalidDefinitionError, Mistake

# The families: what users write in `except`.
FAMILIES = (
    "errors.", "not_yet.", "run.mistakes.InvalidPropertyError", "run.mistakes.OutputMistake",
    "run.types.TypeCheckDidNotPass",
)  # fmt: skip
# Raised only if opgraph itself is at fault: each says so, or carries what to report.
FAULTS = {
    "engine.program.BrokenPlanError",
    "engine.story.EngineError",
    "resolve.mistakes.GraphCycle",  # neither a graph's body nor `dependencies` can make one
    "run.call.binding.StepGone",
    "run.driving.queue.StuckRun",
    "run.store.missing.NoSuchManager",  # found before anything runs, as `resolve.mistakes.MissingIOManager`
}


def kinds():
    """The names of all classes that are a mistake of users."""
    return {name_of(each): each for each in every_error() if not name_of(each).startswith(FAMILIES)}


def test_how_many():
    """At least 40 kinds of definition mistake and 25 others have a class and a golden message."""
    known = kinds()
    definition = [name for name in definition_cases.CASES if name in known]
    others = [name for name in use_cases.CASES if name in known]
    assert all(issubclass(known[name], InvalidDefinitionError) for name in definition)
    assert len(definition) >= 40
    assert len(others) >= 25


def test_each_has_a_case():
    """A class without a case says how to add one."""
    cased = {*definition_cases.CASES, *use_cases.CASES, *FAULTS}
    missing = sorted(set(kinds()) - cased)
    assert not missing, f"write a case in tests/errors/*_cases.py, run once with OPGRAPH_GOLDEN=1, read it: {missing}"


def test_no_golden_file_is_left_over():
    """Every golden file belongs to a case."""
    for folder, cases in (("definition", definition_cases.CASES), ("use", use_cases.CASES)):
        assert {path.stem for path in (GOLDEN / folder).iterdir()} == set(cases)


def test_fields_are_kept():
    """A class keeps what its message says as fields, beside `what`, `where` and `fix`."""
    plain = {name for name, each in kinds().items() if "__init__" not in vars(each) and not issubclass(each, Mistake)}
    assert not plain
