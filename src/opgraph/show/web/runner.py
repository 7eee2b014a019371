"""The process of one run that the web server started, and that goes on without it.

It reads one line that says what is to be run, and writes one line: the run's id, once it is recorded, or the problem.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from opgraph.declare.executor import ExecutorChoice
from opgraph.errors import Error
from opgraph.events import RunStatus
from opgraph.operate import execute
from opgraph.operate.planning import row_of
from opgraph.operate.project import Location, load, locate, make_home
from opgraph.plan.model import Plan
from opgraph.run.instance import Instance
from opgraph.show.web import messages as m
from opgraph.show.web.launching import again, as_given, encoded, named
from opgraph.show.web.reports import problem_of

Json = dict[str, Any]


def main() -> None:
    """Run what was asked for."""
    answer = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)  # whoever started this may be gone by the time something is printed
    asked = json.loads(sys.stdin.readline())
    os.dup2(nothing, 0)
    where = asked["where"]

    def say(reply: Json) -> None:
        nonlocal answer
        if answer >= 0:
            os.write(answer, encoded(reply))
            os.close(answer)
            answer = -1

    def begun(_plan: Plan, run_id: str) -> None:
        say({"run_id": run_id})
        os.dup2(nothing, 2)

    try:
        location = locate(where["file"], where["module"], where["attribute"], start=Path(where["start"]))
        status = _run(location, asked["run"], begun)
    except Error as error:
        say({"problem": problem_of(error).model_dump()})
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit):
        say({"problem": m.Problem(kind="Interrupted", text="the process was told to stop").model_dump()})
        raise
    except Exception as error:
        say({"problem": m.Problem(kind=type(error).__name__, text=f"an error inside opgraph: {error}").model_dump()})
        raise
    sys.exit(0 if status is RunStatus.SUCCESS else 1)


def _run(location: Location, given: Json, begun: execute.OnPlan) -> RunStatus:
    definitions = load(location)
    make_home(location)
    config = as_given(given.get("config") or {})
    options: Json = {"on_plan": begun, "why": given.get("why") or ""}
    options |= {"executor": _executor(given), "otherwise": location.executor, "timeout": given.get("timeout")}
    state: Json = {"durability": location.durability or "power", "retention": location.retention}
    with Instance(location.home, python_logs=location.python_logs, **state) as instance:
        parent = given.get("parent")
        if not parent:
            return execute.materialize(
                definitions,
                given.get("selection"),
                instance=instance,
                job=given.get("job"),
                policy=given.get("policy") or location.on_unselected,
                tags=given.get("tags") or {},
                config=config,
                reuse=given.get("reuse") or "",
                memoize=location.memoize,
                **options,
            ).status
        mode, steps, policy = given.get("mode") or "failed", named(given), given.get("policy")
        if mode == "all":
            row = row_of(instance, parent)
            with instance.record.planning() as gate:
                target, plan = again(definitions, row, instance, policy, config)
                return execute.start(target, plan, instance, parent=row, resumed="new", gate=gate, **options).status
        return execute.resume(
            definitions,
            parent,
            instance=instance,
            from_step=steps[0] if mode == "from" else None,
            only=steps if mode == "only" else (),
            policy=policy,
            config=config,
            memoize=location.memoize,
            **options,
        ).status


def _executor(given: Json) -> ExecutorChoice | None:
    name, workers = given.get("executor"), given.get("workers")
    if not name:
        return None
    return ExecutorChoice(name, {"max_concurrent": workers} if workers else {})


if __name__ == "__main__":
    main()
