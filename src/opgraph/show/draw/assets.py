"""Assets, and graphs by themselves, as nodes and edges: what is declared, before anything runs."""

import re
from collections.abc import Collection, Container, Iterator, Sequence
from typing import Any

from opgraph.declare.graphs.graph_definition import GraphDefinition
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.project.job import AssetJob
from opgraph.keys import AssetKey, near_misses
from opgraph.operate.target import UnknownJob
from opgraph.resolve.assets import AssetGraph, AssetNode, Unit
from opgraph.resolve.flatten import Constant, FlatStep, Many, Origin, OuterInput, StepOut, Unwired, flatten
from opgraph.resolve.project import Project
from opgraph.resolve.select import select
from opgraph.resolve.subset import part_of
from opgraph.show.draw.model import Node, Scene
from opgraph.show.draw.opened import EVERYTHING, Arrows, Leaf, Opened, arrow, counted, fanned, group_node


def asset_scene(
    graph: AssetGraph,
    keys: Collection[AssetKey] | None = None,
    *,
    opened: Container[str] = (),
    folded: Container[str] = (),
) -> Scene:
    """The assets of a project.

    Args:
        graph: all assets.
        keys: those to show; None: all.
        opened: the ids of assets and graphs (`asset:totals`, `graph:totals.clean`) whose ops are shown in place; `*`:
            of all.
        folded: the ids of groups (`group:raw`) of which one node is shown instead of their assets.
    """
    return _Assets(graph, keys, opened, folded).scene


