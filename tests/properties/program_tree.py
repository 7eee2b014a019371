"""Programs as data: ops, nested graphs and assets, and the Python text that declares them.

A program is what a user of the package could have written. `text` writes it, the tests execute that very text,
and a failing example prints it: what is read is what ran.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

Key = tuple[str, ...]
When = Literal["always", "selected", "flag", "never"]


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter of an op. `many`: it takes a list of outputs; `nothing`: ordering only; `default`: may be unwired."""

    name: str
    many: bool = False
    nothing: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """An output of an op, and when the op's function gives it."""

    name: str
    required: bool = True
    when: When = "always"


@dataclass(frozen=True, slots=True)
class Op:
    """An op. With `returns` its function returns all its outputs (a tuple if several), else it yields them."""

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[Port, ...]
    returns: bool = False

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(port.name for port in self.outputs)


@dataclass(frozen=True, slots=True)
class Ref:
    """What an argument in a graph's body points to: an output of a node, or (node None) an input of the graph."""

    node: str | None
    port: str


@dataclass(frozen=True, slots=True)
class Call:
    """One use of an op or a graph in a graph's body. Unwired inputs are left out of `feeds`."""

    node: str
    body: Op | Graph
    feeds: tuple[tuple[str, tuple[Ref, ...]], ...]

    @property
    def by_alias(self) -> bool:
        stem, _, number = self.node.rpartition("_")
        return self.node != self.body.name and not (stem == self.body.name and number.isdigit())


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph: its inputs, its nodes in the order of their calls, and what it returns under which name."""

    name: str
    inputs: tuple[str, ...]
    calls: tuple[Call, ...]
    returns: tuple[tuple[str, Ref], ...]

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.returns)


@dataclass(frozen=True, slots=True)
class GraphAsset:
    """A graph whose returned values are assets. `ins` and `keys` are by graph input and output name, whole keys.

    With `from_op` the graph only stands for its one op, whose step has no path.
    """

    graph: Graph
    ins: tuple[tuple[str, Key], ...]
    keys: tuple[tuple[str, Key], ...]
    how: Literal["graph_asset", "graph_multi_asset", "from_graph", "from_op"]
    prefix: Key = ()
    can_subset: bool | Literal["auto"] = True

    @property
    def node(self) -> str:
        """Its node's name, which begins its steps' keys."""
        return "__".join((*self.prefix, self.graph.name)) if self.how == "graph_asset" else self.graph.name

    def fed(self, argument: str, key: Key) -> GraphAsset:
        """The same with another upstream asset for one input of the graph."""
        return replace(self, ins=tuple((name, key if name == argument else old) for name, old in self.ins))


@dataclass(frozen=True, slots=True)
class PlainAsset:
    """An asset of one function: it loads `ins` and only follows `deps`."""

    key: Key
    ins: tuple[Key, ...] = ()
    deps: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class External:
    """An asset that someone else makes."""

    key: Key


@dataclass(frozen=True, slots=True)
class Program:
    assets: tuple[GraphAsset | PlainAsset | External, ...]

    def __repr__(self) -> str:
        return "\n" + text(self)


@dataclass(frozen=True, slots=True)
class Request:
    """One run: what is selected, the policy for what comes besides, and the flagged outputs that stay away."""

    selection: frozenset[Key]
    policy: Literal["materialize", "discard", "error"] = "materialize"
    off: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        keys = [slashed(key) for key in sorted(self.selection)]
        return f"select {keys}, policy {self.policy!r}, off: {sorted(self.off)}"


@dataclass(frozen=True, slots=True)
class Case:
    """A program and the runs to make of it, one after the other, over the same storage."""

    program: Program
    requests: tuple[Request, ...] = field(default=())

    def __repr__(self) -> str:
        runs = "\n".join(f"# run {i}: {request!r}" for i, request in enumerate(self.requests, 1))
        return f"{self.program!r}\n{runs}\n"


def slashed(key: Key) -> str:
    return "/".join(key)


def definition_keys(definition: GraphAsset | PlainAsset | External) -> tuple[Key, ...]:
    return tuple(key for _, key in definition.keys) if isinstance(definition, GraphAsset) else (definition.key,)


def bodies(program: Program) -> list[Op | Graph]:
    """Every op and graph that the program uses, each after what it uses; without the bodies that assets decorate."""
    found: dict[str, Op | Graph] = {}

    def visit(graph: Graph) -> None:
        for call in graph.calls:
            if isinstance(call.body, Graph):
                visit(call.body)
            found.setdefault(call.body.name, call.body)

    for definition in program.assets:
        if isinstance(definition, GraphAsset):
            visit(definition.graph)
            if definition.how == "from_graph":  # not from_op: its op was visited
                found.setdefault(definition.graph.name, definition.graph)
    return list(found.values())


# the text


def text(program: Program) -> str:
    """The program as Python. `called`, `mix` and `on` are the test's: record a call, make a value, read a flag."""
    parts = [_op(body) if isinstance(body, Op) else _graph(body) for body in bodies(program)]
    names: list[str] = []
    for i, definition in enumerate(program.assets):
        names.append(f"asset_{i}")
        parts.append(_definition(names[-1], definition))
    parts.append(f"assets = [{', '.join(names)}]")
    return "\n".join(parts) + "\n"


