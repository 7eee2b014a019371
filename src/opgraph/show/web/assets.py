"""What the page of an asset shows: its versions, what they were made from, its ops and what is kept of them."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from opgraph.operate import inspect
from opgraph.operate.clean import between_ops, clean_between, disk_of_asset
from opgraph.operate.fold import Phase
from opgraph.record.rows import Materialized
from opgraph.run.instance import Instance
from opgraph.run.store.preview import preview_of
from opgraph.show.web import messages as m
from opgraph.show.web.followed import Followed, Following
from opgraph.show.web.ids import asset_id
from opgraph.show.web.reports import Refused, metas, preview
from opgraph.show.web.runs import path_of, status_of, times_of

_TREND = 10  # runs whose durations are compared
_DECLARED = tuple(name for name in m.AssetSummary.model_fields if name not in m.AssetState.model_fields)

Json = dict[str, Any]


class AssetPages:
    """Answers questions about one asset.

    Args:
        instance: where its runs are recorded.
        following: the runs that are kept up with.
    """

    def __init__(self, instance: Instance, following: Following) -> None:
        self._instance, self._record, self._following = instance, instance.record, following

    def detail(
        self, asset: Json, by_id: Mapping[str, Json], states: Mapping[str, m.AssetState], ops: int, only: str
    ) -> m.AssetDetail:
        """An asset's page, with so many of its ops, or the one that has this key."""
        view = inspect.asset_view(self._instance, asset["key"], limit=1)
        latest = self._record.latest([asset["key"]]).get(asset["key"])
        shown = self._shown(latest, seen=True) if latest is not None else None
        if shown is not None and view.latest is not None:
            now = self._record.latest([read.asset for read in view.latest.reads])
            shown.inputs = [
                m.InputVersion(
                    asset=read.asset,
                    id=asset_id(read.asset),
                    run_id=read.run,
                    data_version=read.data_version,
                    newer_exists=read.asset in now
                    and (now[read.asset].run_id, now[read.asset].seq) != (read.run, read.seq)
                    and (not read.data_version or now[read.asset].stored.data_version != read.data_version),
                )
                for read in view.latest.reads
            ]
        declared = _declared(asset)
        disk = disk_of_asset(self._instance, asset["key"])
        kept = self._kept(asset["unit"]) if asset["unit"] else {}
        return m.AssetDetail(
            **{**summary(asset), **states[asset["id"]].model_dump()},
            file=asset["file"],
            line=asset["line"],
            materialization=shown,
            parents=[_neighbour(by_id[i], states) for i in asset["upstream"]],
            children=[_neighbour(by_id[i], states) for i in asset["downstream"]],
            ops=self._ops(asset, [op for op in declared if not only or op["key"] == only][:ops], kept),
            ops_in_all=len(declared),
            disk=m.Disk(
                values=disk.record + disk.files,
                intermediates=sum(kept.values()),
                record=disk.record,
                files=disk.files,
            ),
        )

    def ops_of(self, asset: Json) -> m.OpStates:
        """How its ops stood in the last run that had them."""
        number = {op["key"]: i for i, op in enumerate(_declared(asset))}
        count = len(number)
        found = m.OpStates(
            key=list(number),
            status=[None] * count,
            runs=[],
            run=[-1] * count,
            n=[0] * count,
            started_us=[-1] * count,
            took_us=[0] * count,
            counts={},
        )
        for run in self._runs_of(asset):
            with run.lock:
                fold = run.fold
                for n, step in enumerate(run.plan.steps):
                    i = number.get(step.node)
                    if i is not None and found.run[i] < 0 and _is_told(run, n):
                        found.run[i], found.n[i] = len(found.runs), n
                        found.status[i] = status_of(Phase(run.fold.phase[n]))
                        if fold.started[n]:
                            found.started_us[i] = max(round((fold.started[n] - fold.run_started) * 1e6), 0)
                            found.took_us[i] = round((_took(run, n) or 0) * 1e6)
                        counts = _counts(run, n)
                        if counts is not None:
                            found.counts[step.node] = counts
            found.runs.append(run.run_id)
            if -1 not in found.run:
                break
        return found

    def _kept(self, unit: str) -> dict[str, int]:
        """By op, the bytes that are kept of what goes between the ops of a definition."""
        found: dict[str, int] = {}
        for each in between_ops(self._instance, unit):
            found[each.node] = found.get(each.node, 0) + each.size
        return found

    def history(self, asset: Json, cursor: str, limit: int) -> m.History:
        """Its materializations, newest first; of the first one also how it looks."""
        skip = int(cursor) if cursor.isdigit() and len(cursor) < 10 else 0
        if cursor and not skip:
            raise Refused.of(400, "BadCursor", "the cursor is not one that was given out")
        found = self._record.history(asset["key"], skip + limit + 1)[skip:]
        more = str(skip + limit) if len(found) > limit else None
        return m.History(
            materializations=[self._shown(each, seen=not skip and not i) for i, each in enumerate(found[:limit])],
            cursor=more,
        )

    def clean(self, asset: Json, *, dry: bool) -> m.Cleaned:
        """Remove what is kept between its ops, or say what would go."""
        gone = clean_between(self._instance, asset["unit"], dry=dry) if asset["unit"] else []
        return m.Cleaned(
            dry_run=dry,
            count=len(gone),
            size=sum(each.size for each in gone),
            runs=list(dict.fromkeys(each.run_id for each in gone if each.resumable)),
        )

    def _shown(self, made: Materialized, *, seen: bool = False) -> m.Materialization:
        stored = made.stored
        return m.Materialization(
            run_id=made.run_id,
            at=made.time,
            step=self._key(made),
            n=made.step,
            asked=stored.asked,
            size=stored.size,
            data_version=stored.data_version,
            io_manager=stored.io_manager,
            place=stored.place.value,
            type_name=stored.type_name,
            path=path_of(self._instance, stored),
            metadata=metas(stored.metadata),
            preview=preview(preview_of(self._record, made.run_id, made.seq, stored)) if seen else None,
        )

    def _key(self, made: Materialized) -> str:
        run = self._following.run(made.run_id)
        with run.lock:
            return run.fold.key(made.step) if made.step < run.size else ""

    def _ops(self, asset: Json, ops: list[Json], kept: Mapping[str, int]) -> list[m.AssetOp]:
        rows: dict[str, m.AssetOp] = {op["key"]: m.AssetOp(**op) for op in ops}
        for run in self._runs_of(asset) if rows else ():
            with run.lock:
                for n, step in enumerate(run.plan.steps):
                    if step.node in rows and _is_told(run, n):
                        _tell(rows[step.node], run, n)
        for row in rows.values():
            row.disk = kept.get(row.key, 0)
            row.trend.reverse()
        return list(rows.values())

    def _runs_of(self, asset: Json) -> Iterator[Followed]:
        """The last runs that were asked for the asset, newest first."""
        rows = self._record.runs(limit=500)
        asked = (row.run_id for row in rows if asset["key"] in self._following.head(row.run_id).selection)
        return (self._following.run(run_id, once=nth > 0) for nth, run_id in enumerate(islice(asked, _TREND)))