class _Assets:
    def __init__(
        self,
        graph: AssetGraph,
        keys: Collection[AssetKey] | None,
        opened: Container[str],
        folded: Container[str],
    ) -> None:
        self._graph, self._opened = graph, EVERYTHING if "*" in opened else opened
        wanted = None if keys is None else frozenset(keys)
        self._keys = [key for key in graph.in_order() if wanted is None or key in wanted]
        self._wanted = frozenset(self._keys)
        self._nodes: list[Node] = []
        self._arrows, self._types = Arrows(), Types()
        self._source: dict[AssetKey, str] = {}  # what an asset's edges begin at
        self._box: dict[AssetKey, str | None] = {}  # the id of its group
        self._groups(folded)
        opening: dict[Unit, list[AssetKey]] = {}
        for key in self._keys:
            node = graph.nodes[key]
            if self._is_open(key, node.unit):
                assert node.unit is not None
                opening.setdefault(node.unit, []).append(key)
            elif key not in self._source:
                self._nodes.append(_asset(node, self._box[key]))
                self._source[key] = f"asset:{key.text}"
        parts = [(unit, *self._open(unit, mine)) for unit, mine in opening.items()]
        for unit, steps, stands in parts:
            self._wire(unit, opening[unit], steps, stands)
        for key in self._keys:
            if graph.nodes[key].unit not in opening or self._source[key].startswith("group:"):
                self._depend(key)
        self.scene = Scene(tuple(self._nodes), self._arrows.edges())

    def _groups(self, folded: Container[str]) -> None:
        """A box for each group, if there is more than one; the default one has none."""
        members: dict[str, list[AssetKey]] = {}
        for key in self._keys:
            members.setdefault(self._graph.nodes[key].group, []).append(key)
        for group, keys in members.items():
            box = f"group:{group}" if len(members) > 1 and group != "default" else None
            self._box.update(dict.fromkeys(keys, box))
            if box is None:
                continue
            self._nodes.append(group_node(group, len(keys)))
            if box in folded:
                self._source.update(dict.fromkeys(keys, box))

    def _is_open(self, key: AssetKey, unit: Unit | None) -> bool:
        """Whether an asset's ops are shown; the assets of one graph are opened together."""
        if unit is None or not unit.definition.is_graph or key in self._source:
            return False
        return any(f"asset:{each.text}" in self._opened for each in unit.definition.specs_by_key)

    def _open(self, unit: Unit, keys: Sequence[AssetKey]) -> tuple[list[int], list[str]]:
        """Adds the ops that make some assets of a unit: their numbers, and which node stands for each."""
        alone = len(unit.definition.specs_by_key) == 1
        steps = list(part_of(unit, set(keys)).needed)
        asset = _asset(self._graph.nodes[keys[0]], self._box[keys[0]])
        box = asset.id if alone else f"unit:{unit.name}"
        self._nodes.append(
            asset
            if alone
            else Node(
                id=box,
                label=unit.name,
                kind="graph",
                parent=self._box[keys[0]],
                ref=unit.name,
                badge=counted(len(steps), "op"),
                opens=True,
            )
        )
        flat = unit.flat.steps
        leaves = [Leaf(flat[number].path[1:], op_node(flat[number])) for number in steps]
        shown = Opened(leaves, unit.name, box, self._opened, lambda _: "")
        self._nodes += shown.nodes
        place = dict(zip(steps, shown.stands, strict=True))
        for key in keys:
            step, output = unit.at[key]
            if alone:
                self._source[key] = place[step]
            else:
                node = _asset(self._graph.nodes[key], box, inside=True)
                self._nodes.append(node)
                self._source[key] = node.id
                self._arrows.add(place[step], node.id, gives=output, what=self._types.of(flat[step].op, output))
        return steps, shown.stands

    def _wire(self, unit: Unit, keys: Sequence[AssetKey], steps: Sequence[int], stands: Sequence[str]) -> None:
        place = dict(zip(steps, stands, strict=True))
        flat = unit.flat.steps
        for number in steps:
            for name, origin, kind in takes(flat[number]):
                if isinstance(origin, OuterInput):
                    key, gives = unit.key_of_input.get(origin.name), ""
                    what = self._type_of(key) if key is not None else ""
                else:
                    key, gives = unit.key_at.get((origin.step, origin.output)), origin.output
                    what = self._types.of(flat[origin.step].op, gives)
                source = self._source.get(key) if key is not None else None
                if source is None and isinstance(origin, StepOut):
                    source = place.get(origin.step)
                if source is not None:
                    self._arrows.add(source, place[number], name, kind, gives=gives, what=what)
        for key in keys:
            box = f"asset:{key.text}"
            for parent in unit.only_named(key):
                if parent in self._source:
                    self._arrows.add(self._source[parent], box, "", "order")

    def _depend(self, key: AssetKey) -> None:
        node = self._graph.nodes[key]
        named = node.unit.only_named(key) if node.unit is not None else ()
        for parent in node.parents:
            if parent not in self._source:
                continue
            if parent in named or node.unit is None:
                self._arrows.add(self._source[parent], self._source[key], kind="order")
                continue
            what, inputs = self._type_of(parent), node.unit.key_of_input
            for name in [name for name, each in inputs.items() if each == parent] or [""]:
                self._arrows.add(self._source[parent], self._source[key], name, what=what)

    def _type_of(self, key: AssetKey) -> str:
        """The type of an asset's value, as the op says it that makes it."""
        node = self._graph.nodes.get(key)
        if node is None or node.unit is None or key not in node.unit.at:
            return ""
        step, output = node.unit.at[key]
        return self._types.of(node.unit.flat.steps[step].op, output)


def _asset(node: AssetNode, box: str | None, *, inside: bool = False) -> Node:
    spec, unit = node.spec, node.unit
    ops = len(unit.flat.steps) if unit is not None and unit.definition.is_graph and not inside else 0
    return Node(
        id=f"asset:{node.key.text}",
        label=node.key.text,
        kind="external" if unit is None else "asset",
        parent=box,
        ref=node.key.text,
        detail="external" if unit is None else " · ".join(sorted(spec.kinds or ())),
        title=f"{node.key.text}\n{_first(spec.description)}".strip(),
        badge=counted(ops, "op") if ops else "",
        opens=ops > 0,
    )