def _op(op: Op) -> str:
    options: list[str] = []
    if any(i.nothing for i in op.inputs):
        options.append("ins={" + ", ".join(f'"{i.name}": In(Nothing)' for i in op.inputs if i.nothing) + "}")
    if [(port.name, port.required) for port in op.outputs] != [("result", True)]:
        outs = (f'"{port.name}": Out({"" if port.required else "is_required=False"})' for port in op.outputs)
        options.append("out={" + ", ".join(outs) + "}")
    parameters = [i for i in op.inputs if not i.nothing]
    signature = ", ".join(["context", *(f"{i.name}=7" if i.default else i.name for i in parameters)])
    arguments = "".join(f", {i.name}" for i in parameters)
    lines = [f"@op({', '.join(options)})" if options else "@op", f"def {op.name}({signature}):"]
    lines.append(f"    called(context{arguments})")
    values = [f'mix("{op.name}.{port.name}"{arguments})' for port in op.outputs]
    if op.returns:
        lines.append("    return " + ", ".join(values))
        return "\n".join(lines) + "\n"
    given = [(port, value) for port, value in zip(op.outputs, values, strict=True) if port.when != "never"]
    for port, value in given:
        condition = {
            "selected": f'"{port.name}" in context.selected_output_names',
            "flag": f'on("{op.name}.{port.name}")',
        }
        indent = "    "
        if port.when in condition:
            lines.append(f"    if {condition[port.when]}:")
            indent = "        "
        lines.append(f'{indent}yield Output({value}, "{port.name}")')
    if not given:
        lines.append("    yield from ()")
    return "\n".join(lines) + "\n"


def _graph(graph: Graph) -> str:
    outs = (
        ""
        if graph.output_names == ("result",)
        else "(out={" + _comma(f'"{o}": GraphOut()' for o in graph.output_names) + "})"
    )
    return f"@graph{outs}\n{_body(graph, graph.name)}"


def _body(graph: Graph, name: str) -> str:
    lines = [f"def {name}({', '.join(graph.inputs)}):"]
    expressions: dict[Ref, str] = {Ref(None, i): i for i in graph.inputs}
    plain = Counter[str]()  # uses without an alias
    for number, call in enumerate(graph.calls):
        arguments: list[str] = []
        many = {i.name for i in call.body.inputs if i.many} if isinstance(call.body, Op) else set[str]()
        for name_, refs in call.feeds:
            sources = _comma(expressions[ref] for ref in refs)
            arguments.append(f"{name_}=[{sources}]" if name_ in many else f"{name_}={sources}")
        plain[call.body.name] += 1
        automatic = call.body.name if plain[call.body.name] == 1 else f"{call.body.name}_{plain[call.body.name]}"
        callee = call.body.name
        if call.node != automatic:
            callee += f'.alias("{call.node}")'
            plain[call.body.name] -= 1
        lines.append(f"    v{number} = {callee}({', '.join(arguments)})")
        several = len(call.body.output_names) > 1
        expressions |= {
            Ref(call.node, o): f"v{number}.{o}" if several else f"v{number}" for o in call.body.output_names
        }
    if len(graph.returns) == 1:
        lines.append(f"    return {expressions[graph.returns[0][1]]}")
    else:
        lines.append("    return {" + _comma(f'"{o}": {expressions[ref]}' for o, ref in graph.returns) + "}")
    return "\n".join(lines) + "\n"


def _definition(name: str, definition: GraphAsset | PlainAsset | External) -> str:
    if isinstance(definition, External):
        return f"{name} = AssetSpec({_key(definition.key)})\n"
    if isinstance(definition, PlainAsset):
        options = [f"name={definition.key[-1]!r}"]
        options += [f"key_prefix={list(definition.key[:-1])}"] if definition.key[1:] else []
        names = [f"u{i}" for i in range(len(definition.ins))]
        options += [_ins(dict(zip(names, definition.ins, strict=True)))] if definition.ins else []
        options += [f"deps=[{_comma(map(_key, definition.deps))}]"] if definition.deps else []
        arguments = "".join(f", {i}" for i in names)
        return (
            f"@asset({', '.join(options)})\ndef {name}({', '.join(['context', *names])}):\n"
            f'    called(context{arguments})\n    return mix("{slashed(definition.key)}"{arguments})\n'
        )
    subset = (
        []
        if definition.how == "graph_asset" or definition.can_subset is False
        else [f"can_subset={definition.can_subset!r}"]
    )
    prefix = [f"key_prefix={list(definition.prefix)}"] if definition.prefix else []
    ins, keys = dict(definition.ins), dict(definition.keys)
    if definition.how in ("from_graph", "from_op"):
        options = [definition.graph.name]
        options += ["keys_by_input_name={" + _comma(f'"{i}": {_key(k)}' for i, k in ins.items()) + "}"] if ins else []
        own = {o: key[len(definition.prefix) :] for o, key in keys.items()}
        options += ["keys_by_output_name={" + _comma(f'"{o}": {_key(k)}' for o, k in own.items()) + "}"]
        return f"{name} = AssetsDefinition.{definition.how}({', '.join([*options, *prefix, *subset])})\n"
    options = [f'name="{definition.graph.name}"', *([_ins(ins)] if ins else [])]
    if definition.how == "graph_multi_asset":
        options.append("outs={" + _comma(f'"{o}": AssetOut(key={_key(k)})' for o, k in keys.items()) + "}")
        prefix = []
    return f"@{definition.how}({', '.join([*options, *prefix, *subset])})\n{_body(definition.graph, name)}"


def _ins(ins: dict[str, Key]) -> str:
    return "ins={" + _comma(f'"{i}": AssetIn(key={_key(k)})' for i, k in ins.items()) + "}"


def _key(key: Key) -> str:
    return f"AssetKey({list(key)})"


def _comma(parts: object) -> str:
    return ", ".join(parts)  # type: ignore[arg-type]
