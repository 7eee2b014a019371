"""Jobs that another process can make again."""

import pickle

import pytest

import opgraph as og


@og.op
def one():
    return 1


@og.op
def two():
    return 2


@og.job
def numbers():
    one()
    two()


def make():
    return numbers


def make_with(name):
    return numbers.graph.to_job(name)


def make_nothing():
    return None


@pytest.mark.parametrize("target", [numbers, make])
def test_made_again(target):
    """A job, or a function that returns one, is found again by module and name."""
    found = pickle.loads(pickle.dumps(og.reconstructable(target)))
    assert found.get_definition() is numbers
    with og.Instance.ephemeral() as instance, og.execute_job(found, instance) as result:
        assert result.output_for_node("two") == 2


def test_a_part():
    """A part of it runs only that part."""
    part = og.reconstructable(numbers).get_subset(op_selection={"one"})
    with og.Instance.ephemeral() as instance, og.execute_job(part, instance) as result:
        assert [event.step_key for event in result.get_step_success_events()] == ["one"]


def test_with_arguments():
    """`build_reconstructable_job` calls the function with arguments."""
    found = og.build_reconstructable_job(__name__, "make_with", ("other",))
    assert found.get_definition().name == "other"


def test_mistakes():
    """What no process could make again is refused, with the way out."""

    @og.job
    def inner(): ...

    for target, match in ((inner, "module scope"), (make_with, "no arguments"), (make_nothing, "Got None")):
        with pytest.raises(og.InvariantViolationError, match=match):
            og.reconstructable(target)
