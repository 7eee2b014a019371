"""Random programs, seeded or drawn by hypothesis, and their making through the package's public API."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from hypothesis import strategies as st
from program_tree import (
    Call,
    Case,
    External,
    Graph,
    GraphAsset,
    Input,
    Key,
    Op,
    PlainAsset,
    Port,
    Program,
    Ref,
    Request,
    When,
    bodies,
    text,
)
from reference_model import AssetSource, flatten, makeable, makers, mix

# random programs


def generate(random: Random) -> Case:
    """A case: mostly one to three assets of a few steps each, and one or two runs of them."""
    program = Writer(random).program()
    first = _request(random, program, whole=random.random() < 0.75)
    requests = [replace(first, policy="materialize"), _request(random, program, whole=random.random() < 0.1)]
    if random.random() < 0.15:
        requests.pop(0)
    return Case(program, tuple(requests))


def cases() -> st.SearchStrategy[Case]:
    """The same programs as `generate` makes, shrinking to few and small ones."""
    return st.randoms(use_true_random=False).map(generate)


def _request(random: Random, program: Program, whole: bool) -> Request:
    keys = makeable(program)
    chosen = keys if whole else random.sample(keys, random.randint(1, min(len(keys), 3)))
    flags = sorted(
        {f"{b.name}.{p.name}" for b in bodies(program) if isinstance(b, Op) for p in b.outputs if p.when == "flag"}
    )
    off = frozenset(flag for flag in flags if random.random() < 0.5)
    return Request(frozenset(chosen), random.choices(["materialize", "discard", "error"], [3, 2, 2])[0], off)


class Writer:
    """Writes one program. Ops and graphs written before may be used again."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.ops: list[Op] = []
        self.graphs: list[Graph] = []
        self.count = 0

    def chance(self, probability: float) -> bool:
        return self.random.random() >= 1 - probability  # so that small draws mean "no"

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def program(self) -> Program:
        sources: list[External | PlainAsset] = [External(("ext",))] if self.chance(0.25) else []
        for _ in range(self.random.randint(0, 1)):
            sources.append(PlainAsset(self.key(self.name("plain"))))
        graph_assets = [self.graph_asset() for _ in range(self.random.choices([1, 2, 3], [4, 4, 1])[0])]
        plain: list[PlainAsset] = []
        known = [key for a in graph_assets for _, key in a.keys] + [s.key for s in sources]
        if self.chance(0.3):
            ups = self.random.sample(known, min(len(known), self.random.randint(1, 3)))
            cut = self.random.randint(0, len(ups))
            plain.append(PlainAsset(self.key(self.name("plain")), tuple(ups[:cut]), tuple(ups[cut:])))
        return self.bound(Program((*sources, *graph_assets, *plain)))

    def key(self, name: str) -> Key:
        return (*self.random.choices([(), ("pre",), ("pre", "fix")], [6, 1, 1])[0], name)

    def op(self, inputs: int, lists: bool) -> Op:
        """A new op with so many inputs to wire, at least. With `lists`, some may take a list of outputs."""
        made = [Input("abc"[i], many=lists and self.chance(0.2)) for i in range(inputs)]
        if self.chance(0.1):
            made.append(Input("d", default=True))
        if self.chance(0.15):
            made.append(Input("after", nothing=True, many=lists and self.chance(0.3)))
        if self.chance(0.6):
            style: list[When] = ["always", "selected", "flag", "never"]
            names = ["x", "y", "z"][: self.random.randint(1, 3)]
            ports: list[Port] = []
            for name in names:
                required = self.chance(0.35)
                weights = [7, 3] if required else [3, 5, 3, 1]
                ports.append(Port(name, required, self.random.choices(style[: len(weights)], weights)[0]))
            op = Op(self.name("op"), tuple(made), tuple(ports))
            if all(port.when == "always" for port in ports) and self.chance(0.5):
                op = replace(op, returns=True)
        elif self.chance(0.3):
            op = Op(self.name("op"), tuple(made), (Port("x"), Port("y")), returns=True)
        else:
            op = Op(self.name("op"), tuple(made), (Port("result"),), returns=True)
        self.ops.append(op)
        return op

    def graph(self, inputs: int, depth: int, name: str | None = None) -> Graph:
        """A new graph in which every input is read and every leaf's value is returned."""
        name = name or self.name("g")
        arguments = tuple("pqr"[:inputs])
        pool = [Ref(None, argument) for argument in arguments]
        unread = list(pool)
        calls: list[Call] = []
        read: set[Ref] = set()
        left = self.random.randint(1, 4 - depth)
        while left > 0 or unread:
            left -= 1
            body = self.body(pool, depth)
            feeds: list[tuple[str, tuple[Ref, ...]]] = []
            inputs_ = body.inputs if isinstance(body, Op) else tuple(Input(i) for i in body.inputs)
            for wanted in inputs_:
                if (wanted.default and self.chance(0.5)) or (wanted.nothing and not pool):
                    continue
                outputs = [ref for ref in pool if ref.node is not None]
                if wanted.many:
                    refs = tuple(self.random.sample(outputs, min(len(outputs), self.random.randint(1, 3))))
                elif pool:
                    refs = (unread[0] if unread else self.random.choice(pool),)
                else:
                    continue
                unread = [ref for ref in unread if ref not in refs]
                feeds.append((wanted.name, refs))
            node = self.node(body, calls)
            calls.append(Call(node, body, tuple(feeds)))
            read.update(ref for _, refs in feeds for ref in refs)
            pool += [Ref(node, output) for output in body.output_names]
        returned: list[Ref] = []
        for call in calls:
            outputs = [Ref(call.node, output) for output in call.body.output_names]
            loose = [ref for ref in outputs if ref not in read]
            if isinstance(call.body, Graph):
                returned += loose  # a leaf of the inner graph may hang on each
            elif len(loose) == len(outputs):
                returned.append(self.random.choice(outputs))
        returned += [ref for ref in pool if ref.node is not None and ref not in returned and self.chance(0.3)]
        self.random.shuffle(returned)
        names = ["result"] if len(returned) == 1 else [f"o{i}" for i in range(len(returned))]
        return Graph(name, arguments, tuple(calls), tuple(zip(names, returned, strict=True)))

    def body(self, pool: list[Ref], depth: int) -> Op | Graph:
        """Something to call: an op or a graph, new or known, whose inputs can be wired from the pool."""
        available, lists = len(pool), any(ref.node is not None for ref in pool)
        known: list[Op | Graph] = [op for op in self.ops if available or not any(_must_wire(i) for i in op.inputs)]
        known += [g for g in self.graphs if (available or not g.inputs) and depth + _height(g) <= 3]
        if known and self.chance(0.25):
            body = self.random.choice(known)
            if lists or not any(isinstance(i, Input) and i.many for i in body.inputs):
                return body
        if depth < 3 and self.chance(0.2):
            graph = self.graph(min(available, self.random.randint(0, 2)), depth + 1)
            self.graphs.append(graph)
            return graph
        return self.op(min(available, self.random.randint(1, 2)), lists)

    def node(self, body: Op | Graph, calls: Iterable[Call]) -> str:
        """The node's name: an alias, or the body's name, numbered from the second on."""
        taken = {call.node for call in calls}
        if self.chance(0.15):
            return self.name(f"{body.name}_as")
        same = sum(call.body.name == body.name and not call.by_alias for call in calls)
        node = body.name if same == 0 else f"{body.name}_{same + 1}"
        return node if node not in taken else self.name(f"{body.name}_as")

    def op_asset(self) -> GraphAsset:
        """An op whose outputs are all assets."""
        op = self.op(self.random.randint(0, 2), lists=False)
        arguments = tuple(i.name for i in op.inputs)
        call = Call(op.name, op, tuple((i, (Ref(None, i),)) for i in arguments))
        graph = Graph(op.name, arguments, (call,), tuple((o, Ref(op.name, o)) for o in op.output_names))
        keys = tuple((o, (self.name("k"),)) for o in op.output_names)
        subset = self.random.choices([True, False], [5, 1])[0]
        return GraphAsset(graph, tuple((i, ("unbound",)) for i in arguments), keys, "from_op", (), subset)

    def graph_asset(self) -> GraphAsset:
        if self.chance(0.12):
            return self.op_asset()
        name = self.name("ga")
        graph = self.graph(self.random.choices([0, 1, 2], [3, 4, 2])[0], 0, name)
        prefix = self.random.choices([(), ("pre",), ("pre", "fix")], [6, 1, 1])[0]
        ins = tuple((argument, ("unbound",)) for argument in graph.inputs)
        subset = self.random.choices([True, "auto", False], [10, 2, 1])[0]
        if self.chance(0.5):
            keys = tuple((o, (*prefix, self.name("k"))) for o in graph.output_names)
            return GraphAsset(graph, ins, keys, "from_graph", prefix, subset)
        if len(graph.returns) == 1:
            keys = ((graph.output_names[0], (*prefix, name)),)
            return GraphAsset(graph, ins, keys, "graph_asset", prefix, False)
        keys = tuple((o, (*prefix, self.name("k"))) for o in graph.output_names)
        return GraphAsset(graph, ins, keys, "graph_multi_asset", (), subset)

    def bound(self, program: Program) -> Program:
        """The program with an upstream asset for each graph input: any that makes no cycle among the steps."""
        spare = PlainAsset(("spare",))
        assets = [*program.assets, spare]
        for i, definition in enumerate(program.assets):
            if not isinstance(definition, GraphAsset):
                continue
            own = _keys(definition)
            for argument in definition.graph.inputs:
                others = [key for d in program.assets for key in _keys(d) if key not in own]
                self.random.shuffle(others)
                for key in [*others, spare.key]:
                    assets[i] = definition.fed(argument, key)
                    if not has_cycle(Program(tuple(assets))):
                        break
                definition = assets[i]  # noqa: PLW2901  each input starts from the last
                assert isinstance(definition, GraphAsset)
        read = {key for d in assets if isinstance(d, GraphAsset) for _, key in d.ins}
        return Program(tuple(assets if spare.key in read else assets[:-1]))


