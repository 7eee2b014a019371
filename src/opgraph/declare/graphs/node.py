"""A node of a graph: a call of an op or a graph in a graph's body."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from opgraph.declare.ops.hooks import HookDefinition
from opgraph.declare.retry import RetryPolicy
from opgraph.errors import Source

if TYPE_CHECKING:
    from opgraph.declare.graphs.graph_definition import GraphDefinition
    from opgraph.declare.ops.op import OpDefinition


class Node(Struct, frozen=True, eq=False):
    """One use of an op or a graph, under a name that its graph has once."""

    name: str
    definition: "OpDefinition | GraphDefinition"
    tags: Mapping[str, str] = {}
    retry_policy: RetryPolicy | None = None
    hooks: frozenset[HookDefinition] = frozenset()
    source: Source | None = None  # the line of the call
