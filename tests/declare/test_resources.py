"""Resources as they are declared: fields, what stands for a value that comes later, what parameters are resources."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import pydantic
import pytest

import opgraph as og
from opgraph import ConfigurableResource, EnvVar, ResourceDependency, ResourceParam

if TYPE_CHECKING:
    from collections.abc import Iterator


class Colour(Enum):
    RED = "red-value"


class Door(ConfigurableResource):
    name: str
    width: int = 3
    colour: Colour = Colour.RED


class House(ConfigurableResource):
    door: Door
    other: ResourceDependency[object] = None


def test_parameters_annotated_with_a_class_are_resources():
    """A parameter annotated with a resource class or ResourceParam is no input, also where annotations are text."""

    @og.op
    def enter(door: Door, number: ResourceParam[int], guest: str):
        return door, number, guest

    assert list(enter.ins) == ["guest"]
    assert enter.required_resource_keys == {"door", "number"}


def test_a_class_local_to_a_function_is_known():
    """An annotation as text may name a class that only the surrounding function knows."""

    class Local(ConfigurableResource):
        x: int = 1

    @og.asset
    def made(local: Local):
        return local.x

    assert made.op.required_resource_keys == {"local"}
    assert og.materialize([made], resources={"local": Local()}).output_for_node("made") == 1


def test_unknown_fields_are_refused():
    """A field that the class does not have is a mistake at once."""
    with pytest.raises(pydantic.ValidationError, match="widht"):
        Door(name="front", widht=4)


def test_fields_are_checked_and_read_only():
    """A value that does not fit is refused, and fields cannot be set afterwards."""
    with pytest.raises(pydantic.ValidationError, match="width"):
        Door(name="front", width="wide")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Door(name="front").name = "back"


def test_members_of_enums_by_name():
    """A member of an enum may be given by its name, its value or itself."""
    given = ["RED", "red-value", Colour.RED]
    assert {Door(name="d", colour=each).colour for each in given} == {Colour.RED}


def test_resources_inside_resources():
    """A field may be another resource: an object, settings for one, or one that is configured at launch."""
    assert House(door=Door(name="front")).door.name == "front"
    assert House.model_validate({"door": {"name": "front"}}).door == Door(name="front")
    later = Door.configure_at_launch()
    assert House(door=later).door is later


def test_a_reference_stands_for_a_value_of_any_type():
    """An EnvVar may stand in any field, also inside lists, and its value is not read when the class is made."""

    class Listed(ConfigurableResource):
        names: list[str]
        port: int

    made = Listed(names=[EnvVar("NOT_SET_ANYWHERE")], port=EnvVar.int("NOT_SET_EITHER"))
    assert repr(made) == 'Listed(names=[EnvVar("NOT_SET_ANYWHERE")], port=IntEnvVar("NOT_SET_EITHER"))'


def test_functions_take_at_most_a_context():
    """A resource function that needs more than its context is refused where it is declared."""
    with pytest.raises(og.InvalidDefinitionError, match="also asks for `b`, `c`"):

        @og.resource
        def wrong(a, b, c, d=1): ...

    @og.resource
    def right(a, b=1): ...

    @og.resource
    def none(): ...


def test_functions_are_called_in_tests():
    """A resource function is called with its context, by position or by name, and with nothing else."""

    @og.resource
    def five(context):
        return 5

    assert five(None) == five(context=None) == five(og.build_init_resource_context()) == 5
    with pytest.raises(og.InvalidInvocationError, match="as the argument `context`, and it was called without"):
        five()
    with pytest.raises(og.InvalidInvocationError, match="as the argument `context`, and no other"):
        five(other=None)


def test_contexts_that_must_be_put_away():
    """A context with a resource that cleans up has its resources only inside `with`, and cleans up at its end."""
    done: list[str] = []

    @og.resource
    def opened() -> Iterator[str]:
        yield "open"
        done.append("closed")

    @og.resource(required_resource_keys={"opened"})
    def user(context):
        return f"uses {context.resources.opened}"

    with pytest.raises(og.InvariantViolationError, match="with build_init_resource_context"):
        _ = og.build_init_resource_context(resources={"opened": opened}).resources
    done.clear()
    with og.build_init_resource_context(resources={"opened": opened}) as context:
        assert user(context) == "uses open"
        assert done == []
    assert done == ["closed"]


def test_configured_and_ready_made_definitions():
    """Definitions of constants, of none and of configured text give what their names say."""
    given = {
        "constant": og.ResourceDefinition.hardcoded_resource(3),
        "nothing": og.ResourceDefinition.none_resource(),
        "text": og.ResourceDefinition.string_resource().configured("words"),
        "values": og.make_values_resource(limit=int).configured({"limit": 4}),
        "mock": og.ResourceDefinition.mock_resource(),
    }
    with og.build_resources(given) as made:
        assert (made.constant, made.nothing, made.text, made.values["limit"], made.values.limit) == (
            3,
            None,
            "words",
            4,
            4,
        )
        made.mock.anything("at all")


def test_a_missing_resource_is_named_with_who_asks():
    """A resource that an op, or another resource, asks for and that is not there is reported before anything runs."""

    @og.op(required_resource_keys={"door"})
    def enter(context): ...

    @og.resource(required_resource_keys={"key"})
    def door(context): ...

    @og.job
    def visit():
        enter()

    with pytest.raises(og.InvalidDefinitionError, match="op `enter` requires resource `door`"):
        visit.execute_in_process()

    @og.job(resource_defs={"door": door})
    def open_visit():
        enter()

    with pytest.raises(og.InvariantViolationError, match="resource `door` requires resource `key`"):
        open_visit.execute_in_process()


def test_circles_of_resources():
    """Resources that need one another in a circle are refused, and the circle is shown."""

    @og.resource(required_resource_keys={"b"})
    def a(context): ...

    @og.resource(required_resource_keys={"a"})
    def b(context): ...

    @og.asset(required_resource_keys={"a"})
    def made(context): ...

    with pytest.raises(og.InvalidDefinitionError, match="`a` needs `b` needs `a`"):
        og.with_resources([made], {"a": a, "b": b})


def test_with_resources_binds_what_is_needed():
    """Assets bring what they need and what that needs, nothing else; two bindings under one key are refused."""

    @og.resource(required_resource_keys={"key"})
    def door(context):
        return f"door with {context.resources.key}"

    @og.asset(required_resource_keys={"door"})
    def made(context):
        return context.resources.door

    (bound,) = og.with_resources([made], {"door": door, "key": "a key", "window": "unused"})
    assert set(bound.resource_defs) == {"door", "key"}
    assert og.materialize([bound]).output_for_node("made") == "door with a key"
    with pytest.raises(og.InvalidInvocationError, match="resources of its own under the keys `door`"):
        og.with_resources([bound], {"door": door})


def test_with_resources_binds_external_assets_too():
    """A SourceAsset takes the I/O manager that loads it; one that it has already is not given twice."""
    manager = og.IOManagerDefinition.hardcoded_io_manager(og.InMemoryIOManager())
    named = og.SourceAsset("raw", io_manager_key="store")
    (bound,) = og.with_resources([named], {"store": manager, "other": 1})
    assert bound.io_manager_def is manager
    assert bound.resource_defs == {"store": manager}
    own = og.SourceAsset("raw", io_manager_def=manager)
    (kept,) = og.with_resources([own], {"io_manager": og.mem_io_manager})
    assert kept.io_manager_def is manager
    with pytest.raises(og.InvalidInvocationError, match="raw__io_manager"):
        og.with_resources([own], {"raw__io_manager": og.mem_io_manager})


def test_made_assets_as_external_ones():
    """`to_source_assets` gives the same keys and labels, loaded by the same I/O manager; nothing makes them."""
    outs = {"a": og.AssetOut(io_manager_key="store", group_name="raw"), "b": og.AssetOut(tags={"t": "1"})}

    @og.multi_asset(outs=outs)
    def both():
        return 1, 2

    first, second = both.to_source_assets()
    assert (first.key.text, first.get_io_manager_key(), first.group_name) == ("a", "store", "raw")
    assert (second.get_io_manager_key(), second.tags) == ("io_manager", {"t": "1"})
    assert both.to_source_asset("b").key == og.AssetKey("b")
    assert og.Definitions(assets=[first]).resolve_all_asset_keys() == [first.key]


def test_a_resource_that_needs_something_is_not_called_with_none():
    """With None for the context, a function that needs other resources or settings is refused, and says which."""

    @og.resource(required_resource_keys={"key"})
    def door(context):
        return context.resources.key

    @og.resource(config_schema={"height": int})
    def wall(context):
        return context.resource_config["height"]

    with pytest.raises(og.InvalidInvocationError, match="required resources, but no context was provided: `door`"):
        door(None)
    with pytest.raises(og.InvalidInvocationError, match="required config schema, but no context was provided: `wall`"):
        wall(None)
    assert door(og.build_init_resource_context(resources={"key": "k"})) == "k"
    assert wall(og.build_init_resource_context(config={"height": 2})) == 2