def _keys(definition: GraphAsset | PlainAsset | External) -> list[Key]:
    return [key for _, key in definition.keys] if isinstance(definition, GraphAsset) else [definition.key]


def _must_wire(wanted: Input) -> bool:
    return not (wanted.default or wanted.nothing)


def _height(graph: Graph) -> int:
    return 1 + max((_height(call.body) for call in graph.calls if isinstance(call.body, Graph)), default=0)


def has_cycle(program: Program) -> bool:
    """Whether the program's steps wait for each other in a ring."""
    steps = flatten(program)
    maker = makers(steps)
    waits = {
        step.key: {
            maker[source.key][0] if isinstance(source, AssetSource) else source[0]
            for wire in step.wires
            for source in wire.sources
            if not isinstance(source, AssetSource) or source.key in maker
        }
        for step in steps.values()
    }
    while free := [key for key, upstream in waits.items() if not upstream & waits.keys()]:
        for key in free:
            del waits[key]
    return bool(waits)


def definition_ring(program: Program) -> bool:
    """Whether definitions depend on each other in a ring, though their steps do not."""
    owner = {key: i for i, d in enumerate(program.assets) for key in _keys(d)}
    waits: dict[int, set[int]] = {}
    for i, definition in enumerate(program.assets):
        up = [k for _, k in definition.ins] if isinstance(definition, GraphAsset) else []
        up = [*definition.ins, *definition.deps] if isinstance(definition, PlainAsset) else up
        waits[i] = {owner[key] for key in up if key in owner}
    while free := [i for i, upstream in waits.items() if not upstream & waits.keys()]:
        for i in free:
            del waits[i]
    return bool(waits)


