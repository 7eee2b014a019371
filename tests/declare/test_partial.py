"""Functions with arguments bound by `functools.partial`, and what `help` says of what is made of a function."""

from functools import partial

from opgraph import asset, build_op_context, graph, job, op


def add(a, b, c=3):
    return a + b + c


def told(context, limit, rows):
    return context.op_def.name, rows[:limit]


def test_bound_by_name():
    """What is bound by name is the input's default; what comes after it is given by name."""
    adds = op(name="adds")(partial(add, b=2))
    assert list(adds.ins) == ["a", "b", "c"]
    assert adds(1) == 6
    assert adds(1, c=0) == 3


def test_bound_by_place():
    """What is bound by place is no input."""
    adds = op(partial(add, 10))
    assert adds.name == "add"
    assert list(adds.ins) == ["b", "c"]
    assert adds(1) == 14


def test_runs_with_a_context():
    """A partial runs like a function, with its context."""
    limited = op(name="limited")(partial(told, limit=1))

    @op
    def rows():
        return [1, 2]

    @graph
    def both():
        return limited(rows=rows())

    assert limited(build_op_context(), rows=[1, 2]) == ("limited", [1])
    assert both.execute_in_process().output_value() == ("limited", [1])


def test_docs_are_the_functions():
    """`__doc__` of an op, graph, job and asset is the function's; that of the classes is their own."""

    @op
    def one():
        """One."""

    @graph
    def two():
        """Two."""
        one()

    @job
    def three():
        """Three."""
        one()

    @asset
    def four():
        """Four."""

    assert [each.__doc__ for each in (one, two, three, four)] == ["One.", "Two.", "Three.", "Four."]
    assert "inputs and outputs" in (type(one).__doc__ or "")
