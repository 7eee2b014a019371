"""A graph, and a graph that is run under a name: a job. Two classes in one file because each makes the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from opgraph.declare import compose, ports
from opgraph.declare.body import Body
from opgraph.declare.frozen import Frozen
from opgraph.declare.inputs import GraphIn
from opgraph.declare.labels import checked_name, checked_tags
from opgraph.declare.node import Node
from opgraph.declare.outputs import GraphOut
from opgraph.declare.unsupported import refuse
from opgraph.declare.wires import FromInput, FromNode, Wire
from opgraph.errors import InvariantViolationError, Source

Returned: TypeAlias = FromNode | FromInput


class GraphDefinition(Frozen):
    """Nodes wired to one another. Made by `@graph`; called in another graph's body it becomes a node of it."""

    __slots__ = (
        "body", "config", "description", "ins", "metadata", "name", "nodes", "outs", "required_ins", "returns",
        "source", "tags", "wires",
    )  # fmt: skip

    name: str
    body: Body
    nodes: Mapping[str, Node]
    wires: Mapping[str, Mapping[str, Wire]]  # node -> its input -> where the value comes from
    ins: Mapping[str, GraphIn]
    outs: Mapping[str, GraphOut]
    returns: Mapping[str, Returned]  # the graph's output -> what it is
    required_ins: frozenset[str]  # those that must be wired: what they feed has no value of its own
    description: str | None
    tags: Mapping[str, str]
    config: Any
    metadata: Mapping[str, Any]
    source: Source

    def __init__(
        self,
        name: str,  # noqa: ARG002 - not built yet
        *,
        description: str | None = None,  # noqa: ARG002
        node_defs: Any = (),
        dependencies: Any = None,
        input_mappings: Any = None,
        output_mappings: Any = None,
        config: Any = None,
        tags: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        refuse(
            "GraphDefinition",
            {
                "config": config,
                "dependencies": dependencies,
                "input_mappings": input_mappings,
                "output_mappings": output_mappings,
                "node_defs": node_defs,
            },
        )

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __wrapped__(self) -> Callable[..., Any]:
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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A node of the graph whose body is being run; elsewhere, whatever the runner makes of a direct call."""
        if compose.composing():
            return compose.call(self, args, kwargs)
        return ports.runner().invoke(self, args, kwargs)

    def alias(self, name: str) -> "compose.Invocation":
        """This graph under another name in a graph's body."""
        return compose.Invocation(self).alias(name)

    def tag(self, tags: Mapping[str, str] | None) -> "compose.Invocation":
        """This graph with more tags in a graph's body."""
        return compose.Invocation(self).tag(tags)

    def with_hooks(self, hook_defs: AbstractSet[Any]) -> "compose.Invocation":
        """Not supported yet."""
        return compose.Invocation(self).with_hooks(hook_defs)

    def with_retry_policy(self, retry_policy: Any) -> "compose.Invocation":
        """Not supported yet."""
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
            run_config: not supported yet.
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


class JobDefinition(Frozen):
    """A graph that is run as a whole. Made by `@job` and `GraphDefinition.to_job`.

    Args:
        graph_def: the graph.
        resource_defs: objects by resource key.
        executor_def: the executor that runs it.
        name: the job's name, by default the graph's.
        config: run configuration; not supported yet.
        description: for people.
        tags: labels of the job.
        run_tags: labels of its runs; by default `tags`.
        metadata: facts for people.
        input_values: values for the graph's inputs.
    """

    __slots__ = (
        "config", "description", "executor_def", "graph", "input_values", "metadata", "name", "resource_defs",
        "retry_policy", "run_tags", "source", "tags",
    )  # fmt: skip

    name: str
    graph: GraphDefinition
    resource_defs: Mapping[str, Any]
    config: Mapping[str, Any]
    description: str | None
    tags: Mapping[str, str]
    run_tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    input_values: Mapping[str, Any]
    executor_def: Any
    retry_policy: Any
    source: Source

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
        hook_defs: AbstractSet[Any] | None = None,
        op_retry_policy: Any = None,
        input_values: Mapping[str, object] | None = None,
        owners: Sequence[str] | None = None,
        automation_condition: Any = None,
    ) -> None:
        refuse(
            "job",
            {
                "logger_defs": logger_defs,
                "config": config,
                "partitions_def": partitions_def,
                "hooks": hook_defs,
                "op_retry_policy": op_retry_policy,
                "owners": owners,
                "automation_condition": automation_condition,
            },
        )
        source = graph_def.source
        own = checked_name("job", name if name is not None else graph_def.name, source)
        labels = checked_tags(f"job `{own}`", tags, source)
        self.settle(
            name=own,
            graph=graph_def,
            resource_defs=dict(resource_defs or {}),
            config={},
            description=description if description is not None else graph_def.description,
            tags=labels,
            run_tags=labels if run_tags is None else checked_tags(f"job `{own}`", run_tags, source),
            metadata=dict(metadata or {}),
            input_values=dict(input_values or {}),
            executor_def=executor_def,
            retry_policy=None,
            source=source,
        )

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        """Always an error: a job is run, not called."""
        raise InvariantViolationError(
            f"the job `{self.name}` was called like a function",
            where=Source.of_caller(),
            fix=f"run it with `{self.name}.execute_in_process()`; to use it inside a graph, call its graph",
        )

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
            run_config: not supported yet.
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