# real definitions


@dataclass(slots=True)
class Built:
    """A program made real. What its functions are called with gathers in `calls`, what is stored in `store`."""

    program: Program
    assets: list[Any] = field(default_factory=list[Any])
    calls: list[tuple[Any, tuple[object, ...]]] = field(default_factory=list[tuple[Any, tuple[object, ...]]])
    given: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])  # index of the call, tag of the output
    off: frozenset[str] = frozenset()
    era: str = "before"

    def mix(self, tag: str, *arguments: object) -> int:
        self.given.append((len(self.calls) - 1, tag))
        return mix(self.era, tag, arguments)


def build(
    program: Program, package: Any, facts: Callable[[Any], Any], edit: Callable[[str], str] = lambda source: source
) -> Built:
    """Executes the program's text, edited, with the package's names. `facts(context)` is what is kept of a call's
    context."""
    built = Built(program)
    scope: dict[str, Any] = {name: getattr(package, name) for name in NAMES}
    scope["called"] = lambda context, *arguments: built.calls.append((facts(context), arguments))
    scope["mix"] = built.mix
    scope["on"] = lambda flag: flag not in built.off
    source = edit(text(program))
    name = f"<program {hash(source):x}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope["__name__"] = "program"
    exec(compile(source, name, "exec"), scope)
    built.assets = scope["assets"]
    return built


NAMES = (
    *("op", "In", "Out", "Output", "Nothing", "graph", "GraphOut", "asset", "graph_asset", "graph_multi_asset"),
    *("AssetsDefinition", "AssetKey", "AssetSpec", "AssetIn", "AssetOut"),
)


def seeded(seed: int | str, index: int) -> Case:
    return generate(Random(f"{seed}/{index}"))


def histogram(made: Iterable[Case]) -> Mapping[str, int]:
    """How often the programs show each thing that they should show, for a look at the generator."""
    seen: dict[str, int] = {}

    def count(what: str, holds: object) -> None:
        seen[what] = seen.get(what, 0) + bool(holds)

    for case in made:
        steps = flatten(case.program)
        graphs = [d.graph for d in case.program.assets if isinstance(d, GraphAsset)]
        count("cases", True)
        count("steps", 1)
        seen["steps"] += len(steps) - 1
        count("nested", any(isinstance(c.body, Graph) for g in graphs for c in g.calls))
        count("deep", any(key.count(".") >= 3 for key in steps))
        count("fan-in", any(w.many for s in steps.values() for w in s.wires))
        count("nothing", any(w.nothing for s in steps.values() for w in s.wires))
        count("several graph assets", len(graphs) > 1)
        count("ring of definitions", definition_ring(case.program))
        count("used twice", any(key.rsplit("_", 1)[-1] in "23" for key in steps))
    return seen
