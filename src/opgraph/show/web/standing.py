"""Where each asset stands: never made, fresh, stale and why, failed, canceled, or being made.

An asset is stale where its code is not what made it, where one that it is made from has a newer version with other
content, or where one of those is stale itself.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from opgraph.events import Read, RunStatus
from opgraph.operate import inspect
from opgraph.operate.fold import Phase
from opgraph.operate.made_from import Find, Trace, made_from, traced
from opgraph.plan.model import Do
from opgraph.record.rows import Materialized, RunRow
from opgraph.record.store import Record
from opgraph.show.web import messages as m
from opgraph.show.web.followed import Followed, Following

_RUNS = 200  # the newest runs, of which it is asked whether they failed or go on
_DIGESTS = 1_000
_VERSIONS = 200  # of an asset, among which the one is looked for that was there when another was made
_DONE = (Phase.SUCCEEDED, Phase.REUSED, Phase.SKIPPED)

Json = dict[str, Any]
_then = msgspec.msgpack.Decoder(dict[str, tuple[str, str]]).decode
_today = msgspec.json.Decoder(dict[str, tuple[str, str]]).decode


class Digest:
    """What is kept of a run that made something: of each definition the code it ran and the versions it read.

    Args:
        run: the run, as it stands.
        find: gives the traces of runs of which it reused something.
        spent: how long such a run spent on these of its steps, by unit.
    """

    __slots__ = ("code", "reads", "spent")

    def __init__(self, run: Followed, find: Find, spent: Callable[[str, set[str]], dict[str, float]]) -> None:
        code: dict[str, dict[str, tuple[str, str]]] = {}  # by unit and node: hash and version
        self.reads: dict[str, dict[str, list[Read]]] = {}  # by unit and asset
        fold = run.fold
        reused: dict[str, set[str]] = {}  # by run
        makers: dict[str, list[int]] = {}
        for i, step in enumerate(run.plan.steps):
            code.setdefault(step.unit, {})[step.node] = (step.code, step.code_version)
            if any(output.asset is not None for output in step.outputs):
                makers.setdefault(step.unit, []).append(i)
            if (kept := fold.kept.get(i)) and kept[0].run != run.run_id:
                reused.setdefault(kept[0].run, set()).add(step.key)
        # Packed, it keeps nothing of the plan, whose memory so can be given back.
        self.code = {unit: msgspec.msgpack.encode(each) for unit, each in code.items()}
        self.spent = spans(run)  # by unit: with what the runs spent that made what is reused
        for other, keys in reused.items():
            for unit, seconds in spent(other, keys).items():
                self.spent[unit] = self.spent.get(unit, 0.0) + seconds
        known: dict[str, Trace | None] = {run.run_id: traced(fold)}
        for unit, steps in makers.items():
            into = self.reads[unit] = {}
            for read in made_from(find, known, run.run_id, steps):
                into.setdefault(read.asset, []).append(read)


def spans(run: Followed, among: set[str] | None = None) -> dict[str, float]:
    """By unit, the seconds from the first start to the last end of its steps, or of those among some keys."""
    fold, began, ended = run.fold, dict[str, float](), dict[str, float]()
    for i, step in enumerate(run.plan.steps):
        told = among is None or step.key in among
        if told and fold.started[i] and fold.ended[i] and step.decision.do is not Do.SKIP:
            began[step.unit] = min(began.get(step.unit, fold.started[i]), fold.started[i])
            ended[step.unit] = max(ended.get(step.unit, 0.0), fold.ended[i])
    return {unit: max(ended[unit] - start, 0.0) for unit, start in began.items()}


class Standing:
    """Where the assets of a manifest stand.

    Args:
        record: the runs.
        following: those that are kept up with.
    """

    def __init__(self, record: Record, following: Following) -> None:
        self._record, self._following = record, following
        self._digests: dict[str, Digest] = {}

    def states(self, manifest: Json) -> dict[str, m.AssetState]:
        """The state of every asset, by id."""
        assets: list[Json] = manifest["assets"]
        by_id = {each["id"]: each for each in assets}
        latest = self._record.latest([each["key"] for each in assets])
        going = self._going({each["key"] for each in assets})
        found: dict[str, m.AssetState] = {}
        for each in assets:  # upstream first
            found[each["id"]] = self._state(each, manifest["units"], by_id, latest, going.get(each["key"]), found)
        return found

    def _state(
        self,
        asset: Json,
        units: Json,
        by_id: Mapping[str, Json],
        latest: Mapping[str, Materialized],
        going: RunRow | None,
        found: Mapping[str, m.AssetState],
    ) -> m.AssetState:
        key = asset["key"]
        made = latest.get(key)
        state = m.AssetState(id=asset["id"], key=key, status="never")
        if made is not None:
            digest = self._digest(made.run_id)
            spent = digest.spent.get(asset["unit"]) if digest is not None else None
            state.latest = m.LatestRun(run_id=made.run_id, at=made.time, duration=spent)
        if asset["kind"] == "external":
            state.status = "external"
            return state
        if going is not None and (made is None or made.run_id != going.run_id):
            told = self._under_way(asset, going)
            if told is not None:
                status, why, progress = told
                if status != "canceled" or made is None:
                    state.status, state.why, state.run_id, state.progress = status, why, going.run_id, progress
                    return state
                if made.time < (going.ended or going.created):  # what there was before is as good as it was
                    state.run_id = going.run_id
        if made is None:
            return state
        state.why = self._stale(asset, made, units, by_id, latest, found)
        state.status = "stale" if state.why else "fresh"
        return state

    def _going(self, keys: set[str]) -> dict[str, RunRow]:
        """The newest run that was asked for each asset, where it did not go well or goes on."""
        newest: dict[str, RunRow] = {}
        seen: set[str] = set()
        for row in self._record.runs(limit=_RUNS):
            asked = self._following.head(row.run_id).selection
            for key in asked:
                if key in seen or key not in keys:
                    continue
                seen.add(key)
                if row.status is not RunStatus.SUCCESS:
                    newest[key] = row
            if len(seen) == len(keys):
                break
        return newest

    def _under_way(self, asset: Json, row: RunRow) -> tuple[m.AssetStatus, str, m.Progress | None] | None:
        status = inspect.status_of(self._record, row)
        run = self._following.run(row.run_id)
        with run.lock:
            fold, unit = run.fold, asset["unit"]
            steps = [i for i, step in enumerate(run.plan.steps) if step.unit == unit]
            failed = [i for i in steps if fold.phase[i] == Phase.FAILED]
            if failed:
                error = fold.errors.get(failed[0])
                text = f"{error.kind}: {error.message}" if error is not None else "it failed"
                where = "" if len(steps) == 1 else f"`{fold.key(failed[0])}` failed: "
                return "failed", f"{where}{(text.splitlines() or [''])[0]}"[:500], _progress(run, steps)
            if status in (RunStatus.STARTED.value, RunStatus.STARTING.value, RunStatus.CANCELING.value):
                if all(fold.phase[i] in _DONE for i in steps) and steps:
                    return None
                if any(fold.phase[i] == Phase.BLOCKED for i in steps):
                    return None
                begun = any(fold.started[i] for i in steps)
                return "running" if begun else "pending", "", _progress(run, steps)
            if status == inspect.DIED and any(fold.phase[i] == Phase.INTERRUPTED for i in steps):
                return "failed", "the process of its run died", _progress(run, steps)
            if status == RunStatus.FAILURE.value and fold.run_error is not None:
                return "failed", f"{fold.run_error.kind}: {fold.run_error.message}"[:500], None
            if status == RunStatus.CANCELED.value and not all(fold.phase[i] in _DONE for i in steps):
                return "canceled", "its run was canceled before it was made", None
        return None

    def _stale(
        self,
        asset: Json,
        made: Materialized,
        units: Json,
        by_id: Mapping[str, Json],
        latest: Mapping[str, Materialized],
        found: Mapping[str, m.AssetState],
    ) -> str:
        digest = self._digest(made.run_id)
        if digest is None:
            return ""
        changed = _code_changed(asset, digest.code.get(asset["unit"], b"\x80"), units.get(asset["unit"], "{}"))
        if changed:
            return changed
        reads = digest.reads.get(asset["unit"], {})
        for other in asset["upstream"]:
            above = by_id[other]
            now = latest.get(above["key"])
            if now is None or above["kind"] == "external":
                continue
            if self._is_newer(now, reads.get(above["key"], ()), made):
                return f"`{above['key']}` has a newer version"
            if found[other].status == "stale" if other in found else False:
                return f"it is made from `{above['key']}`, which is stale"
        return ""

    def _digest(self, run_id: str) -> Digest | None:
        found = self._digests.get(run_id)
        if found is None:
            row = self._record.run(run_id)
            if row is None or not row.plan:
                return None
            run = self._following.run(run_id, once=row.status.is_final)
            with run.lock:
                found = Digest(run, self._trace, self._spent)
            if row.status.is_final:
                while len(self._digests) >= _DIGESTS:
                    del self._digests[next(iter(self._digests))]
                self._digests[run_id] = found
        return found

    def _spent(self, run_id: str, keys: set[str]) -> dict[str, float]:
        try:
            run = self._following.run(run_id, once=True)
        except inspect.NoSuchRunError:
            return {}
        with run.lock:
            return spans(run, keys)

    def _trace(self, run_id: str) -> Trace | None:
        try:
            run = self._following.run(run_id, once=True)
        except inspect.NoSuchRunError:
            return None
        with run.lock:
            return traced(run.fold)

    def _is_newer(self, now: Materialized, reads: Sequence[Read], made: Materialized) -> bool:
        """Whether the latest version of an asset has other content than what went into something.

        Args:
            now: its latest version.
            reads: the versions that were read; none: it only had to be there.
            made: what it went into.
        """
        version = now.stored.data_version
        if not reads:
            if now.run_id == made.run_id or now.time <= made.time:
                return False
            earlier = self._record.history(now.asset, _VERSIONS) if version else ()
            then = next((each for each in earlier if each.time <= made.time), None)
            return then is None or then.stored.data_version != version
        others = [read for read in reads if (read.run, read.seq) != (now.run_id, now.seq)]
        return any(not version or read.data_version != version for read in others)


def _code_changed(asset: Json, packed: bytes, sent: str) -> str:
    then, today = _then(packed), _today(sent)
    wanted = {op["key"] for op in msgspec.json.decode(asset["ops"])} or today.keys()
    for node in wanted:
        code = today.get(node)
        if code is None:
            continue
        if node not in then:
            return f"op `{node}` is new" if len(today) > 1 and then else ""
        before, was = then[node]
        now, version = code
        same = was == version if was or version else before == now
        if not same:
            return "its code has changed" if len(today) == 1 else f"the code of `{node}` has changed"
    return ""


def _progress(run: Followed, steps: list[int]) -> m.Progress:
    fold = run.fold
    done = failed = running = 0
    share = 0.0
    for i in steps:
        phase = Phase(fold.phase[i])
        done += phase in _DONE
        failed += phase is Phase.FAILED
        running += phase in (Phase.RUNNING, Phase.RETRYING)
        members = fold.members(i)
        if phase in _DONE or not members:
            share += phase in _DONE
        else:
            share += sum(members.get(each, 0) for each in _DONE) / sum(members.values())
    return m.Progress(done=done, failed=failed, running=running, total=len(steps), share=share / max(len(steps), 1))


class Board:
    """The states as they were worked out last; anew once something has changed.

    Args:
        standing: works them out.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._of: tuple[str, int] = ("", -1)
        self._states: dict[str, m.AssetState] = {}
        self._until = 0.0
        self.cost = 0.0  # seconds that it took

    def states(self, manifest: Json, version: int) -> dict[str, m.AssetState]:
        """The states, at this version of the record."""
        if self._of != (manifest["id"], version):
            began = time.perf_counter()
            self._states = self._standing.states(manifest)
            self._of = (manifest["id"], version)
            self.cost = time.perf_counter() - began
        return self._states
