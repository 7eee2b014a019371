"""The process of the definitions: loads the user's code, and answers in JSON what only that can tell.

It reads a request a line and writes a reply a line. What user code prints goes where errors go, so that it cannot be
taken for a reply. It begins by saying what it loaded, or why it could not.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from opgraph.declare.assets.selection import AssetSelection
from opgraph.declare.project.job import AssetJob
from opgraph.errors import Error
from opgraph.operate import execute, lineage
from opgraph.operate.project import Location, load, locate, make_home
from opgraph.operate.target import EVERYTHING
from opgraph.plan.code import Hashes
from opgraph.plan.model import Plan, Role, Step, decode_plan, outputs_in
from opgraph.resolve.project import Project, resolve
from opgraph.resolve.select import select
from opgraph.run.instance import Instance
from opgraph.show.draw.assets import asset_scene, job_scene
from opgraph.show.draw.model import Scene
from opgraph.show.web import forms
from opgraph.show.web import messages as m
from opgraph.show.web.ids import asset_id
from opgraph.show.web.launching import encoded, how, plan_of, wanted
from opgraph.show.web.picture import picture
from opgraph.show.web.reports import mistakes, problem_of, project_error

Json = dict[str, Any]


def main() -> None:
    """Serve until the other end is closed."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    asked = sys.stdin
    where = json.loads(asked.readline())
    location = locate(where["file"], where["module"], where["attribute"], start=Path(where["start"]))

    def say(reply: Json) -> None:
        out.write(encoded(reply))

    try:
        served = Definitions(location)
        manifest = served.manifest()
    except Error as error:
        say({"broken": project_error(error).model_dump()})
        return
    say({"manifest": manifest})
    for line in asked:
        request = json.loads(line)
        say({"id": request["id"], **served.answer(request["do"], request["with"])})


class Definitions:
    """The definitions, loaded; and what is asked about them.

    Args:
        location: where they are.

    Raises:
        Error: they cannot be loaded, or cannot work.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._definitions = load(location)
        self.project: Project = resolve(self._definitions)
        make_home(location)
        self._instance = Instance(location.home, durability=location.durability or "power", retention=None)

    def answer(self, what: str, given: Json) -> Json:
        """A reply to one request: `ok`, or a `problem`."""
        verbs: Mapping[str, Callable[[Json], Any]] = {
            "select": self._select,
            "plan": self._plan,
            "enqueue": self._enqueue,
            "form": self._form,
            "drawing": self._drawing,
        }
        try:
            return {"ok": verbs[what](given)}
        except Error as error:
            return {"problem": problem_of(error).model_dump()}
        except RecursionError:
            return {"problem": m.Problem(kind="TooDeep", text="that is nested too deep").model_dump()}

    def manifest(self) -> Json:
        """All assets as they are declared, with the hashes of their code."""
        graph = self.project.graph
        assets: list[Json] = []
        units: Json = {}
        for key in graph.in_order():
            each = lineage.summary(graph, key)
            file, _, line = each.source.rpartition(":")
            assets.append(
                {
                    "id": asset_id(each.asset),
                    "key": each.asset,
                    "kind": each.kind,
                    "group": each.group,
                    "kinds": list(each.kinds),
                    "owners": list(each.owners),
                    "tags": each.tags,
                    "description": each.description,
                    "graph_backed": each.kind == "graph",
                    "unit": each.made_by,
                    "op_count": each.ops,
                    "upstream": [asset_id(other) for other in each.upstream],
                    "downstream": [asset_id(other) for other in each.downstream],
                    "file": file,
                    "line": int(line or 0),
                    "ops": [self._op(each.made_by, op) for op in lineage.ops_of(graph, key)],
                }
            )
        mapped: set[str] = set()
        codes = Hashes()
        for unit in graph.units:
            steps = unit.flat.steps
            units[unit.name] = {step.key: (codes[step.op.body.fn], step.op.code_version or "") for step in steps}
            mapped.update(step.key for step in steps if step.over)
        for op in (op for asset in assets for op in asset["ops"]):
            op["mapped"] = op["key"] in mapped
        jobs = [self._job(job) for job in self.project.jobs.values()]
        body = msgspec.json.encode([assets, units, jobs])
        return {
            "id": hashlib.blake2b(body, digest_size=8).hexdigest(),
            "name": self._name(),
            "loaded_at": time.time(),
            # Of thousands of ops the text is a tenth of what it is read, and it is read of one asset at a time.
            "assets": [{**asset, "ops": msgspec.json.encode(asset["ops"]).decode()} for asset in assets],
            "units": {name: msgspec.json.encode(steps).decode() for name, steps in units.items()},
            "jobs": jobs,
        }

    def _name(self) -> str:
        """The project's: that of its folder."""
        root, home = self._location.root, self._location.home
        return (home.parent if root.is_relative_to(home.parent) else root).name or self._location.origin

    @staticmethod
    def _op(unit: str, op: lineage.OpView) -> Json:
        key = f"{unit}.{op.path}" if op.path else unit
        return {"key": key, "path": op.path, "op": op.op, "takes": list(op.takes), "mapped": False}

    @staticmethod
    def _job(job: Any) -> Json:
        source = job.source
        return {
            "name": job.name,
            "kind": "assets" if isinstance(job, AssetJob) else "ops",
            "description": job.description or "",
            "file": source.file if source is not None else "",
            "line": source.line if source is not None else 0,
        }

    def _select(self, given: Json) -> list[str]:
        found = select(self.project.graph, AssetSelection.from_string(given["query"]), self._recorded)
        return [asset_id(key.text) for key in self.project.graph.in_order() if key in found]

    def _recorded(self, keys: Any) -> Any:
        return self._instance.record.latest(keys).keys()

    # -- plans ------------------------------------------------------------------------

    def _plan(self, given: Json) -> Json:
        try:
            plan, same = self._planned(given)
        except Error as error:
            return _without_steps(given, mistakes(error))
        return planned(plan, same_run=same).model_dump()

    def _planned(self, given: Json) -> tuple[Plan, bool]:
        target, row = wanted(self._definitions, self._instance, self._location, given)
        plan = plan_of(target, row, self._instance, given)
        if row is None or row.status.is_final or (given.get("mode") or "failed") != "failed":
            return plan, False
        changed = given.get("policy") is not None or bool(given.get("config"))
        return plan, not changed and decode_plan(row.plan).code == plan.code

    def _enqueue(self, given: Json) -> str:
        """Record a run, for a process of its own to take up."""
        target, row = wanted(self._definitions, self._instance, self._location, given)
        with self._instance.record.planning() as gate:
            plan = plan_of(target, row, self._instance, given)
            options = how(self._location, given)
            return execute.enqueue(
                target, plan, self._instance, parent=row, gate=gate, why=given.get("why") or "", **options
            )

    # -- forms ------------------------------------------------------------------------

    def _form(self, given: Json) -> Json:
        """The target is made without a configuration: what it lacks is what is asked for."""
        return m.FormReply(
            fields=forms.of_target(wanted(self._definitions, self._instance, self._location, given)[0])
        ).model_dump()

    def _drawing(self, given: Json) -> msgspec.Raw:
        graph = self.project.graph
        if given["job"]:
            return self._laid_out(job_scene(self.project, given["job"], opened=set(given["open"])))
        keys = None
        if given["query"].strip():
            keys = select(graph, AssetSelection.from_string(given["query"]), self._recorded)
        ids = {asset_id(key.text): f"asset:{key.text}" for key in graph.nodes}
        opened = {ids.get(each, each) for each in given["open"]}
        return self._laid_out(asset_scene(graph, keys, opened=opened, folded=set(given["fold"])))

    def _laid_out(self, scene: Scene) -> msgspec.Raw:
        return msgspec.Raw(picture(scene, self._location.home / "drawings"))


