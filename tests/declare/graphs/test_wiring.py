"""Graphs whose wires are given as data."""

import pytest

import opgraph as og
from opgraph.declare.graphs.wiring_mistakes import NodesInCircle, NoSuchNode, NoSuchOutput, NotANode, NotDependencies


@og.op
def one() -> int:
    return 1


@og.op
def plus(x: int) -> int:
    return x + 1


@og.op
def total(xs: list) -> int:
    return sum(xs)


def test_wires_inputs_and_outputs():
    """Nodes run in the order of their wires, in whatever order they are given; mappings name the graph's own."""
    graph = og.GraphDefinition(
        "sums",
        node_defs=[total, plus, one],
        dependencies={
            og.NodeInvocation("plus", alias="again"): {"x": og.DependencyDefinition("plus")},
            "total": {
                "xs": og.MultiDependencyDefinition([og.DependencyDefinition("one"), og.DependencyDefinition("again")])
            },
            "plus": {},
        },
        input_mappings=[og.InputMapping("start", "plus", "x")],
        output_mappings=[og.OutputMapping("sum", "total")],
    )
    result = graph.execute_in_process(input_values={"start": 5})
    assert result.output_value("sum") == 8
    assert list(graph.nodes).index("again") > list(graph.nodes).index("plus")
    assert graph.input_defs[0].dagster_type.typing_type is int
    assert graph.output_def_named("sum").dagster_type.display_name == "Int"


def test_a_list_takes_an_input_of_the_graph():
    """An input of the graph may be one item of a list."""
    graph = og.GraphDefinition(
        "sums",
        node_defs=[total, one],
        dependencies={"total": {"xs": og.MultiDependencyDefinition([og.DependencyDefinition("one")])}},
        input_mappings=[og.InputMapping("start", "total", "xs", fan_in_index=0)],
        output_mappings=[og.OutputMapping("sum", "total")],
    )
    assert graph.execute_in_process(input_values={"start": 4}).output_value("sum") == 5


@pytest.mark.parametrize(
    ("kind", "node_defs", "dependencies"),
    [
        (NotANode, [one, lambda: 1], None),
        (NotDependencies, [one], []),
        (NoSuchNode, [plus], {"plus": {"x": og.DependencyDefinition("two")}}),
        (NoSuchNode, [one], {"two": {}}),
        (NoSuchOutput, [one, plus], {"plus": {"x": og.DependencyDefinition("one", "rest")}}),
        (NodesInCircle, [plus], {"plus": {"x": og.DependencyDefinition("plus")}}),
    ],
)
def test_mistakes(kind, node_defs, dependencies):
    """Each mistake has a class, and says where it was made."""
    with pytest.raises(kind) as caught:
        og.GraphDefinition("wrong", node_defs=node_defs, dependencies=dependencies)
    assert isinstance(caught.value, og.InvalidDefinitionError)
    assert "test_wiring.py" in str(caught.value)
    assert caught.value.fix
