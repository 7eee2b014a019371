"""The routes of the API: what is asked for at which address. What they answer is worked out elsewhere."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from opgraph.show.web import messages as m
from opgraph.show.web.desk import Desk
from opgraph.show.web.json_reply import Json, packed

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": m.Problem, "description": "What was asked for makes no sense; the text says why."},
    401: {"model": m.Problem, "description": "No token, or another server's."},
    403: {"model": m.Problem, "description": "Not from a page of this server."},
    404: {"model": m.Problem, "description": "There is no such thing."},
    422: {"model": m.Problem, "description": "Something of the request has the wrong form."},
    503: {"model": m.Problem, "description": "The process of the definitions does not answer; try again."},
}
_TOLD: dict[int | str, dict[str, Any]] = {
    409: {"model": m.Problem, "description": "Not as things stand: the definitions are broken, the run is under way."},
    413: {"model": m.Problem, "description": "The body is too large."},
    415: {"model": m.Problem, "description": "The body is not `application/json`."},
}

router = APIRouter(prefix="/api", responses=_PROBLEMS, generate_unique_id_function=lambda route: route.name)


def _desk(request: Request) -> Desk:
    return request.app.state.desk


At: TypeAlias = Annotated[Desk, Depends(_desk)]
Selection: TypeAlias = Annotated[str, Query(max_length=10_000, description="A selection; empty: everything.")]
Cursor: TypeAlias = Annotated[str, Query(max_length=200, pattern=r"^[0-9A-Za-z._:-]*$")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=500)]
Ops: TypeAlias = Annotated[int, Query(ge=0, le=100_000)]
Rows: TypeAlias = Annotated[int, Query(ge=1, le=2000)]
Asset: TypeAlias = Annotated[m.AssetId, Path(alias="id")]
Run: TypeAlias = Annotated[m.RunId, Path(alias="id")]
Number: TypeAlias = Annotated[int, Path(alias="n", ge=0, le=100_000_000)]
Resumed: TypeAlias = Annotated[str, Header(alias="Last-Event-ID", max_length=100, pattern=r"^[0-9A-Za-z.-]*$")]
Moment: TypeAlias = Annotated[float | None, Query(ge=0, le=1e11)]


# -- the project --------------------------------------------------------------------


@router.get("/session")
def session(desk: At) -> m.Session:
    """Who serves what."""
    return desk.session()


@router.get("/project")
def project(desk: At) -> m.Project:
    """The definitions as they stand, or why they do not load."""
    return desk.project()


@router.get("/assets", response_model=m.Assets)
def assets(desk: At, query: Selection = "") -> Any:
    """The assets that a selection means, with their state."""
    return Json(desk.assets(query))


@router.get("/drawing", response_model=m.Drawing)
def drawing(
    desk: At,
    query: Selection = "",
    opened: Annotated[list[m.Word], Query(alias="open", max_length=1000)] = [],  # noqa: B006 - FastAPI's way
    folded: Annotated[list[m.Word], Query(alias="fold", max_length=1000)] = [],  # noqa: B006 - FastAPI's way
    job: Annotated[m.Word, Query(description="A job of ops, drawn instead of assets.")] = "",
    accepts: Annotated[str, Header(alias="Accept-Encoding", include_in_schema=False)] = "",
) -> Any:
    """The graph of a selection, laid out; `open`: asset ids, or ids of the drawing's nodes, shown with what is in
    them; `fold`: ids of groups (`group:raw`) that are shown as one node."""
    return packed(desk.drawing(query, opened, folded, job), "application/json", accepts)


@router.get("/assets/{id}")
def asset(
    desk: At,
    asset_id: Asset,
    ops: Ops = 100_000,
    op: Annotated[m.Word, Query(description="The key of an op: only this one.")] = "",
) -> m.AssetDetail:
    """One asset, and so many of its ops."""
    return desk.asset(asset_id, ops, op)


@router.get("/assets/{id}/ops", response_model=m.OpStates)
def ops_of(desk: At, asset_id: Asset) -> Any:
    """How all its ops stood when they last ran, in short."""
    return Json(desk.ops_of(asset_id))


@router.get("/assets/{id}/history")
def history(desk: At, asset_id: Asset, cursor: Cursor = "", limit: Limit = 50) -> m.History:
    """Its materializations."""
    return desk.history(asset_id, cursor, limit)


@router.post("/assets/{id}/clean", responses=_TOLD)
def clean(desk: At, asset_id: Asset, body: m.CleanRequest) -> m.Cleaned:
    """Remove what is kept between its ops; by default only say what would go."""
    return desk.clean(asset_id, dry=body.dry_run)


# -- launching ----------------------------------------------------------------------


@router.post("/plan", responses=_TOLD)
def plan(desk: At, body: m.RunRequest) -> m.PlanReply:
    """What a run would do, and why. Mistakes in the request are in `problems`."""
    return desk.plan(body)


@router.post("/form", responses=_TOLD)
def form(desk: At, body: m.FormRequest) -> m.FormReply:
    """The settings of the ops that a selection would run."""
    return desk.form(body)


@router.post("/runs", status_code=202, responses=_TOLD)
def launch(desk: At, body: m.RunRequest) -> m.Launched:
    """Start a run, in a process of its own that outlives this server."""
    return desk.launch(body)


# -- runs ---------------------------------------------------------------------------


@router.get("/runs")
def runs(
    desk: At,
    status: Annotated[list[m.RunState], Query(max_length=20)] = [],  # noqa: B006 - FastAPI's way
    asset: Annotated[m.AssetId | None, Query()] = None,
    job: Annotated[str, Query(max_length=200)] = "",
    by: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> m.Runs:
    """The runs, the newest first."""
    return desk.runs(status=status, asset=asset, job=job, by=by, cursor=cursor, limit=limit)


@router.get("/timeline")
def timeline(
    desk: At,
    start: Annotated[float | None, Query(alias="from", ge=0, le=1e11)] = None,
    end: Annotated[float | None, Query(alias="to", ge=0, le=1e11)] = None,
) -> m.Timeline:
    """The runs of a stretch of time; by default of the last day."""
    return desk.timeline(start, end)


@router.get("/runs/{id}")
def run(desk: At, run_id: Run) -> m.RunDetail:
    """One run."""
    return desk.run(run_id)


@router.get("/runs/{id}/tree", response_model=m.Tree)
def tree(
    desk: At, run_id: Run, parent: Annotated[str, Query(max_length=2000)] = "", cursor: Cursor = "", limit: Rows = 1000
) -> Any:
    """The rows of its tree; with `parent`, the keys of a fan-out."""
    return Json(desk.tree(run_id, parent, cursor, limit))


@router.get("/runs/{id}/steps/{n}")
def step(desk: At, run_id: Run, number: Number) -> m.StepDetail:
    """One step."""
    return desk.step(run_id, number)


@router.get("/runs/{id}/logs")
def logs(
    desk: At,
    run_id: Run,
    step: Annotated[int | None, Query(ge=-1, le=100_000_000)] = None,
    after: Cursor = "",
    search: Annotated[str, Query(max_length=1000)] = "",
    level: Annotated[m.Level | None, Query(description="This level of `log` lines or a higher one.")] = None,
    kinds: Annotated[str, Query(max_length=100, pattern=r"^((log|stdout|stderr|event)(,|$))*$")] = "log,stdout,stderr",
    limit: Rows = 1000,
) -> m.Logs:
    """What its steps said, and, as kind `event`, what the engine did."""
    return desk.logs(
        run_id, step=step, after=after, search=search, level=level, kinds=kinds.strip(",").split(","), limit=limit
    )


@router.post("/runs/{id}/cancel", responses=_TOLD)
def cancel(desk: At, run_id: Run, body: m.CancelRequest) -> m.Canceling:
    """Ask it to stop."""
    del body
    return desk.cancel(run_id)


@router.post("/runs/{id}/resume", status_code=202, responses=_TOLD)
def resume(desk: At, run_id: Run, body: m.ResumeRequest) -> m.Launched:
    """Go on from it. `run_id` is its own where the same run goes on."""
    return desk.resume(run_id, body)


# -- live ---------------------------------------------------------------------------


def _stream(*events: str) -> dict[int | str, dict[str, Any]]:
    refs = [{"$ref": f"#/components/schemas/{name}"} for name in events]
    return {
        200: {
            "description": "Server-sent events, each with an `id` that `Last-Event-ID` goes on from.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "x-events": refs}},
        }
    }


@router.get("/runs/{id}/stream", response_class=StreamingResponse, responses=_stream("RunDelta", "StreamReset"))
def run_stream(desk: At, run_id: Run, last: Resumed = "", after: Cursor = "") -> StreamingResponse:
    """What changes in a run: events `run` (a `RunDelta`) and `reset`. Ends some time after the run has. Where no event
    of it was received yet it begins `after` the `seq` and the last line that are known: `12.3`."""
    return desk.run_stream(run_id, last or after)


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses=_stream("RunDelta", "AssetsDelta", "Project", "StreamReset"),
)
def stream(desk: At, last: Resumed = "") -> StreamingResponse:
    """What changes anywhere: events `run` (a `RunDelta` without rows and lines), `assets` (an `AssetsDelta`), `project`
    (a `Project`) and `reset` (a `StreamReset`)."""
    return desk.stream(last)