def _without_steps(given: Json, problems: list[m.Mistake]) -> Json:
    selection = [given["selection"]] if given.get("selection") else []
    return m.PlanReply(
        job=given.get("job") or "", selection=selection, steps=[], besides=[], counts={}, problems=problems
    ).model_dump()


def planned(plan: Plan, *, same_run: bool) -> m.PlanReply:
    """A plan as a reply."""
    return m.PlanReply(
        job="" if plan.job == EVERYTHING else plan.job,
        selection=list(plan.selection),
        steps=[_step(plan, n, step) for n, step in enumerate(plan.steps)],
        besides=[
            m.Besides(
                asset=each.asset,
                step=each.step,
                output=each.output,
                certain=each.certain,
                policy=each.policy.value,
                remedy=each.remedy,
            )
            for each in plan.besides
        ],
        missing=list(plan.missing),
        counts={do.value: count for do, count in plan.counts().items()},
        changes={kind: list(names) for kind, names in plan.changes.items()},
        parent=plan.parent,
        same_run=same_run,
    )


def _step(plan: Plan, n: int, step: Step) -> m.PlannedStep:
    unit = step.unit or plan.job
    inner = step.key.removeprefix(f"{unit}.") if step.key != unit else ""
    return m.PlannedStep(
        n=n,
        key=step.key,
        op=step.op,
        unit=unit,
        path=[unit, *(inner.split(".") if inner else [])],
        assets=[o.asset for o in step.outputs if o.asset is not None and o.role is Role.SELECTED],
        decision=step.decision.outlook.value,
        why=step.decision.why,
        reason=step.decision.reason,
        reused_from=step.decision.kept[0].run if step.decision.kept else None,
        mapped=bool(step.over),
        keys=dict(step.decision.counts),
        config=step.config,
        after=sorted({output.step for each in step.inputs for output in outputs_in(each.source)}),
    )


if __name__ == "__main__":
    main()
