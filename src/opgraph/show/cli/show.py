"""`opgraph show`: a run, or an asset, in detail."""

import sys
import time
from typing import Any

import click

from opgraph.declare.assets.spec import AssetSpec
from opgraph.declare.project.definitions import Definitions
from opgraph.errors import Error
from opgraph.keys import AssetKey, near_misses
from opgraph.operate import inspect, lineage
from opgraph.operate.clean import Disk, disk_of_asset, disk_of_run, size_between
from opgraph.operate.inspect import NoSuchRunError
from opgraph.operate.lineage import AssetSummary, OpView
from opgraph.operate.views import AssetView, LogView, MaterializationView, OutputView, RunSummary
from opgraph.plan.model import Plan
from opgraph.resolve.project import resolve
from opgraph.run.instance import Instance
from opgraph.show.cli import ink
from opgraph.show.cli.failure import failed, to_go_on
from opgraph.show.cli.ink import FAINT, NOTE, PLAIN, STRONG, Line
from opgraph.show.cli.options import Chosen, json_option, print_json, project_options
from opgraph.show.cli.runs import MARKS, times
from opgraph.show.cli.tree import RunTree, tally
from opgraph.show.cli.value import previewed, readable, tabled
from opgraph.show.cli.watch import failed_hooks, failures, remaining, renewed, unasked

_ROWS = 200  # of a run's tree, unless all is asked for


class NothingToShowError(Error):
    """Neither a run nor an asset has this name."""

    def __init__(self, text: str, known: list[str]) -> None:
        self.text = text
        near = near_misses(text, known)
        meant = f". Did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
        super().__init__(
            f"there is no run and no asset `{text}`{meant}",
            fix="`opgraph list` shows the assets, `opgraph runs` the runs",
        )