def _declared(asset: Json) -> list[Json]:
    """Its ops: itself where it is no graph, and none where it is made elsewhere."""
    alone: list[Json] = [{"key": asset["unit"], "path": "", "op": asset["unit"], "takes": [], "mapped": False}]
    return msgspec.json.decode(asset["ops"]) or (alone if asset["unit"] else [])


def _is_told(run: Followed, n: int) -> bool:
    """Whether a run has something to tell of a step: it began, or will while the run goes on, or a failure kept it
    from that, or it is mapped and no value came. What was reused is told of by the run that made it."""
    fold, phase = run.fold, Phase(run.fold.phase[n])
    if phase is Phase.PENDING and not fold.started[n]:
        return fold.epoch > 0 and not fold.over
    return fold.started[n] > 0 or phase in (Phase.BLOCKED, Phase.SUCCEEDED)


def _took(run: Followed, n: int) -> float | None:
    """Seconds from a step's start to its end; None: it has not ended."""
    fold = run.fold
    ended = fold.ended[n] if fold.has_ended(n) and fold.started[n] else 0.0
    return max(ended - fold.started[n], 0.0) if ended else None


def _counts(run: Followed, n: int) -> dict[str, int] | None:
    """The steps made of a mapped one, by status; None: it is not mapped, or it is not known yet how many come."""
    members = run.fold.members(n)
    if members is None or (not members and run.fold.phase[n] != Phase.SUCCEEDED):
        return None
    counts = {phase.name.lower(): count for phase, count in members.items()}
    if run.fold.over and "pending" in counts:  # they wait for nothing any more
        counts["blocked"] = counts.pop("pending") + counts.get("blocked", 0)
    return counts


def _tell(op: m.AssetOp, run: Followed, n: int) -> None:
    fold = run.fold
    if op.run_id is None:
        op.run_id, op.n, op.at = run.run_id, n, fold.started[n] or None
        op.took, op.counts = _took(run, n), _counts(run, n)
        op.status = status_of(Phase(run.fold.phase[n]))
        op.times = times_of(run, n)
        op.size = fold.sizes.get(n, 0) + sum(stored.size for _, stored in fold.outputs.get(n, ()))
        if (fold.members(n) or {}).get(Phase.REUSED):
            op.size += sum(kept.stored.size for member in run.members(n) for kept in fold.kept.get(member, ()))
    took = _took(run, n)
    if fold.phase[n] == Phase.SUCCEEDED and took is not None:
        op.trend.append(round(took, 6))


def summary(asset: Json) -> Json:
    """What the list has of an asset, as it is declared."""
    return {name: asset[name] for name in _DECLARED}


def _neighbour(asset: Json, states: Mapping[str, m.AssetState]) -> m.Neighbour:
    return m.Neighbour(id=asset["id"], key=asset["key"], status=states[asset["id"]].status)
