"""From a run's plan and facts to its fine-grained events. Each is derived when somebody asks; none is stored."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from opgraph import engine, events
from opgraph.declare.metadata import all_from_wire
from opgraph.declare.ops.materialization import AssetMaterialization, AssetObservation
from opgraph.events import AnyFact, ErrorInfo, Kept, Stored
from opgraph.keys import AssetKey
from opgraph.plan.memo import address
from opgraph.plan.model import (
    Do,
    FromAsset,
    FromCollected,
    FromMany,
    FromMapped,
    FromStep,
    InputSource,
    Plan,
    Policy,
    Role,
    StepInput,
    decode_plan,
)
from opgraph.record.rows import Materialized, RunRow
from opgraph.run.report.event import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    Details,
    Event,
    EventError,
    EventType,
    HandledOutputData,
    HookErroredData,
    JobFailureData,
    LoadedInputData,
    StepFailureData,
    StepInputData,
    StepMaterializationData,
    StepOutputData,
    StepOutputHandle,
    StepRetryData,
    StepSuccessData,
    UserFailureData,
)
from opgraph.run.report.made import Made

_MANAGER = "io_manager"  # the key of the manager where nothing names another
_FAILURE = "Failure"  # the class that an op raises to fail on purpose
_WRONG_TYPE = "WrongType"  # the class of an input or output that is not of its declared type
_DATA_VERSION = "dagster/data_version"  # the tag under which code written for Dagster looks for it


def events_of(row: RunRow, facts: Iterable[tuple[int, AnyFact]], plan: Plan | None = None) -> list[Event]:
    """Everything that happened in a run, in order.

    Args:
        row: the run, with its plan unless `plan` is given.
        facts: all its facts, numbered, in the order of the log.
        plan: the run's plan, where the caller has it decoded.
    """
    return _View(row, plan if plan is not None else _plan_of(row), list(facts)).told()


def materialization_event(row: RunRow, found: Materialized) -> Event:
    """The event that announced a materialization which the catalog knows.

    Args:
        row: the run that made it, with its plan.
        found: what the catalog says.
    """
    plan = _plan_of(row)
    step_key = plan.steps[found.step].key if 0 <= found.step < len(plan.steps) else None
    details = _materialized(found.stored, row.run_id, found.seq)
    return _event(row, EventType.ASSET_MATERIALIZATION, found.time, f"Materialized {found.asset}.", step_key, details)


def _event(
    row: RunRow, kind: EventType, time: float, message: str, step_key: str | None, details: Details | None
) -> Event:
    return Event(
        event_type=kind,
        run_id=row.run_id,
        job_name=row.job,
        timestamp=time,
        message=message,
        step_key=step_key,
        event_specific_data=details,
    )


def error_of(info: ErrorInfo) -> EventError:
    """An exception and its causes, as code written for Dagster reads them."""
    return EventError(
        message=f"{info.kind}: {info.message}\n" + "".join(f"{note}\n" for note in info.notes),
        cls_name=info.kind,
        stack=[f'  File "{f.file}", line {f.line}, in {f.function}\n    {f.text}\n' for f in info.frames],
        cause=error_of(info.cause) if info.cause is not None else None,
    )


def _plan_of(row: RunRow) -> Plan:
    return decode_plan(row.plan) if row.plan else Plan(job=row.job, steps=())


def _materialized(stored: Stored, run: str, seq: int) -> StepMaterializationData:
    assert stored.asset is not None
    tags = {_DATA_VERSION: stored.data_version or address(run, seq, stored.asset), **stored.tags}
    materialization = AssetMaterialization(stored.asset, metadata=all_from_wire(stored.metadata), tags=tags)
    return StepMaterializationData(materialization=materialization, asked=stored.asked)


class _View:
    """Goes through the facts once, knowing what is needed of those before."""

    def __init__(self, row: RunRow, plan: Plan, facts: Sequence[tuple[int, AnyFact]]) -> None:
        self.row, self.plan, self.facts = row, plan, facts
        made = Made(plan, facts, lambda: facts)
        self.keys, self.templates = made.keys, made.templates
        self.found: list[Event] = []
        self.came: set[tuple[int, str]] = set()  # outputs that can be loaded
        self.fed: set[tuple[int, int]] = set()  # attempts of which the inputs were told
        ended = [fact for _, fact in facts if isinstance(fact, (events.StepSucceeded, events.StepFailed))]
        self.of_inputs = {  # what I/O managers said of what they loaded
            (fact.step, fact.attempt, read.input): all_from_wire(read.metadata)
            for fact in ended
            for read in fact.reads
            if read.metadata
        }
        self.refused = {  # inputs whose value was of another type than declared, with what was said
            (fact.step, fact.attempt, fact.error.about): fact.error.message
            for fact in ended
            if isinstance(fact, events.StepFailed) and fact.error.kind == _WRONG_TYPE and fact.error.about
        }
        self.failed: list[Event] = []
        self.retries = self._retries()

    def told(self) -> list[Event]:
        self._planned()
        for seq, fact in self.facts:
            self._tell(seq, fact)
        return self.found

    def _add(
        self, kind: EventType, time: float, message: str, step: int | None = None, details: Details | None = None
    ) -> Event:
        event = _event(self.row, kind, time, message, None if step is None else self.keys[step], details)
        self.found.append(event)
        return event

    def _retries(self) -> dict[int, float]:
        """The failures that another attempt follows, by number, with the seconds it waits. The engine says."""
        if not any(isinstance(fact, events.StepFailed) for _, fact in self.facts):
            return {}
        state = engine.new(engine.program.compile(self.plan))
        waits: dict[int, float] = {}
        for seq, fact in self.facts:
            for command in engine.advance(state, fact, seq):
                if isinstance(command, engine.Delay):
                    waits[seq] = command.seconds
        return waits

    def _planned(self) -> None:
        besides = {(b.step, b.output): b for b in self.plan.besides if b.certain and b.policy is Policy.MATERIALIZE}
        for number, step in enumerate(self.plan.steps):
            if step.decision.do in (Do.REUSE, Do.SKIP):
                continue
            for output in step.outputs:
                selected = output.role is Role.SELECTED
                if output.asset is not None and (selected or (step.key, output.name) in besides):
                    details = AssetMaterializationPlannedData(asset_key=AssetKey(output.asset), asked=selected)
                    message = f"{self.row.job} intends to materialize asset {output.asset}"
                    kind = EventType.ASSET_MATERIALIZATION_PLANNED
                    self._add(kind, self.row.created, message, number, details)

    def _tell(self, seq: int, fact: AnyFact) -> None:
        job = self.row.job
        match fact:
            case events.RunStarted(epoch=epoch) if epoch > 1:
                self._add(EventType.RUN_RESUMED, fact.time, f'Process {fact.pid} went on with the run of "{job}".')
            case events.RunStarted():
                self._add(EventType.RUN_START, fact.time, f'Started execution of run for "{job}".')
            case events.CancelRequested():
                by = f", asked by {fact.by}" if fact.by else ""
                self._add(EventType.RUN_CANCELING, fact.time, f'Canceling the run of "{job}"{by}.')
            case events.RunEnded():
                self._ended(fact)
            case events.StepStarted(step=step, attempt=1):
                self._add(EventType.STEP_START, fact.time, f'Started execution of step "{self.keys[step]}".', step)
            case events.StepStarted(step=step):
                message = f'Started re-execution (attempt # {fact.attempt}) of step "{self.keys[step]}".'
                self._add(EventType.STEP_RESTARTED, fact.time, message, step)
            case events.OutputStored():
                self._feed(fact.step, fact.attempt, fact.time)
                self._output(seq, fact.step, fact.time, fact.stored)
            case events.AssetReported():
                if self.keys:
                    self._feed(fact.step, fact.attempt, fact.time)
                self._reported(fact)
            case events.StepSucceeded():
                self._succeeded(seq, fact)
            case events.StepFailed():
                self._step_failed(seq, fact)
            case _:
                self._aside(fact)

    def _aside(self, fact: AnyFact) -> None:
        """What has no event of its own in Dagster, but for a step that was skipped."""
        match fact:
            case events.StepSkipped(step=step, blocked=False):
                self._add(EventType.STEP_SKIPPED, fact.time, f'Skipped execution of step "{self.keys[step]}".', step)
            case events.StepSkipped(step=step):
                self._note(step, fact.time, f'does not run, because step "{self.keys[fact.because]}" did not succeed')
            case events.StepReused(step=step, kept=kept) | events.Found(step=step, kept=kept):
                self.came.update((step, each.stored.output) for each in kept)
                self._note(step, fact.time, f"reuses outputs stored by {_runs_of(kept)}")
            case events.StepInterrupted(step=step):
                self._note(step, fact.time, f"was interrupted: {fact.reason}" if fact.reason else "was interrupted")
            case events.StepWaits(step=step):
                self._note(step, fact.time, f'waits for a slot of pool "{fact.pool}"')
            case events.ValueLost(step=step):
                self.came.discard((step, fact.output))
                self._note(step, fact.time, f'has lost its stored output "{fact.output}"')
            case _:
                pass

    def _note(self, step: int, time: float, said: str) -> None:
        self._add(EventType.ENGINE_EVENT, time, f'Step "{self.keys[step]}" {said}.', step)

    def _ended(self, fact: events.RunEnded) -> None:
        job = self.row.job
        if fact.status is events.RunStatus.SUCCESS:
            self._add(EventType.RUN_SUCCESS, fact.time, f'Finished execution of run for "{job}".')
        elif fact.status is events.RunStatus.CANCELED:
            self._add(EventType.RUN_CANCELED, fact.time, f'Execution of run for "{job}" canceled.')
        else:
            error = error_of(fact.error) if fact.error is not None else None
            message = f'Execution of run for "{job}" failed.'
            if self.failed:
                message += f" Steps failed: {[event.step_key for event in self.failed]}."
            elif error is not None:
                message += f" {error.message.strip()}"
            first = self.failed[0] if self.failed else None
            details = JobFailureData(error=error, first_step_failure_event=first)
            self._add(EventType.RUN_FAILURE, fact.time, message, None, details)

    # -- one attempt ------------------------------------------------------------------

    def _feed(self, step: int, attempt: int, time: float, *, until: str | None = None) -> None:
        """The inputs of an attempt, the first time that something is known to have come after them; `until` is the
        one that could not be loaded."""
        if (step, attempt) in self.fed:
            return
        self.fed.add((step, attempt))
        for given in self.plan.steps[self.templates[step]].inputs:
            if given.name == until:
                return
            for source in given.source.items if isinstance(given.source, FromMany) else (given.source,):
                loaded = self._loaded(given, source, self.of_inputs.get((step, attempt, given.name), {}))
                if loaded is not None:
                    self._add(EventType.LOADED_INPUT, time, _loading(loaded), step, loaded)
            details = StepInputData(input_name=given.name, type_error=self.refused.get((step, attempt, given.name)))
            self._add(EventType.STEP_INPUT, time, f'Got input "{given.name}".', step, details)

    def _loaded(self, given: StepInput, source: InputSource, metadata: Mapping[str, object]) -> LoadedInputData | None:
        """The details of an input that was loaded; None: its value came from the caller or the code, or not at all."""
        if isinstance(source, FromAsset):
            return LoadedInputData(input_name=given.name, manager_key=given.manager or _MANAGER, metadata=metadata)
        fanned = isinstance(source, (FromMapped, FromCollected)) or (
            isinstance(source, FromStep) and bool(self.plan.steps[source.step].over)
        )
        if isinstance(source, (FromStep, FromMapped, FromCollected)) and (
            fanned or (source.step, source.output) in self.came
        ):
            upstream = self.plan.steps[source.step]
            stored_by = next(output.io_manager for output in upstream.outputs if output.name == source.output)
            return LoadedInputData(
                input_name=given.name,
                manager_key=given.manager or stored_by,
                upstream_output_name=source.output,
                upstream_step_key=upstream.key,
                metadata=metadata,
            )
        return None

    def _output(self, seq: int, step: int, time: float, stored: Stored) -> None:
        self.came.add((step, stored.output))
        name, metadata = stored.output, all_from_wire(stored.metadata)
        handle = StepOutputHandle(step_key=self.keys[step], output_name=name, mapping_key=stored.mapping_key)
        details = StepOutputData(step_output_handle=handle, metadata=metadata)
        self._add(EventType.STEP_OUTPUT, time, f'Yielded output "{name}".', step, details)
        if stored.asset is not None:
            message = f"Materialized value {stored.asset}."
            self._add(EventType.ASSET_MATERIALIZATION, time, message, step, _materialized(stored, self.row.run_id, seq))
        if stored.place is not events.Place.NONE:
            manager = stored.io_manager or _MANAGER
            message = f'Handled output "{name}" using IO manager "{manager}"'
            handled = HandledOutputData(output_name=name, manager_key=manager, metadata=metadata)
            self._add(EventType.HANDLED_OUTPUT, time, message, step, handled)

    def _reported(self, fact: events.AssetReported) -> None:
        metadata = all_from_wire(fact.metadata)
        kind = AssetObservation if fact.observation else AssetMaterialization
        step = fact.step if self.keys else None  # there are none outside runs
        said = kind(fact.asset, description=fact.description or None, metadata=metadata, tags=fact.tags)
        if isinstance(said, AssetObservation):
            details = AssetObservationData(asset_observation=said)
            self._add(EventType.ASSET_OBSERVATION, fact.time, f"Observed {fact.asset}.", step, details)
        else:
            details = StepMaterializationData(materialization=said)
            message = f"Materialized value {fact.asset}."
            self._add(EventType.ASSET_MATERIALIZATION, fact.time, message, step, details)

    def _succeeded(self, seq: int, fact: events.StepSucceeded) -> None:
        self._feed(fact.step, fact.attempt, fact.time)
        for stored in fact.outputs:
            self._output(seq, fact.step, fact.time, stored)
        took = (fact.load + fact.compute + fact.store) / 1000
        message = f'Finished execution of step "{self.keys[fact.step]}" in {took:.3g}ms.'
        self._add(EventType.STEP_SUCCESS, fact.time, message, fact.step, StepSuccessData(duration_ms=took))
        self._hooks(fact)

    def _step_failed(self, seq: int, fact: events.StepFailed) -> None:
        error, key = fact.error, self.keys[fact.step]
        if error.during == "load":
            self._feed(fact.step, fact.attempt, fact.time, until=error.about)
        elif error.during in ("compute", "store"):
            self._feed(fact.step, fact.attempt, fact.time)
        shown = error_of(error)
        if any(frame.own for frame in error.frames) and error.kind != _FAILURE:
            shown = msgspec.structs.replace(shown, cause=shown)
        if seq in self.retries:
            retry = StepRetryData(error=shown, seconds_to_wait=self.retries[seq])
            message = f'Execution of step "{key}" failed and has requested a retry.'
            self._add(EventType.STEP_UP_FOR_RETRY, fact.time, message, fact.step, retry)
            return
        said = None
        if error.kind == _FAILURE:
            said = UserFailureData(
                label="intentional-failure", description=error.message or None, metadata=all_from_wire(error.metadata)
            )
        details = StepFailureData(error=shown, user_failure_data=said)
        message = f'Execution of step "{key}" failed.'
        self.failed.append(self._add(EventType.STEP_FAILURE, fact.time, message, fact.step, details))
        self._hooks(fact)

    def _hooks(self, fact: events.StepSucceeded | events.StepFailed) -> None:
        for hook in fact.hooks:
            of = f'hook "{hook.name}" for "{self.keys[fact.step]}"'
            if hook.error is not None:
                details = HookErroredData(error=error_of(hook.error))
                self._add(EventType.HOOK_ERRORED, hook.time, f"Error in the {of}.", fact.step, details)
            elif hook.skipped:
                self._add(EventType.HOOK_SKIPPED, hook.time, f"Skipped the {of}.", fact.step)
            else:
                self._add(EventType.HOOK_COMPLETED, hook.time, f"Finished the {of}.", fact.step)


def _loading(loaded: LoadedInputData) -> str:
    message = f'Loaded input "{loaded.input_name}" using input manager "{loaded.manager_key}"'
    if loaded.upstream_step_key is not None:
        message += f', from output "{loaded.upstream_output_name}" of step "{loaded.upstream_step_key}"'
    return message


def _runs_of(kept: Iterable[Kept]) -> str:
    runs = sorted({each.run for each in kept})
    return f"run {', '.join(runs)}" if runs else "an earlier run"