def op_node(step: FlatStep) -> Node:
    """An op of a graph."""
    name, op = step.path[-1], step.op
    return Node(
        id=f"op:{step.key}",
        label=name,
        kind="op",
        ref=step.key,
        detail=op.name if op.name != name else "",
        title=f"{step.key}\n{_first(op.description)}".strip(),
        badge=fanned(mapped=bool(step.over), dynamic=any(out.is_dynamic for out in op.outs.values())),
        mapped=bool(step.over),
    )


def _first(description: str | None) -> str:
    lines = (description or "").strip().splitlines()
    return lines[0] if lines else ""


class Types:
    """The types of what ops give, as text; each op is looked at once."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], str] = {}

    def of(self, op: OpDefinition, output: str) -> str:
        """The type of an output; empty where nothing is said of it."""
        found = self._known.get((id(op), output))
        if found is None:
            said = next((each.dagster_type.typing_type for each in op.output_defs if each.name == output), Any)
            name = said.__name__ if type(said) is type else re.sub(r"\b[\w.]+\.(?=\w)", "", str(said))
            found = self._known[id(op), output] = "" if said in (Any, type(None)) else name[:80]
        return found


def takes(step: FlatStep) -> Iterator[tuple[str, StepOut | OuterInput, str]]:
    """What an op's inputs come from: the input's name, where from, and the kind of the edge."""
    for name, origin in step.inputs.items():
        order = step.op.ins[name].is_nothing
        for each in origin.items if isinstance(origin, Many) else (origin,):
            if not isinstance(each, (Constant, Unwired, Many)):
                mapping = each.mapping if isinstance(each, StepOut) else ""
                yield name, each, "order" if order and not mapping else arrow(mapping)


def job_scene(project: Project, name: str, *, opened: Container[str] = EVERYTHING) -> Scene:
    """What a job is about: the assets that it selects, or its ops.

    Args:
        project: what the job is in.
        name: the job's.
        opened: of a job of ops: the ids of the nested graphs that are shown in place; by default all.

    Raises:
        UnknownJob: there is none of this name.
    """
    job = project.jobs.get(name)
    if job is None:
        raise UnknownJob(name, sorted(project.jobs), near_misses(name, project.jobs))
    if isinstance(job, AssetJob):
        return asset_scene(project.graph, select(project.graph, job.selection))
    return graph_scene(job.graph, opened=opened)


def graph_scene(graph: GraphDefinition | OpDefinition, *, opened: Container[str] = EVERYTHING) -> Scene:
    """A graph or a job's graph by itself, with what goes in and what comes out.

    Args:
        graph: the graph.
        opened: the ids of the nested graphs that are shown in place (`graph:clean`); by default all.
    """
    flat = flatten(graph)
    shown = Opened([Leaf(step.path, op_node(step)) for step in flat.steps], "", None, opened, lambda _: "")
    arrows, types = Arrows(), Types()
    nodes = [Node(id=f"in:{name}", label=name, kind="input", title=f"{name}\ninput of the graph") for name in graph.ins]
    nodes += shown.nodes

    def source(origin: Origin) -> str:
        return shown.stands[origin.step] if isinstance(origin, StepOut) else f"in:{getattr(origin, 'name', '')}"

    def given(origin: Origin) -> dict[str, str]:
        if not isinstance(origin, StepOut):
            return {}
        return {"gives": origin.output, "what": types.of(flat.steps[origin.step].op, origin.output)}

    for number, step in enumerate(flat.steps):
        for name, origin, kind in takes(step):
            arrows.add(source(origin), shown.stands[number], name, kind, **given(origin))
    for name, origin in flat.returns.items():
        if isinstance(graph, GraphDefinition) and isinstance(origin, (StepOut, OuterInput)):
            nodes.append(Node(id=f"out:{name}", label=name, kind="output", title=f"{name}\noutput of the graph"))
            arrows.add(source(origin), f"out:{name}", kind=arrow(getattr(origin, "mapping", "")), **given(origin))
    return Scene(tuple(nodes), arrows.edges())
