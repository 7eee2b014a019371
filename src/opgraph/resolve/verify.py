"""What can be known to be wrong before anything runs; every mistake at once."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard, cast

from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.settings.recipe import has_fields, is_recipe
from opgraph.errors import InvalidDefinitionError, Source
from opgraph.keys import AssetKey, near_misses
from opgraph.resolve.assets import AssetGraph, Unit
from opgraph.resolve.config_values import misfits, named, source_of
from opgraph.resolve.flatten import FlatStep, Many, OuterInput, StepOut, Unwired
from opgraph.resolve.hooks import without_resources
from opgraph.resolve.mistakes import (
    AssetCycle,
    ClassOfResource,
    ConflictingResource,
    DefaultMisfits,
    FanOutAsAsset,
    InputNotProvided,
    MissingIOManager,
    MissingResource,
    NotAnIOManager,
    OneOutputTwoKeys,
    OtherResource,
    OutputNotMapped,
    UnusedOp,
)
from opgraph.resolve.needs import inner_mistakes
from opgraph.resolve.types import asset_disagreements

DEFAULT_MANAGER = "io_manager"


def mistakes_in(
    graph: AssetGraph, resources: Mapping[str, object], where: Source | None
) -> list[InvalidDefinitionError]:
    """Everything that is wrong with the assets of a project and how they are wired; `where` are its resources."""
    found = list(graph.problems)
    circle = graph.circle()
    if circle:
        unit = graph.nodes[circle[0]].unit
        found.append(AssetCycle(circle, unit.source if unit is not None else None))
    seen: set[str] = set()
    classes: set[Any] = set()
    found += bad_defaults((), resources.values(), classes)
    for unit in graph.units:
        if unit.mistakes is None:
            unit.mistakes = tuple(_wiring(unit))
        found += unit.mistakes
        own = unit.definition.resource_defs
        found += bad_defaults(unit.flat.steps, own.values(), classes)
        there = {**resources, **own} if own else resources
        found += missing_resources(unit.flat.steps, there, unit.manager_at, seen)
        found += without_resources(unit.flat.steps, [unit.definition.hooks], there, seen)
    for name, given in resources.items():  # those that nobody asks for, yet
        if name not in seen and _is_class_of_resource(given):
            found.append(ClassOfResource(name, given, where=where))
    found += _conflicts(graph.units, resources)
    found += asset_disagreements(graph, resources)
    return found


def _wiring(unit: Unit) -> Iterable[InvalidDefinitionError]:
    for output in unit.passed:
        yield OutputNotMapped(unit.name, output, where=unit.source)
    for output in unit.fanned:
        yield FanOutAsAsset(unit.name, output, where=unit.source)
    at: dict[tuple[int, str], list[AssetKey]] = {}
    for key, place in unit.at.items():
        at.setdefault(place, []).append(key)
    for (step, output), keys in at.items():
        if len(keys) > 1:
            yield OneOutputTwoKeys(unit.flat.steps[step].key, output, keys, unit.source)
    yield from unprovided(unit.flat.steps)
    if isinstance(unit.definition.node_def, OpDefinition):
        return
    # All that the graph returns: one output may be no asset of a part that `subset_for` made.
    returned = {origin.step for origin in unit.flat.returns.values() if isinstance(origin, StepOut)}
    leads = [number in returned for number in range(len(unit.flat.steps))]
    fed = [False] * len(unit.flat.steps)  # whether another op takes something from it
    for number in range(len(leads) - 1, -1, -1):
        for origin in unit.flat.steps[number].inputs.values():
            for source in origin.items if isinstance(origin, Many) else (origin,):
                if isinstance(source, StepOut):
                    fed[source.step] = True
                    leads[source.step] = leads[source.step] or leads[number]
    for number, step in enumerate(unit.flat.steps):
        if not leads[number] and not fed[number]:
            yield UnusedOp(step.key, unit.name, where=place_of(step, unit.source))


def unprovided(
    steps: Iterable[FlatStep], given: Iterable[str] = (), by_step: Mapping[str, Mapping[str, object]] | None = None
) -> Iterable[InvalidDefinitionError]:
    """The inputs that nothing is wired to and that have no value of their own. Values are given by name, or by step."""
    known = set(given)
    for step in steps:
        for name, origin in step.inputs.items():
            declared = step.op.ins[name]
            if isinstance(origin, Unwired) or (isinstance(origin, OuterInput) and known and origin.name not in known):
                provided = declared.asset_key is not None or declared.input_manager_key is not None
                told = by_step is not None and name in by_step.get(step.key, ())
                if declared.is_nothing or declared.has_default_value or provided or told:
                    continue
                yield InputNotProvided(step.key, step.op.name, name, place_of(step, None))


def missing_resources(
    steps: Iterable[FlatStep],
    resources: Mapping[str, object],
    managers: Mapping[tuple[int, str], str],
    seen: set[str],
) -> Iterable[InvalidDefinitionError]:
    """The resources and I/O managers that are asked for and not there, each once, with who asks first.

    Args:
        steps: who may ask.
        resources: what there is.
        managers: the I/O managers that were given for an asset, by its step and output.
        seen: those reported already; grows.
    """
    asked: dict[str, None] = {}
    looked_at: set[tuple[int, tuple[str | None, ...]]] = set()
    for number, step in enumerate(steps):
        same = (id(step.op), tuple([managers.get((number, output)) for output in step.op.outs]))
        if same in looked_at:  # it asks for nothing else
            continue
        looked_at.add(same)
        asked.update(dict.fromkeys(sorted(step.op.required_resource_keys)))
        for name in sorted(step.op.required_resource_keys):
            if name not in resources and name not in seen:
                seen.add(name)
                yield MissingResource(name, f"op `{step.key}`", place_of(step, None), *_known(name, resources))
            given = resources.get(name)
            if name not in seen and _is_class_of_resource(given):
                seen.add(name)
                yield ClassOfResource(name, given, where=place_of(step, None))
            if name not in seen:
                yield from _other_class(name, step, given, seen)
        for output, out in step.op.outs.items():
            name = managers.get((number, output)) or out.io_manager_key
            if out.is_nothing and resources.get(name or DEFAULT_MANAGER, ...) is None:
                continue  # nothing is stored, and who writes None says so
            asked[name or DEFAULT_MANAGER] = None
            who = f"output `{output}` of op `{step.key}`"
            yield from _no_manager(name or DEFAULT_MANAGER, who, step, resources, seen)
            if name and name not in resources and name != DEFAULT_MANAGER and name not in seen:
                seen.add(name)
                yield MissingIOManager(name, who, place_of(step, None), *_known(name, resources))
        for input_name, declared in step.op.ins.items():
            name = declared.input_manager_key
            who = f"input `{input_name}` of op `{step.key}`"
            if name:
                asked[name] = None
                yield from _no_manager(name, who, step, resources, seen)
            if name and name not in resources and name != DEFAULT_MANAGER and name not in seen:
                seen.add(name)
                yield MissingIOManager(name, who, place_of(step, None), *_known(name, resources))
    yield from inner_mistakes(resources, asked, seen)


def _is_class_of_resource(given: object) -> TypeGuard[type]:
    return isinstance(given, type) and getattr(given, "opgraph_is_resource", False)


def _other_class(name: str, step: FlatStep, given: Any, seen: set[str]) -> Iterable[InvalidDefinitionError]:
    """Of a resource that is no kind of the class that its parameter is annotated with. What a method of its class makes
    is not known before a run, and an object that is no resource may imitate one."""
    wanted = step.op.body.resources.get(name)
    if not _is_class_of_resource(wanted) or not is_recipe(given) or not hasattr(given, "opgraph_fields"):
        return
    cls: Any = given.opgraph_fields()[0]
    if not getattr(cls, "opgraph_is_resource", False) or issubclass(cls, wanted):
        return
    makes = any(not each.__module__.startswith("opgraph.") for each in (cls.create_resource, cls.yield_for_execution))
    # A class that was declared again, in a notebook, is another one of the same name.
    if not makes and (cls.__module__, cls.__qualname__) != (wanted.__module__, wanted.__qualname__):
        seen.add(name)
        yield OtherResource(name, f"op `{step.key}`", wanted, cls, where=place_of(step, None))


# What can store and load, or becomes what can.
_MANAGING = ("handle_output", "load_input", "opgraph_open")


def _no_manager(
    name: str, who: str, step: FlatStep, resources: Mapping[str, object], seen: set[str]
) -> Iterable[InvalidDefinitionError]:
    if name not in resources or name in seen:
        return
    given = resources[name]
    if isinstance(given, type) or not any(hasattr(given, each) for each in _MANAGING):
        seen.add(name)
        yield NotAnIOManager(name, who, given, place_of(step, None))


def bad_defaults(
    steps: Iterable[FlatStep], resources: Iterable[object], seen: set[Any]
) -> Iterable[InvalidDefinitionError]:
    """The defaults that do not fit, of the classes by which steps and resources are configured. `seen` are the classes
    that were looked at; it grows."""
    classes = [step.op.config_type for step in steps]
    classes += [cast("Any", each).opgraph_fields()[0] for each in resources if is_recipe(each) and has_fields(each)]
    for cls in classes:
        for holder, name, field in misfits(cls, seen):
            yield DefaultMisfits(name, holder, field.default, named(field.annotation), where=source_of(holder))


def _known(name: str, resources: Mapping[str, object]) -> tuple[list[str], list[str]]:
    known = sorted(resources)
    return known, near_misses(name, known)


def _conflicts(units: Iterable[Unit], resources: Mapping[str, object]) -> Iterable[InvalidDefinitionError]:
    given = {name: (value, "") for name, value in resources.items()}
    for unit in units:
        for name, value in unit.definition.resource_defs.items():
            other, owner = given.setdefault(name, (value, unit.name))
            if _differ(other, value):
                yield ConflictingResource(name, owner, unit.name, unit.source)


def _differ(one: Any, other: Any) -> bool:
    try:
        return one is not other and bool(one != other)
    except Exception:  # noqa: BLE001 - tables and arrays do not say it in one word
        return True


def place_of(step: FlatStep, otherwise: Source | None) -> Source | None:
    """Where the user wrote a step: the call in the graph's body, else the op."""
    if step.node is not None and step.node.source is not None:
        return step.node.source
    return otherwise or step.op.source
