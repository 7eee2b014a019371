"""A graph, and a graph that is run under a name: a job. Two classes in one file because each makes the other."""

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, cast

from msgspec import Struct

from opgraph.declare import ports
from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Frozen, document, replaced
from opgraph.declare.graphs import compose
from opgraph.declare.graphs.config_mapping import checked_config
from opgraph.declare.graphs.levels import Levels
from opgraph.declare.graphs.node import Node
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Wire
from opgraph.declare.graphs.wiring import Dependencies, InputMapping, OutputMapping, required, wired
from opgraph.declare.graphs.wiring_mistakes import JobCalled
from opgraph.declare.labels import checked_name, checked_tags
from opgraph.declare.metadata import facts
from opgraph.declare.mistakes import owner_of
from opgraph.declare.ops.body import Body
from opgraph.declare.ops.hooks import HookDefinition, checked_hooks
from opgraph.declare.ops.inputs import GraphIn
from opgraph.declare.ops.outputs import GraphOut
from opgraph.declare.ops.signatures import P, R_co
from opgraph.declare.ops.viewed import InputView, OutputView, TypeView
from opgraph.declare.retry import RetryPolicy
from opgraph.declare.unsupported import refuse
from opgraph.errors import Source
from opgraph.keys import AssetKey, CoercibleToAssetKey

if TYPE_CHECKING:
    from opgraph.declare.project.definitions import Definitions
    from opgraph.declare.project.job import AssetJob

Returned: TypeAlias = FromNode | FromInput


