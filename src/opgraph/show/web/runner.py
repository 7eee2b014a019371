"""The process of one run that the web server started, and that goes on without it.

It reads one line that says what is to be run, and writes one line: the run's id, once it has begun, or why it did not.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from opgraph.errors import Error
from opgraph.events import RunStatus
from opgraph.operate import execute
from opgraph.operate.project import Location, load, locate, make_home
from opgraph.operate.project_mistakes import DefinitionsFailedError
from opgraph.plan.model import Plan
from opgraph.run.failure import error_info
from opgraph.run.instance import Instance
from opgraph.show.web import messages as m
from opgraph.show.web.launching import as_given, encoded, how, wanted
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
            with suppress(BrokenPipeError):  # the server is gone
                os.write(answer, encoded(reply))
            os.close(answer)
            answer = -1

    def begun(_plan: Plan, run_id: str) -> None:
        say({"run_id": run_id})
        os.dup2(nothing, 2)

    try:
        location = locate(where["file"], where["module"], where["attribute"], start=Path(where["start"]))
        make_home(location)
        state: Json = {"durability": location.durability or "power", "retention": location.retention}
        with Instance(location.home, python_logs=location.python_logs, **state) as instance:
            status = _run(location, instance, asked["run"], asked["run_id"], begun)
        say({"status": status.value})
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


def _run(location: Location, instance: Instance, given: Json, run_id: str, begun: execute.OnPlan) -> RunStatus:
    options: execute.Driving = {"on_plan": begun, **how(location, given)}
    if not run_id:  # one whose process died: whether it goes on, or a new one does, is found out with its lease held
        mode = given.get("mode")
        steps: list[str] = given.get("steps") or []
        return execute.resume(
            load(location),
            given["parent"],
            instance=instance,
            from_step=steps[0] if mode == "from" else None,
            only=steps if mode == "only" else (),
            policy=given.get("policy"),
            config=as_given(given.get("config") or {}),
            memoize=location.memoize,
            why=given.get("why") or "",
            **options,
        ).status
    try:
        target = wanted(load(location), instance, location, given)[0]
    except Error as error:
        cause = error.problem if isinstance(error, DefinitionsFailedError) else error
        execute.never_began(instance, run_id, error_info(cause, during="worker"))
        raise
    return execute.take_up(target, run_id, instance, **options)


if __name__ == "__main__":
    main()
