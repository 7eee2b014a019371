"""Mistakes in graphs whose wires are given as data: one class each."""

from collections.abc import Sequence

from opgraph.errors import InvalidDefinitionError, InvariantViolationError, Mistake, Source
from opgraph.keys import near_misses


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


class NotANode(InvalidDefinitionError):
    """Something among `node_defs` that is no op and no graph."""

    def __init__(self, owner: str, value: object, *, where: Source | None) -> None:
        self.owner, self.value = owner, value
        name = getattr(value, "__name__", "")
        what = f"a lambda or function {name}" if name else f"a {type(value).__name__}"
        super().__init__(
            f"You have passed {what} into {owner}, which is not a node",
            where=where,
            fix="decorate the function with `@op` or `@graph`",
        )


class BodyThatRuns(InvalidDefinitionError):
    """A graph's body that is written as something to be awaited or iterated over."""

    def __init__(self, owner: str, kind: str, *, where: Source) -> None:
        self.owner, self.kind = owner, kind
        words = [*(["`async def`"] if "async" in kind else []), *(["`yield`"] if "generator" in kind else [])]
        super().__init__(
            f"{owner} is written with {' and '.join(words)}: a graph's body does not run in a run, it is called "
            "once, here, to see what is wired to what",
            where=where,
            fix="write it with `def` and `return`; its ops may be `async def`, and may yield",
        )


class NotDependencies(Mistake, InvalidDefinitionError):
    """`dependencies` that map nothing to anything."""

    owner: str
    value: object
    says = "`dependencies` of {owner} is a {value:type}, not a mapping"
    mend = 'map each node to its inputs: `{{"count": {{"rows": DependencyDefinition("load")}}}}`'


class NoSuchNode(InvalidDefinitionError):
    """A node is named that is not among `node_defs`."""

    def __init__(self, owner: str, node: str, known: Sequence[str], *, where: Source | None) -> None:
        self.owner, self.node, self.known = owner, node, tuple(known)
        close = near_misses(node, known)
        super().__init__(
            f"{owner} has no node `{node}`; its nodes are {_listed(known)}",
            where=where,
            fix=f"did you mean `{close[0]}`?" if close else "add it to `node_defs`",
        )


class NoSuchOutput(InvalidDefinitionError):
    """An output is named that its node does not have."""

    def __init__(self, owner: str, node: str, output: str, known: Sequence[str], *, where: Source | None) -> None:
        self.owner, self.node, self.output, self.known = owner, node, output, tuple(known)
        super().__init__(
            f"`{node}` in {owner} has no output `{output}`; it has {_listed(known)}",
            where=where,
            fix="name one of these as the `DependencyDefinition`'s `output`",
        )


class UnpackedOtherwise(InvalidDefinitionError, ValueError):
    """The outputs of a node that are unpacked, in a graph's body, into more or fewer names than there are."""

    def __init__(
        self, node: str, outputs: Sequence[str], count: int, least: bool = False, *, where: Source | None
    ) -> None:
        self.node, self.outputs, self.count = node, tuple(outputs), count
        super().__init__(
            f"`{node}` has {len(outputs)} outputs ({', '.join(outputs)}), {'at least ' if least else ''}{count} "
            f"{'was' if count == 1 else 'were'} unpacked",
            where=where,
            fix="unpack all of them in their order, or take one by its name",
        )


class AssetCalled(InvalidDefinitionError):
    """An asset that is called in the body of a graph that makes assets: it would be computed once more."""

    def __init__(self, owner: str, name: str, params: Sequence[str], *, where: Source | None) -> None:
        self.owner, self.name = owner, name
        super().__init__(
            f"{owner} calls the asset `{name}` in its body, which would compute it once more and not read its value",
            where=where,
            fix=f"take {'it as a parameter' if len(params) == 1 else 'what it makes as parameters'}: "
            f"`def …({', '.join(params)})`",
        )


class NodesInCircle(InvalidDefinitionError):
    """Nodes that wait for one another."""

    def __init__(self, owner: str, nodes: Sequence[str], *, where: Source | None) -> None:
        self.owner, self.nodes = owner, tuple(nodes)
        super().__init__(
            f"the nodes {_listed(nodes)} of {owner} depend on one another in a circle",
            where=where,
            fix="leave one of these dependencies out",
        )


class JobCalled(Mistake, InvariantViolationError):
    """A job was called like a function."""

    name: str
    says = "the job `{name}` was called like a function"
    mend = "run it with `{name}.execute_in_process()`; to use it inside a graph, call its graph"