class GraphDefinition(Frozen, Generic[P, R_co]):
    """Nodes wired to one another. Made by `@graph`; called in another graph's body it becomes a node of it."""

    __slots__ = (
        "body", "config", "description", "fans", "ins", "metadata", "name", "nodes", "outs", "required_ins", "returns",
        "source", "tags", "wires",
    )  # fmt: skip

    name: str
    body: Body | None  # None: its wires were given as data
    nodes: Mapping[str, Node]
    wires: Mapping[str, Mapping[str, Wire]]  # node -> its input -> where the value comes from
    ins: Mapping[str, GraphIn]
    outs: Mapping[str, GraphOut]
    returns: Mapping[str, Returned]  # the graph's output -> what it is
    required_ins: frozenset[str]  # those that must be wired: what they feed has no value of its own
    description: str | None
    tags: Mapping[str, str]
    fans: bool  # whether there is a fan-out in it
    config: Any
    metadata: Mapping[str, Any]
    source: Source

    def __init__(
        self,
        name: str,
        *,
        description: str | None = None,
        node_defs: Iterable[Any] | None = None,
        dependencies: Dependencies | None = None,
        input_mappings: Sequence[InputMapping] | None = None,
        output_mappings: Sequence[OutputMapping] | None = None,
        config: Any = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        where, owner = Source.of_caller(), f"graph `{name}`"
        made = wired(owner, node_defs or (), dependencies, input_mappings or (), output_mappings or (), where)
        self.settle(
            name=checked_name("graph", name, where),
            body=None,
            nodes=made.nodes,
            wires=made.wires,
            ins=made.ins,
            outs=made.outs,
            returns=made.returns,
            required_ins=required(made.ins, made.nodes, made.wires, made.returns.values()),
            fans=self._levels(made.nodes, made.wires).any,
            description=description,
            tags=checked_tags(owner, tags, where),
            config=checked_config(owner, config, where),
            metadata={},
            source=where or Source("", 0),
        )

    @staticmethod
    def _levels(nodes: Mapping[str, Node], wires: Mapping[str, Mapping[str, Wire]]) -> Levels:
        levels = Levels()
        for name, node in nodes.items():
            levels.place(name, node.definition, wires.get(name, {}), node.source)
        return levels

    def __repr__(self) -> str:
        return f"GraphDefinition({self.name!r}, ins={list(self.ins)}, outs={list(self.outs)}, {_count(self)})"

    def _repr_html_(self) -> str:
        """What notebooks show: a drawing."""
        return ports.painter().html(self)

    @property
    def node_defs(self) -> list[Any]:
        """The definitions of its nodes, each once."""
        return list({node.definition.name: node.definition for node in self.nodes.values()}.values())

    @property
    def node_dict(self) -> Mapping[str, Node]:
        """Its nodes by name."""
        return self.nodes

    def has_node_named(self, name: str) -> bool:
        """Whether it has a node of this name."""
        return name in self.nodes

    def node_named(self, name: str) -> Node:
        """The node of this name."""
        return self.nodes[name]

    @property
    def input_defs(self) -> list[InputView]:
        """The inputs, as a list."""
        return [InputView(name, self._type_of(name), each) for name, each in self.ins.items()]

    @property
    def output_defs(self) -> list[OutputView]:
        """The outputs, as a list."""
        return [OutputView(name, self._returned(name), each) for name, each in self.outs.items()]

    @property
    def input_dict(self) -> dict[str, InputView]:
        """The inputs by name."""
        return {each.name: each for each in self.input_defs}

    @property
    def output_dict(self) -> dict[str, OutputView]:
        """The outputs by name."""
        return {each.name: each for each in self.output_defs}

    def input_def_named(self, name: str) -> InputView:
        """An input."""
        return self.input_dict[name]

    def output_def_named(self, name: str) -> OutputView:
        """An output."""
        return self.output_dict[name]

    def has_input(self, name: str) -> bool:
        """Whether it has this input."""
        return name in self.ins

    def has_output(self, name: str) -> bool:
        """Whether it has this output."""
        return name in self.outs

    def _type_of(self, name: str) -> TypeView:
        """The type of an input: that of the first input of a node that it feeds."""
        for node, wires in self.wires.items():
            for key, wire in wires.items():
                inner = self.nodes[node].definition.input_def_named(key).dagster_type
                if isinstance(wire, FromInput) and wire.name == name:
                    return inner
                if isinstance(wire, FanIn) and FromInput(name) in wire.items:
                    return TypeView(next(iter(typing.get_args(inner.typing_type)), inner.typing_type))
        return TypeView(Any)

    def _returned(self, name: str) -> TypeView:
        wire = self.returns[name]
        if isinstance(wire, FromInput):
            return self._type_of(wire.name)
        return self.nodes[wire.node].definition.output_def_named(wire.output).dagster_type

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        if self.body is None:
            raise AttributeError("__wrapped__")  # made from data, not from a function
        return self.body.fn

    def needs(self, name: str) -> bool:
        """Whether something must be wired to an input."""
        return name in self.required_ins

    def ops(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """The paths and definitions of all ops in it, nested ones too."""
        for name, node in self.nodes.items():
            if isinstance(node.definition, GraphDefinition):
                yield from node.definition.ops(f"{prefix}{name}.")
            else:
                yield prefix + name, node.definition

    def iterate_node_defs(self) -> Iterator[Any]:
        """The definitions of all ops and graphs in it, nested ones too, each use of them once."""
        for node in self.nodes.values():
            yield node.definition
            if isinstance(node.definition, GraphDefinition):
                yield from node.definition.iterate_node_defs()

    def iterate_op_defs(self) -> Iterator[Any]:
        """The definitions of all ops in it, nested ones too, each use of them once."""
        return (op for _, op in self.ops())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """A node of the graph whose body is being run; elsewhere its ops run as plain functions, nothing is stored, and
        the call gives what the graph returns: a tuple where it has several outputs.

        Example:
            >>> report([1, 2])
            3
        """
        if compose.composing():
            return cast("R_co", compose.call(self, args, kwargs))
        return ports.runner().invoke(self, args, kwargs)

    def alias(self, name: str) -> "compose.Invocation[P, R_co]":
        """This graph under another name in a graph's body."""
        return compose.Invocation(self).alias(name)

    def tag(self, tags: Mapping[str, str] | None) -> "compose.Invocation[P, R_co]":
        """This graph with more tags in a graph's body."""
        return compose.Invocation(self).tag(tags)

    def with_hooks(self, hook_defs: AbstractSet[HookDefinition]) -> "compose.Invocation[P, R_co]":
        """This graph in a graph's body, with functions that are called when its steps have ended."""
        return compose.Invocation(self).with_hooks(hook_defs)

    def with_retry_policy(self, retry_policy: RetryPolicy) -> "compose.Invocation[P, R_co]":
        """This graph in a graph's body, with a retry policy for those of its ops that have none."""
        return compose.Invocation(self).with_retry_policy(retry_policy)

    def to_job(self, name: str | None = None, **attributes: Any) -> "JobDefinition":
        """A job that runs this graph. It takes what `job` takes.

        Example:
            >>> daily = report.to_job("daily", tags={"team": "data"})
        """
        if "hooks" in attributes:
            attributes["hook_defs"] = attributes.pop("hooks")
        return JobDefinition(graph_def=self, name=name, **attributes)

    def execute_in_process(
        self,
        run_config: Any = None,
        instance: Any = None,
        resources: Mapping[str, object] | None = None,
        raise_on_error: bool = True,
        op_selection: Sequence[str] | None = None,
        run_id: str | None = None,
        input_values: Mapping[str, object] | None = None,
    ) -> Any:
        """Run it in this process, as a job of its own.

        Args:
            run_config: the configuration of its ops, as a dict or a RunConfig.
            instance: where the run is recorded; by default nowhere that stays.
            resources: objects by resource key.
            raise_on_error: whether a failed step raises its error here.
            op_selection: the ops to run, with `*op`, `op+`.
            run_id: the run's id, by default a new one.
            input_values: values for the graph's inputs.

        Returns:
            An ExecuteInProcessResult.
        """
        return ports.runner().execute(
            self,
            run_config=run_config,
            instance=instance,
            resources=resources,
            raise_on_error=raise_on_error,
            op_selection=op_selection,
            run_id=run_id,
            input_values=input_values,
        )


class JobAssets(Struct, frozen=True, eq=False):
    """What a job makes that was declared as a selection of assets."""

    definitions: "Definitions"
    job: "AssetJob | None"  # None: the job of all assets
    keys: frozenset[AssetKey]
    part: frozenset[AssetKey] | None = None  # of these, the ones that are run; None: all


class JobDefinition(Frozen):
    """A graph that is run as a whole. Made by `@job` and `GraphDefinition.to_job`.

    Args:
        graph_def: the graph.
        resource_defs: objects by resource key.
        executor_def: the executor that runs it.
        name: the job's name, by default the graph's.
        config: what its runs are configured with: a dict or RunConfig of defaults, or a ConfigMapping.
        description: for people.
        tags: labels of the job.
        run_tags: labels of its runs; by default `tags`.
        metadata: facts for people.
        hook_defs: functions that are called when its steps have ended.
        op_retry_policy: how often a failed step is tried again, where its op does not say it.
        input_values: values for the graph's inputs.
        op_selection: the ops that it runs, with `*op`, `op+`; by default all.
    """

    __slots__ = (
        "assets", "config", "description", "executor_def", "graph", "hooks", "input_values", "metadata", "name",
        "op_selection", "resource_defs", "retry_policy", "run_tags", "source", "tags",
    )  # fmt: skip

    name: str
    graph: GraphDefinition
    resource_defs: Mapping[str, Any]
    config: Any  # a dict of defaults, a RunConfig, or a ConfigMapping; None: nothing
    description: str | None
    tags: Mapping[str, str]
    run_tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    input_values: Mapping[str, Any]
    executor_def: Any
    retry_policy: RetryPolicy | None
    hooks: frozenset[HookDefinition]
    assets: JobAssets | None
    op_selection: Sequence[str] | None
    source: Source

    partitions_def: ClassVar[None] = None  # what no job has yet; code that asks is told so

    def __init__(
        self,
        *,
        graph_def: GraphDefinition,
        resource_defs: Mapping[str, Any] | None = None,
        executor_def: Any = None,
        logger_defs: Mapping[str, Any] | None = None,
        name: str | None = None,
        config: Any = None,
        description: str | None = None,
        partitions_def: Any = None,
        tags: Mapping[str, Any] | None = None,
        run_tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        hook_defs: AbstractSet[HookDefinition] | None = None,
        op_retry_policy: RetryPolicy | None = None,
        input_values: Mapping[str, object] | None = None,
        op_selection: Sequence[str] | None = None,
        owners: Sequence[str] | None = None,
        automation_condition: Any = None,
    ) -> None:
        refuse(
            "job",
            {
                "logger_defs": logger_defs,
                "partitions_def": partitions_def,
                "owners": owners,
                "automation_condition": automation_condition,
            },
        )
        source = graph_def.source
        expect(
            owner_of("job", name or graph_def.name), source, resource_defs=resource_defs, description=description,
            tags=tags, run_tags=run_tags, metadata=metadata, input_values=input_values, op_retry_policy=op_retry_policy,
        )  # fmt: skip
        own = checked_name("job", name if name is not None else graph_def.name, source)
        labels = {**graph_def.tags, **checked_tags(f"job `{own}`", tags, source)}
        self.settle(
            name=own,
            graph=graph_def,
            resource_defs=dict(resource_defs or {}),
            config=checked_config(f"job `{own}`", config, source, of_run=True),
            description=description if description is not None else graph_def.description,
            tags=labels,
            run_tags=labels if run_tags is None else checked_tags(f"job `{own}`", run_tags, source),
            metadata=facts(metadata),
            input_values=dict(input_values or {}),
            executor_def=executor_def,
            retry_policy=op_retry_policy,
            hooks=checked_hooks(f"job `{own}`", "hooks", hook_defs, source),
            assets=None,
            op_selection=None if op_selection is None else ops_of(op_selection),
            source=source,
        )

    def __repr__(self) -> str:
        return f"JobDefinition({self.name!r}, {_count(self.graph)})"

    def _repr_html_(self) -> str:
        """What notebooks show: a drawing."""
        return ports.painter().html(self)

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        """Always an error: a job is run, not called."""
        raise JobCalled(self.name, where=Source.of_caller())

    @property
    def node_dict(self) -> Mapping[str, Node]:
        """The nodes of its graph, by name."""
        return self.graph.nodes

    nodes = node_dict

    def with_hooks(self, hook_defs: AbstractSet[HookDefinition]) -> "JobDefinition":
        """A copy with functions that are called when its steps have ended."""
        more = checked_hooks(f"job `{self.name}`", "hook_defs", hook_defs, Source.of_caller())
        return replaced(self, hooks=self.hooks | more)

    @property
    def hook_defs(self) -> AbstractSet[HookDefinition]:
        """The functions that are called when its steps have ended."""
        return self.hooks

    @property
    def asset_selection(self) -> AbstractSet[AssetKey] | None:
        """The assets that were chosen of it; None: all, or it makes none."""
        return self.assets.part if self.assets is not None else None

    def get_subset(
        self,
        *,
        op_selection: str | Iterable[str] | None = None,
        asset_selection: Iterable[CoercibleToAssetKey] | None = None,
    ) -> "JobDefinition":
        """The same job, of which only a part is run.

        Args:
            op_selection: the ops to run, with `*op`, `op+`.
            asset_selection: the assets to make, where it makes assets.

        Raises:
            InvalidSubsetError: the selection names something that it does not have.
        """
        return ports.runner().subset(self, op_selection, asset_selection)

    def execute_in_process(
        self,
        run_config: Any = None,
        instance: Any = None,
        partition_key: str | None = None,
        raise_on_error: bool = True,
        op_selection: Sequence[str] | None = None,
        asset_selection: Sequence[Any] | None = None,
        run_id: str | None = None,
        input_values: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        resources: Mapping[str, object] | None = None,
    ) -> Any:
        """Run the job in this process.

        Args:
            run_config: the configuration of its ops, as a dict or a RunConfig.
            instance: where the run is recorded; by default nowhere that stays.
            partition_key: not supported yet.
            raise_on_error: whether a failed step raises its error here.
            op_selection: the ops to run, with `*op`, `op+`.
            asset_selection: the assets to make, where the job makes assets.
            run_id: the run's id, by default a new one.
            input_values: values for the graph's inputs.
            tags: labels of the run.
            resources: objects by resource key, instead of the job's.

        Returns:
            An ExecuteInProcessResult.
        """
        return ports.runner().execute(
            self,
            run_config=run_config,
            instance=instance,
            partition_key=partition_key,
            raise_on_error=raise_on_error,
            op_selection=op_selection,
            asset_selection=asset_selection,
            run_id=run_id,
            input_values=input_values,
            tags=tags,
            resources=resources,
        )


def ops_of(selection: str | Iterable[str]) -> list[str]:
    """A selection of ops as a list; a text is one that selects by a single expression."""
    return [selection] if isinstance(selection, str) else list(selection)


def _count(graph: GraphDefinition) -> str:
    ops = sum(1 for _ in graph.ops())
    return f"{ops} op{'s' if ops != 1 else ''}"


def _doc(graph: GraphDefinition) -> str | None:
    return graph.body.inner.__doc__ if graph.body is not None else graph.description


document(GraphDefinition, _doc)
document(JobDefinition, lambda job: _doc(job.graph))