@click.command("show")
@click.argument("what", metavar="RUN|ASSET")
@project_options
@click.option("--value", is_flag=True, help="Of an asset: print its value.")
@click.option("--run", "run", metavar="RUN", help="With --value: the value that this run made.")
@click.option("--logs", is_flag=True, help="Of a run: also what its ops logged and printed.")
@click.option("--all", "everything", is_flag=True, help="Of a run: every op and every step of a fan-out.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=10, show_default=True, help="Of an asset: how many past runs."
)
@json_option
def command(
    chosen: Chosen,
    what: str,
    run: str | None,
    limit: int,
    *,
    value: bool,
    logs: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """Show a run as a tree, or an asset with its past.

    RUN is an id or the beginning of one. ASSET is a key, its parts joined by `/`.
    """
    with chosen.past() as instance:
        run_id = None if value else _run(instance, what)
        if run_id is not None:
            _show_run(chosen, instance, run_id, logs=logs, everything=everything, as_json=as_json)
        elif value:
            _show_value(chosen, instance, what, run, as_json=as_json)
        else:
            _show_asset(chosen, instance, what, limit, as_json=as_json)


def _run(instance: Instance, what: str) -> str | None:
    """The run that was meant, unless an asset has that very name."""
    if instance.record.history(what, 1):
        return None
    try:
        return inspect.find_run(instance.record, what)
    except NoSuchRunError:
        return None


# -- a run ------------------------------------------------------------------------


def _show_run(chosen: Chosen, instance: Instance, run_id: str, *, logs: bool, everything: bool, as_json: bool) -> None:
    plan = inspect.plan_of(instance.record, run_id)
    fold = inspect.folded(instance.record, run_id, plan)
    said = inspect.logs(instance.record, run_id, plan) if logs else []
    if as_json:
        disk = inspect.to_json(disk_of_run(instance, run_id))
        view = inspect.to_json(inspect.run_view(instance, run_id, fold))
        print_json({**view, "disk": disk, **({"logs": inspect.to_json(said)} if logs else {})})
        return
    tree = RunTree(fold)
    now = time.time()
    rows = (
        tree.full(now, split=True, keys=everything)
        if everything or tree.rows_in_full <= _ROWS
        else tree.folded(_ROWS, now)
    )
    run = inspect.summary(instance.record, inspect.row_of(instance.record, run_id))
    lines = [*_run_head(run, plan, disk_of_run(instance, run_id)), [], *rows]
    lines += unasked(fold, inspect.discarded(instance.record, run_id, plan))
    lines += failed_hooks(fold)
    if rows and tree.rows_in_full > _ROWS and not everything:
        lines += [[(f"finished graphs are folded: `opgraph show {run_id[:8]} --all` shows every op", FAINT)]]
    for block in failures(instance, run_id, fold):
        lines += [[], *block]
    if fold.run_error is not None:
        lines += [[], *failed(fold.run_error)]
    ending: list[Line] = [[], [(tally(fold), FAINT)], *renewed(instance, fold)]
    if run.status in ("FAILURE", "CANCELED", inspect.DIED):
        ending += to_go_on(run_id, chosen.typed, **remaining(fold))
    most = ink.width(200)
    ink.put([*(ink.cut(line, most) for line in lines), *_said(said), *(ink.cut(line, most) for line in ending)])


def _run_head(run: RunSummary, plan: Plan, disk: Disk) -> list[Line]:
    took = ink.seconds(run.took) if run.took is not None else ""
    mark = MARKS.get(run.status, ("·", FAINT))
    rows: list[list[Line]] = [
        [[("status", FAINT)], [mark, (f" {run.status.lower()}", mark[1])]],
        [
            [("started", FAINT)],
            [(ink.moment(run.started or run.created), PLAIN), (f"  took {took}" if run.ended else "", FAINT)],
        ],
    ]
    if run.job:
        rows.append([[("job", FAINT)], [(run.job, PLAIN)]])
    if plan.selection:
        rows.append([[("asked for", FAINT)], [(ink.shortened(", ".join(plan.selection), 300), PLAIN)]])
    if run.parent:
        rows.append([[("resumes", FAINT)], [(run.parent, PLAIN)]])
    if run.epoch > 1:
        rows.append([[("taken up", FAINT)], [(f"{times(run.epoch - 1)}, after its process had died", NOTE)]])
    rows.append([[("on disk", FAINT)], [(_disk(disk), PLAIN)]])
    rows += [[[(what, FAINT)], [(", ".join(names), PLAIN)]] for what, names in plan.changes.items() if names]
    rows += [[[("tag", FAINT)], [(f"{key}={value}", PLAIN)]] for key, value in run.tags.items()]
    return [[("run ", FAINT), (run.run_id, STRONG)], *ink.columns(rows)]


def _disk(disk: Disk) -> str:
    """Bytes, where they are."""
    places = (("the record", disk.record), ("files", disk.files))
    parts = [f"{ink.size(size)} in {place}" for place, size in places if size]
    return ", ".join(parts) or "nothing"


def _said(said: list[LogView]) -> list[Line]:
    """What was said, whole: it was asked for."""
    lines: list[Line] = []
    step = None
    for line in said:
        if line.step != step:
            step = line.step
            lines += [[], [(step or "the run", STRONG), (" said", FAINT)]]
        level = "" if line.level in ("STDOUT", "STDERR") else f"{line.level:<8} "
        lines.append([(f"  {ink.moment(line.time)[11:]}  ", FAINT), (level, NOTE), (line.text, PLAIN)])
    return lines


# -- an asset ---------------------------------------------------------------------


def _declared(chosen: Chosen, asset: str) -> tuple[AssetSummary | None, tuple[OpView, ...], list[str], str]:
    """What the project says of an asset; empty, with the reason, where its definitions cannot be loaded."""
    if chosen.location.file is None and chosen.location.module is None:
        return None, (), [], ""
    try:
        graph = resolve(chosen.definitions()).graph
    except Error as error:
        return None, (), [], error.what
    known = {key.text: key for key in graph.nodes}
    if asset not in known:
        return None, (), list(known), ""
    return lineage.summary(graph, known[asset]), lineage.ops_of(graph, known[asset]), list(known), ""


def _show_asset(chosen: Chosen, instance: Instance, asset: str, limit: int, *, as_json: bool) -> None:
    view = inspect.asset_view(instance, asset, limit=limit)
    declared, ops, known, broken = _declared(chosen, asset)
    if declared is None and view.latest is None:
        if broken:
            chosen.definitions()  # says what is wrong with them
        raise NothingToShowError(asset, known)
    between = size_between(instance, declared.made_by) if declared and ops else 0
    if as_json:
        declaration: Any = {**inspect.to_json(declared), "graph": inspect.to_json(ops)} if declared else None
        disk = {**inspect.to_json(disk_of_asset(instance, asset)), "between": between}
        print_json({**inspect.to_json(view), "disk": disk, "declared": declaration})
        return
    lines = _asset_head(asset, declared, ops)
    if broken:
        lines += [[], [("! ", NOTE), (f"the definitions cannot be loaded: {broken}", PLAIN)]]
    own = f"{_disk(disk_of_asset(instance, asset))}, all versions"
    lines += [[], *_latest(view, own + (f"; {ink.size(between)} between its ops" if between else ""))]
    if view.latest is not None:
        stored = view.latest.stored
        for name, value in stored.metadata.items():
            if (table := tabled(stored.metadata_kinds[name], value)) is not None:
                lines += [[], [(name, FAINT)], *previewed(table)]
        if stored.preview is not None:
            lines += [[], [("it looks like", FAINT)], *previewed(stored.preview)]
    if len(view.history) > 1:
        lines += [[], [("before that", FAINT)], *ink.columns([_past(each) for each in view.history[1:]])]
    ink.put(lines)


def _asset_head(asset: str, declared: AssetSummary | None, ops: tuple[OpView, ...]) -> list[Line]:
    if declared is None:
        return [[(asset, STRONG), ("  not declared now", FAINT)]]
    how = declared.kind.replace("_", "-") + (f", {ink.count(len(ops), 'op')}" if ops else "")
    lines: list[Line] = [[(asset, STRONG), (f"  {how}  {declared.source}", FAINT)]]
    lines += [[(f"  {line}", PLAIN)] for line in declared.description.strip().splitlines()]
    labels = [
        f"group {declared.group}",
        *declared.kinds,
        *declared.owners,
        *(f"{k}={v}" if v else k for k, v in declared.tags.items()),
    ]
    rows: list[list[Line]] = [[[("  labels", FAINT)], [(", ".join(labels), PLAIN)]]]
    rows += [[[("  made from", FAINT)], [(", ".join(declared.upstream), PLAIN)]]] if declared.upstream else []
    rows += [[[("  used by", FAINT)], [(", ".join(declared.downstream), PLAIN)]]] if declared.downstream else []
    rows += (
        [[[("  ops", FAINT)], [(" · ".join(op.path for op in ops[:12]) + (" …" if len(ops) > 12 else ""), PLAIN)]]]
        if ops
        else []
    )
    return [*lines, *ink.columns(rows)]


def _latest(view: AssetView, on_disk: str) -> list[Line]:
    latest = view.latest
    if latest is None:
        return [[("never materialized", FAINT)]]
    stored = latest.stored
    rows: list[list[Line]] = [
        _pair("when", f"{ink.moment(latest.time)}  ({ink.ago(latest.time)})"),
        _pair("run", latest.run_id or "none, it was reported"),
    ]
    if stored.output:
        rows.append(_pair("made by", f"op {latest.step}, output `{stored.output}`"))
    if not stored.asked:
        rows.append([[("  besides", FAINT)], [("nobody had asked for it in that run", NOTE)]])
    rows.append(_pair("value", _where(stored)))
    if stored.data_version:
        rows.append(_pair("version", stored.data_version))
    for read in latest.reads:
        made = f"of run {read.run[:8]}" if read.run else "of which no run is recorded"
        rows.append(_pair("read", f"{read.asset} {made}"))
    rows += [
        _pair(name, ink.shortened(str(value), 300))
        for name, value in stored.metadata.items()
        if tabled(stored.metadata_kinds[name], value) is None
    ]
    rows.append(_pair("on disk", on_disk))
    return [[("last materialized", FAINT)], *ink.columns(rows)]


def _pair(name: str, text: str) -> list[Line]:
    return [[(f"  {name}", FAINT)], [(text, PLAIN)]]


def _where(stored: OutputView) -> str:
    shape = " by ".join(f"{n:,}" for n in stored.preview.shape) if stored.preview is not None else ""
    kind = stored.type_name + (f" of {shape}" if shape else "")
    size = ink.size(stored.size) if stored.size and stored.kept else ""
    said = "".join(f"{each}, " for each in (kind, size) if each)
    if not stored.kept:
        return f"{said}no longer there"
    return said + {
        "inline": "in the record",
        "file": stored.path,
        "memory": "was in the memory of its process, gone with it",
        "manager": f"kept by I/O manager `{stored.io_manager}`" + (f": {stored.path}" if stored.path else ""),
        "none": "nothing is stored",
    }.get(stored.place, stored.place)


def _past(each: MaterializationView) -> list[Line]:
    return [
        [(f"  {ink.moment(each.time)}", PLAIN)],
        [(f"run {each.run_id[:8]}" if each.run_id else "reported", FAINT)],
        [((ink.size(each.stored.size) if each.stored.size else "") if each.stored.kept else "cleaned up", FAINT)],
        [("" if each.stored.asked else "not asked for", NOTE)],
    ]


def _show_value(chosen: Chosen, instance: Instance, asset: str, run: str | None, *, as_json: bool) -> None:
    if chosen.location.file is None and chosen.location.module is None:
        definitions = _as_recorded(instance, asset)
    else:
        definitions = chosen.definitions()
    key = lineage.asset_key(resolve(definitions).graph, asset)
    run_id = inspect.find_run(instance.record, run) if run else None
    value = definitions.load_asset_value(key, run_id=run_id, instance=instance)
    if as_json:
        print_json({"asset": asset, "run_id": run_id, "type": type(value).__qualname__, "text": readable(value)})
        return
    ink.write(f"{readable(value)}\n", sys.stdout)


def _as_recorded(instance: Instance, asset: str) -> Definitions:
    """Where there is only state and no definitions: those by which what is recorded can be loaded."""
    if not instance.record.history(asset, 1):
        raise NothingToShowError(asset, instance.record.assets())
    return Definitions(assets=[AssetSpec(AssetKey.from_user_string(asset))])
