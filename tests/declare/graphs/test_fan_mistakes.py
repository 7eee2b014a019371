"""What is wrong with fan-outs and what is said of it; the other mistakes have their texts in tests/errors."""

import pytest

from opgraph import DynamicOut, DynamicOutput, InvalidDefinitionError, InvariantViolationError, graph, op


@op(out=DynamicOut())
def letters():
    yield DynamicOutput("a", mapping_key="a")


@op
def double(x):
    return x + x


def test_what_is_returned_wrongly():
    """It says what was in the list."""

    @op(out=DynamicOut())
    def listed():
        return [1, "a", 2]

    @graph
    def whole():
        return double(listed().map(double).collect())

    with pytest.raises(InvariantViolationError, match="got a list of int and str"):
        whole.to_job().execute_in_process()


@pytest.mark.parametrize(
    ("body", "says"),
    [(lambda: letters().map(), "`fn` of `map` is None"), (lambda: letters().map(5), "`fn` of `map` is 5")],
)
def test_what_is_mapped_wrongly(body, says):
    """What is no op, graph or function is told with its line."""
    with pytest.raises(InvalidDefinitionError, match=says) as told:
        graph(name="whole")(body)
    assert told.value.where is not None
