"""What a run in this process did, for the caller: its events, how its steps ended, the values of its outputs."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, Self

from opgraph.declare import ports
from opgraph.declare.graphs.graph_definition import GraphDefinition, JobDefinition
from opgraph.declare.graphs.wires import FanIn, FromInput, FromNode, Wire, depth_of
from opgraph.declare.ops.materialization import AssetMaterialization, AssetObservation
from opgraph.declare.ops.op import OpDefinition
from opgraph.errors import InvariantViolationError, Mistake
from opgraph.events import Kept, Place, RunStatus
from opgraph.keys import AssetKey, CoercibleToAssetKey, near_misses
from opgraph.plan.model import Besides, Plan, Role, Step
from opgraph.plan.past import Past
from opgraph.record.rows import RunRow
from opgraph.resolve.project import Project
from opgraph.run.instance import Instance
from opgraph.run.report.event import (
    AssetObservationData,
    Event,
    EventType,
    JobFailureData,
    NoSuchEvent,
    StepFailureData,
    StepMaterializationData,
)
from opgraph.run.report.event_view import events_of
from opgraph.run.report.made import past_of
from opgraph.run.report.views import Run

Node = OpDefinition | GraphDefinition

_ENDINGS = {
    "pending": "the run did not get to the step",
    "failed": "the step failed",
    "skipped": "the step was skipped, because an optional output that it needs did not come",
    "blocked": "the step did not run, because a step that it needs failed",
    "interrupted": "the step was interrupted",
}


class NoSuchNode(InvariantViolationError):
    """A node is named that the run does not have."""

    def __init__(self, job: str, name: str, known: Sequence[str]) -> None:
        self.job, self.name, self.near = job, name, tuple(near_misses(name, known))
        meant = f". Did you mean {' or '.join(f'`{each}`' for each in self.near)}?" if self.near else ""
        super().__init__(
            f"{'the run' if job.startswith('__') else f'`{job}`'} has no op named `{name}`{meant}",
            fix="`result.plan.steps` lists the steps by `key`",
        )


class NoSuchOutput(InvariantViolationError):
    """A node has no output of this name."""

    def __init__(self, node: str, output: str, known: Sequence[str], *, top: bool = False) -> None:
        self.node, self.output, self.known = node, output, tuple(known)
        listed = ", ".join(f"`{name}`" for name in known)
        super().__init__(
            f"Could not find top-level output '{output}' of {node}" if top else f"{node} has no output `{output}`",
            fix=f"it has {listed}" if known else "it returns nothing: return it",
        )


class NoOutput(Mistake, InvariantViolationError):
    """An output was not made by this run, or not kept."""

    step: str
    output: str
    reason: str
    says = "there is no value of output `{output}` of step `{step}`: {reason}"
    mend = "ask for an output that the run made: `result.all_node_events` tells which"


class NotThatAsset(InvariantViolationError):
    """The value of an asset was asked for that the run does not make."""

    def __init__(self, key: AssetKey, made: Sequence[str]) -> None:
        self.key, self.near = key, tuple(near_misses(key.text, made))
        meant = f". Did you mean {' or '.join(f'`{each}`' for each in self.near)}?" if self.near else ""
        super().__init__(
            f"the run does not make asset `{key.text}`{meant}",
            fix="select it, or load it by `Definitions.load_asset_value`",
        )


class ExecuteInProcessResult:
    """What a run did. Returned by `materialize` and `execute_in_process`.

    Nodes are named by path, as in `outer.inner.op`; a graph's name stands for all that is in it.

    Args:
        row: the run, after it ended.
        plan: what it was to do.
        instance: where it is recorded.
        load: loads a stored value.
        definition: the job or graph that was run, if it was one.
        project: the assets, if assets were made.

    Example:
        >>> result = materialize([flights])
        >>> result.success, result.output_for_node("flights")
        (True, 7)
    """

    def __init__(
        self,
        row: RunRow,
        plan: Plan,
        instance: Instance,
        load: Callable[[Kept], Any],
        definition: JobDefinition | GraphDefinition | None = None,
        project: Project | None = None,
    ) -> None:
        self._row, self._plan, self._log, self._load, self._project = row, plan, instance.record, load, project
        self._job = definition
        self._graph = definition.graph if isinstance(definition, JobDefinition) else definition

    def __repr__(self) -> str:
        steps = len(self._plan.steps)
        told = f"{self._row.status.value}, {steps} step{'s' if steps != 1 else ''}"
        return f"{type(self).__name__}({self._plan.job!r}, {told}, run_id={self.run_id!r})"

    def _repr_html_(self) -> str:
        """What notebooks show: a drawing."""
        return ports.painter().html_of_run(self._plan, self._log, self.run_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    # -- the run ----------------------------------------------------------------------

    @property
    def success(self) -> bool:
        """Whether the run succeeded."""
        return self._row.status is RunStatus.SUCCESS

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._row.run_id

    @cached_property
    def run(self) -> Run:
        """The run."""
        return Run(self._row)

    @property
    def dagster_run(self) -> Run:
        """The run, under the name that it has in Dagster."""
        return self.run

    @property
    def job_def(self) -> JobDefinition | GraphDefinition | None:
        """The job or graph that was run; None where assets were materialized."""
        return self._job

    @property
    def plan(self) -> Plan:
        """What the run was to do, and why."""
        return self._plan

    @cached_property
    def besides(self) -> Sequence[Besides]:
        """The assets that were made though nobody asked for them, each with the op that made it and the remedy."""
        made = {
            (event.step_key, event.asset_key.text)
            for event in self.get_asset_materialization_events()
            if event.asset_key is not None and not event.step_materialization_data.asked
        }
        return [each for each in self._plan.besides if (each.step, each.asset) in made]

    # -- events -----------------------------------------------------------------------

    @cached_property
    def all_events(self) -> Sequence[Event]:
        """Everything that happened, in order."""
        return events_of(self._row, self._facts, self._plan)

    @cached_property
    def all_node_events(self) -> Sequence[Event]:
        """What happened in steps, in order."""
        return [event for event in self.all_events if event.is_step_event]

    def filter_events(self, event_filter: Callable[[Event], bool]) -> Sequence[Event]:
        """The events for which a function says True."""
        return [event for event in self.all_events if event_filter(event)]

    def events_for_node(self, node_name: str) -> Sequence[Event]:
        """What happened in a node's steps, in order.

        Example:
            >>> [event.event_type.name for event in result.events_for_node("report.load")]
            ['STEP_START', 'STEP_OUTPUT', 'HANDLED_OUTPUT', 'STEP_SUCCESS']
        """
        return self._by_node.get(node_name, [])

    def get_run_success_event(self) -> Event:
        """The event that the run succeeded.

        Raises:
            NoSuchEvent: it did not.
        """
        return self._only(EventType.RUN_SUCCESS)

    def get_run_failure_event(self) -> Event:
        """The event that the run failed.

        Raises:
            NoSuchEvent: it did not.
        """
        return self._only(EventType.RUN_FAILURE)

    @property
    def run_failure_data(self) -> JobFailureData:
        """Why the run failed.

        Raises:
            NoSuchEvent: it did not.
        """
        return self.get_run_failure_event().job_failure_data

    def get_step_success_events(self) -> Sequence[Event]:
        """The events of steps that succeeded."""
        return self._by_type.get(EventType.STEP_SUCCESS, [])

    def get_step_failure_events(self) -> Sequence[Event]:
        """The events of steps that failed for good."""
        return self._by_type.get(EventType.STEP_FAILURE, [])

    def get_step_skipped_events(self) -> Sequence[Event]:
        """The events of steps that were skipped because an optional output did not come."""
        return self._by_type.get(EventType.STEP_SKIPPED, [])

    def get_failed_step_keys(self) -> AbstractSet[str]:
        """The keys of the steps that failed."""
        return {event.step_key for event in self.get_step_failure_events() if event.step_key is not None}

    def get_asset_materialization_events(self) -> Sequence[Event]:
        """The events of assets that were materialized."""
        return self._by_type.get(EventType.ASSET_MATERIALIZATION, [])

    def get_asset_materialization_planned_events(self) -> Sequence[Event]:
        """The events of assets that were to be materialized."""
        return self._by_type.get(EventType.ASSET_MATERIALIZATION_PLANNED, [])

    def get_asset_observation_events(self) -> Sequence[Event]:
        """The events of assets that were observed."""
        return self._by_type.get(EventType.ASSET_OBSERVATION, [])

    def get_asset_check_evaluations(self) -> Sequence[Any]:
        """The results of asset checks; there are none yet."""
        return []

    def asset_materializations_for_node(self, node_name: str) -> Sequence[AssetMaterialization]:
        """What a node materialized, in order."""
        details = (event.event_specific_data for event in self.events_for_node(node_name))
        return [each.materialization for each in details if isinstance(each, StepMaterializationData)]

    def asset_observations_for_node(self, node_name: str) -> Sequence[AssetObservation]:
        """What a node observed, in order."""
        details = (event.event_specific_data for event in self.events_for_node(node_name))
        return [each.asset_observation for each in details if isinstance(each, AssetObservationData)]

    # -- how nodes ended --------------------------------------------------------------

    def is_node_success(self, node_str: str) -> bool:
        """Whether a step of a node succeeded."""
        return self._has(node_str, EventType.STEP_SUCCESS)

    def is_node_failed(self, node_str: str) -> bool:
        """Whether a step of a node failed for good."""
        return self._has(node_str, EventType.STEP_FAILURE)

    def is_node_skipped(self, node_str: str) -> bool:
        """Whether a step of a node was skipped because an optional output did not come."""
        return self._has(node_str, EventType.STEP_SKIPPED)

    def is_node_untouched(self, node_str: str) -> bool:
        """Whether nothing happened in a node: it is not in the run, was reused, or is behind a failed step."""
        return not self.events_for_node(node_str)

    def retry_attempts_for_node(self, node_str: str) -> int:
        """How many further attempts a node's steps made."""
        return sum(event.is_step_restarted for event in self.events_for_node(node_str))

    def failure_data_for_node(self, node_str: str) -> StepFailureData | None:
        """Why a node failed; None if it did not."""
        return next((e.step_failure_data for e in self.events_for_node(node_str) if e.is_step_failure), None)

    # -- values -----------------------------------------------------------------------

    def output_value(self, output_name: str = "result") -> Any:
        """The value of an output of the job's graph.

        Raises:
            NoSuchOutput: the graph returns nothing under that name, or assets were materialized.
            NoOutput: the run did not make it.
        """
        if self._graph is None:
            raise NoSuchOutput(f"the run of `{self._plan.job}`", output_name, (), top=True)
        return self._returned(((self._graph, ""),), output_name)

    def output_for_node(self, node_str: str, output_name: str = "result") -> Any:
        """The value of an output of a node: an op, a graph, or an asset's step.

        Raises:
            NoSuchNode: there is no such node.
            NoSuchOutput: the node has no such output.
            NoOutput: the run did not make it.

        Example:
            >>> result.output_for_node("report.load", "rows")
            7
        """
        steps = self._steps.get(node_str)
        if steps is not None:
            return self._value(node_str, steps, output_name)
        first, *inner = node_str.split(".")
        definition = self._top.get(first)
        graphs: list[tuple[GraphDefinition, str]] = [(self._graph, "")] if self._graph is not None else []
        path = first
        for name in inner:
            if not isinstance(definition, GraphDefinition) or name not in definition.nodes:
                raise NoSuchNode(self._plan.job, node_str, [*self._steps, *self._top])
            graphs.append((definition, path))
            definition = definition.nodes[name].definition
            path = f"{path}.{name}"
        if definition is None:
            raise NoSuchNode(self._plan.job, node_str, [*self._steps, *self._top])
        if isinstance(definition, OpDefinition):
            return self._value(path, (), output_name)
        return self._returned((*graphs, (definition, path)), output_name)

    def asset_value(self, asset_key: CoercibleToAssetKey) -> Any:
        """The value of an asset that the run made.

        Raises:
            NotThatAsset: the run does not make this asset.
            NoOutput: it did not get to it.
        """
        key = AssetKey.from_coercible(asset_key)
        place = self._assets.get(key.text)
        if place is None:
            raise NotThatAsset(key, list(self._assets))
        step, output = place
        return self._value(self._plan.steps[step].key, (step,), output)

    def _value(self, node: str, steps: Sequence[int], output: str) -> Any:
        """The value of an op's output. An op that is split in two has two steps, one of which has made it."""
        if not steps:
            raise NoOutput(node, output, "the step is not part of this run")
        first = self._plan.steps[steps[0]]
        if first.over or any(each.dynamic and each.name == output for each in first.outputs):
            return self._fanned(first, output)
        for number in steps:
            kept = self._past.steps[self._plan.steps[number].key].kept.get(output)
            if kept is not None:
                nothing = kept.stored.place is Place.NONE and kept.stored.asset is None
                return None if nothing else self._load(kept)
        raise self._missing(self._plan.steps[steps[0]], output)

    def _fanned(self, step: Step, output: str) -> dict[str, Any]:
        """The values of a fan-out by mapping key; of nested ones, dicts in it."""
        declared = next((each for each in step.outputs if each.name == output), None)
        if declared is None:
            raise self._missing(step, output)
        found: dict[str, Any] = {}
        for key, past in self._past.steps.items():
            if key != step.key and not key.startswith(f"{step.key}["):
                continue
            path = key[len(step.key) + 1 : -1].split("][") if key != step.key else []
            for kept in past.kept.values():
                if kept.stored.output != output:
                    continue
                at = found
                *above, last = [*path, kept.stored.mapping_key] if kept.stored.mapping_key is not None else path
                for name in above:
                    at = at.setdefault(name, {})
                at[last] = None if kept.stored.place is Place.NONE else self._load(kept)
        return found

    def _missing(self, step: Step, output: str) -> Exception:
        declared = next((each for each in step.outputs if each.name == output), None)
        if declared is None:
            return NoSuchOutput(f"step `{step.key}`", output, [each.name for each in step.outputs])
        ending = self._past.steps[step.key].ending
        if ending != "succeeded":
            return NoOutput(step.key, output, _ENDINGS[ending])
        if declared.role is Role.UNNEEDED:
            return NoOutput(step.key, output, "nothing that was selected needs it, so it was dropped")
        return NoOutput(step.key, output, "the step did not yield it")

    def _returned(self, graphs: Sequence[tuple[GraphDefinition, str]], output: str) -> Any:
        """The value that a graph returns; `graphs` are those around it with their paths, and it last."""
        graph = graphs[-1][0]
        wire = graph.returns.get(output)
        if wire is None:
            raise NoSuchOutput(f"graph `{graph.name}`", output, list(graph.returns), top=not graphs[-1][1])
        return self._carried(graphs, wire, output)

    def _carried(self, graphs: Sequence[tuple[GraphDefinition, str]], wire: Wire, output: str) -> Any:
        """What a wire inside the last of some graphs carries."""
        graph, path = graphs[-1]
        if isinstance(wire, FromNode):
            inside, below = graph.nodes[wire.node].definition, f"{path}.{wire.node}".lstrip(".")
            if isinstance(inside, GraphDefinition):
                value = self._returned((*graphs, (inside, below)), wire.output)
            else:
                value = self._value(below, self._steps.get(below, ()), wire.output)
            return _collected(value, wire.mapping.split("+")) if depth_of(wire.mapping) else value
        if isinstance(wire, FanIn):
            return [self._carried(graphs, item, output) for item in wire.items]
        if not isinstance(wire, FromInput):
            return wire.value
        if len(graphs) > 1:
            wires: Mapping[str, Wire] = graphs[-2][0].wires.get(path.rsplit(".", 1)[-1], {})
            if wire.name in wires:
                return self._carried(graphs[:-1], wires[wire.name], output)
        raise NoOutput(path or graph.name, output, f"it is the input `{wire.name}`, handed through")

    # -- what the lookups need, each made once, when it is first asked for ---------------

    @cached_property
    def _facts(self) -> Sequence[Any]:
        return self._log.facts(self._row.run_id)

    @cached_property
    def _past(self) -> Past:
        return past_of(self._row.run_id, self._plan, self._facts)

    @cached_property
    def _steps(self) -> Mapping[str, Sequence[int]]:
        """Steps by key, and by the node whose code they run."""
        found: dict[str, list[int]] = {}
        for number, step in enumerate(self._plan.steps):
            for name in {step.key, step.node}:
                found.setdefault(name, []).append(number)
        return found

    @cached_property
    def _assets(self) -> Mapping[str, tuple[int, str]]:
        """The step and output of each asset. Of two, where an op is split, the one that was asked for it."""
        found: dict[str, tuple[int, str]] = {}
        for number, step in enumerate(self._plan.steps):
            for output in step.outputs:
                if output.asset is not None and (output.role is Role.SELECTED or output.asset not in found):
                    found[output.asset] = (number, output.name)
        return found

    @cached_property
    def _top(self) -> Mapping[str, Node]:
        """The outermost nodes: of the job's graph, or the definitions of the assets."""
        if self._graph is not None:
            return {name: node.definition for name, node in self._graph.nodes.items()}
        units = self._project.graph.units if self._project is not None else ()
        return {unit.name: unit.definition.node_def for unit in units}

    @cached_property
    def _by_type(self) -> Mapping[EventType, list[Event]]:
        found: dict[EventType, list[Event]] = {}
        for event in self.all_events:
            found.setdefault(event.event_type, []).append(event)
        return found

    @cached_property
    def _by_node(self) -> Mapping[str, list[Event]]:
        """The events of steps, under the step's key, the op that it runs, and each graph around it."""
        names = {step.key: _names_of(step) for step in self._plan.steps}
        found: dict[str, list[Event]] = {}
        for event in self.all_node_events:
            key = event.step_key or ""
            template = key.partition("[")[0]
            for name in names[key] if key == template else {*names[template], key}:
                found.setdefault(name, []).append(event)
        return found

    def _has(self, node: str, kind: EventType) -> bool:
        return any(event.event_type is kind for event in self.events_for_node(node))

    def _only(self, kind: EventType) -> Event:
        events = self._by_type.get(kind)
        if not events:
            raise NoSuchEvent(kind, self.run_id)
        return events[0]


def _collected(value: Any, how: Sequence[str]) -> Any:
    """The dicts of a fan-out as it is collected, the innermost level first."""
    return _level(value, list(reversed(how)))


def _level(value: Any, how: Sequence[str]) -> Any:
    if not how:
        return value
    inner = {key: _level(each, how[1:]) for key, each in value.items()}
    return inner if "_dict" in how[0] else list(inner.values())


def _names_of(step: Step) -> set[str]:
    parts = step.node.split(".")
    return {step.key, *(".".join(parts[: i + 1]) for i in range(len(parts)))}
