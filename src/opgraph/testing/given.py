"""Values that assets are said to have, so that what is made of them can be run alone."""

import os
import time
from collections.abc import Mapping
from typing import Any

from opgraph.events import AnyFact, RunEnded, RunStarted, RunStatus, StepStarted, StepSucceeded, Stored
from opgraph.keys import AssetKey
from opgraph.operate.api import materialize
from opgraph.operate.execute import new_run_id
from opgraph.operate.target import Selection
from opgraph.plan.model import Decision, Do, Plan, Role, Step, StepOutput, encode_plan
from opgraph.record.rows import RunRow
from opgraph.run.instance import Instance
from opgraph.run.results import ExecuteInProcessResult
from opgraph.testing.projects import Given, Tested, definitions_of, still_needed
from opgraph.values.store import Origin

JOB = "pretended"  # the name of the job under which pretended values stand in the record


def pretend(instance: Instance, given: Given) -> str:
    """Record a materialization of some assets with these values, as if a run had made them.

    The values are kept by the instance itself, whatever I/O managers the assets have: nothing is written to a
    database or bucket, and a later run loads what was given here. Only an input with a manager of its own
    (`input_manager_key`) asks that manager.

    Args:
        instance: where to record.
        given: the values by asset key.

    Returns:
        The id of the run that stands for it.

    Raises:
        UnstorableValueError: a value cannot be pickled.

    Example:
        >>> pretend(instance, {"raw/flights": [{"delay": 3}]})
        >>> materialize([delays], instance=instance, selection="delays")
    """
    values = {AssetKey.from_coercible(key): value for key, value in given.items()}
    run_id, now = new_run_id(), time.time()
    steps: list[Step] = []
    facts: list[AnyFact] = [RunStarted(now, 1, os.getpid())]
    blobs: list[bytes | None] = [None]
    for number, (key, value) in enumerate(values.items()):
        step = _step(key)
        stored, blob = _put(instance, run_id, step.key, key, value)
        steps.append(step)
        facts += [StepStarted(number, 1, now), StepSucceeded(number, 1, now, outputs=(stored,))]
        blobs += [None, blob]
    facts.append(RunEnded(now, RunStatus.SUCCESS))
    plan = Plan(JOB, tuple(steps), selection=tuple(key.text for key in values))
    row = RunRow(run_id=run_id, job=JOB, status=RunStatus.STARTING, root=run_id, plan=encode_plan(plan), created=now)
    instance.record.create(row)
    writer = instance.record.claim(run_id, pid=os.getpid(), host=os.uname().nodename, now=now)
    try:
        writer.append(facts, blobs)
    finally:
        writer.release()
    return run_id


def _step(key: AssetKey) -> Step:
    name = key.to_python_identifier()
    return Step(
        key=name,
        node=name,
        op=name,
        inputs=(),
        outputs=(StepOutput("result", Role.SELECTED, asset=key.text),),
        decision=Decision(Do.RUN, "selected", key.text),
        unit=name,
    )


def _put(instance: Instance, run_id: str, step: str, key: AssetKey, value: Any) -> tuple[Stored, bytes | None]:
    return instance.assets.put(value, "result", Origin(run_id, step, 1), asset=key.text, io_manager="io_manager")


def run(
    tested: Tested,
    selection: Selection = None,
    *,
    given: Given | None = None,
    instance: Instance | None = None,
    resources: Mapping[str, Any] | None = None,
    raise_on_error: bool = True,
    **options: Any,
) -> ExecuteInProcessResult:
    """Materialize assets in this process, with the values of some upstream assets given instead of made.

    Args:
        tested: definitions, one asset, or several. An asset of which only the value is given need not be among them.
        selection: which assets; by default all that is made of the given values, and what else that takes.
        given: values by asset key. They are never computed here, and no I/O manager is asked for them.
        instance: where it is recorded; by default in memory.
        resources: objects by resource key, instead of those of the definitions.
        raise_on_error: whether a failed step raises its error here.
        **options: what else `materialize` takes.

    Raises:
        InvalidDefinitionError: the definitions cannot work, the selection cannot be run (InvalidSubsetError), or
            nothing takes a given value (GivenToNobody).
        Exception: what a step raised, unless `raise_on_error` is False.

    Example:
        >>> run([flights, delays], given={"flights": [{"delay": 3}]}).asset_value("delays")
    """
    values = {AssetKey.from_coercible(key): value for key, value in (given or {}).items()}
    definitions = definitions_of(tested, resources, values)
    owner = instance or Instance.ephemeral()
    if values:
        pretend(owner, values)
        if selection is None:
            selection = still_needed(definitions, values)
    return materialize(
        definitions.assets,
        instance=owner,
        resources=definitions.resources,
        raise_on_error=raise_on_error,
        selection=selection,
        **options,
    )
