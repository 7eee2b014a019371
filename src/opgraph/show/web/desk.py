"""The desk: takes the questions of the routes to those who can answer them."""

import gzip
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from fastapi.responses import StreamingResponse

from opgraph import __version__
from opgraph.errors import Error
from opgraph.operate import inspect
from opgraph.operate.cancel import RunIsOver, cancel
from opgraph.operate.project import Location, make_home
from opgraph.plan.model import Policy
from opgraph.record.refusals import RunHeldError
from opgraph.record.sqlite import SqliteRecord
from opgraph.run.executors.names import NAMES
from opgraph.run.instance import Instance
from opgraph.show.web import messages as m
from opgraph.show.web.assets import AssetPages, summary
from opgraph.show.web.definitions import Loaded
from opgraph.show.web.followed import Following
from opgraph.show.web.launcher import Launcher
from opgraph.show.web.live import Hub
from opgraph.show.web.reports import Refused, problem_of
from opgraph.show.web.runs import RunPages
from opgraph.show.web.said import logs
from opgraph.show.web.standing import Board, Standing

_STREAMS = 64  # at once
_DRAWINGS = 4_000_000  # bytes of those that are remembered

Json = dict[str, Any]


class Desk:
    """All that one server knows.

    Args:
        location: the project.
        mode: `dev` or `serve`.
        tell: called with why the definitions do not load, and with None when they do again.
    """

    def __init__(
        self, location: Location, mode: str, tell: Callable[[m.ProjectError | None], None] = lambda _: None
    ) -> None:
        make_home(location)
        self.location, self._mode, self._started = location, mode, time.time()
        self.instance = Instance(location.home, retention=location.retention)
        record = self.instance.record
        assert isinstance(record, SqliteRecord)
        self._record = record
        self._following = Following(record)
        self._runs = RunPages(self.instance, self._following)
        self._assets = AssetPages(self.instance, self._following)
        self._board = Board(Standing(record, self._following))
        self._board_lock = threading.Lock()
        self.definitions = Loaded(location, self._changed, tell)
        self._launcher = Launcher(location, self.instance, self.definitions.load)
        self.hub = Hub(record, self._following, self._runs, self._states, self.definitions.state)
        self._open = 0
        self._drawings: dict[tuple[str, ...], bytes] = {}

    def start(self) -> None:
        """Load the definitions, and begin to look at the record."""
        threading.Thread(target=self.definitions.load, name="definitions", daemon=True).start()
        self.hub.start()

    def close(self) -> None:
        """End what belongs to the server; runs go on."""
        self.hub.stop()
        self.definitions.close()

    def _changed(self) -> None:
        self.hub.tell_project()

    def _states(self) -> dict[str, m.AssetState]:
        self._launcher.reap()
        with self._board_lock:
            return self._board.states(self.definitions.manifest, self._version())

    def _version(self) -> int:
        """Rises when the record changed, and every two seconds while runs go on: that one died changes no file."""
        going = int(time.monotonic() / 2) if self.hub.going else 0
        return self._record.stamp() * 1_000_000 + going

    # -- the project --------------------------------------------------------------------

    def session(self) -> m.Session:
        """Who serves what."""
        return m.Session(
            version=__version__,
            mode="dev" if self._mode == "dev" else "serve",
            project=self.location.origin,
            home=str(self.location.home),
            pid=os.getpid(),
            started=self._started,
            executors=list(NAMES),
            policies=[policy.value for policy in Policy],
        )

    def project(self) -> m.Project:
        """The definitions as they stand."""
        return self.definitions.state()

    def assets(self, query: str) -> Json:
        """The assets of a selection, with their states."""
        manifest = self.definitions.manifest
        found: list[Json] = manifest["assets"]
        if query.strip():
            wanted = set(self.definitions.ask("select", query=query))
            found = [each for each in found if each["id"] in wanted]
        states = self._states()
        shown = [{**states[each["id"]].model_dump(), **summary(each)} for each in found if each["id"] in states]
        return {"manifest": manifest["id"], "assets": shown, "total": len(manifest["assets"])}

    def drawing(self, query: str, opened: Sequence[str], folded: Sequence[str], job: str = "") -> bytes:
        """A selection, or a job of ops, laid out: JSON, compressed."""
        manifest = self.definitions.manifest["id"]
        how = {"query": query, "open": sorted(set(opened)), "fold": sorted(set(folded)), "job": job}
        key = (manifest, query, job, *how["open"], "", *how["fold"])
        found = self._drawings.get(key)
        if found is None:
            said = bytes(self.definitions.said("drawing", **how))
            found = gzip.compress(b'{"manifest":"%b",%b' % (manifest.encode(), said[1:]), 1)
            if "missing" in query:
                return found  # depends on the record too
            self._drawings[key] = found
            while sum(map(len, list(self._drawings.values()))) > _DRAWINGS:
                self._drawings.pop(next(iter(self._drawings)), None)
        return found

    # -- assets -------------------------------------------------------------------------

    def _asset(self, asset_id: str) -> Json:
        found = self.definitions.by_id.get(asset_id)
        if found is None:
            raise Refused.of(404, "NoSuchAsset", "the definitions have no asset of this id")
        return found

    def asset(self, asset_id: str, ops: int, op: str) -> m.AssetDetail:
        """An asset's page, with so many of its ops, or one."""
        return self._assets.detail(self._asset(asset_id), self.definitions.by_id, self._states(), ops, op)

    def ops_of(self, asset_id: str) -> m.OpStates:
        """How an asset's ops stand."""
        return self._assets.ops_of(self._asset(asset_id))

    def history(self, asset_id: str, cursor: str, limit: int) -> m.History:
        """An asset's versions."""
        return self._assets.history(self._asset(asset_id), cursor, limit)

    def clean(self, asset_id: str, *, dry: bool) -> m.Cleaned:
        """Remove what is kept between an asset's ops."""
        try:
            return self._assets.clean(self._asset(asset_id), dry=dry)
        except Error as error:
            raise Refused(409, problem_of(error)) from None

    # -- launching ----------------------------------------------------------------------

    def plan(self, body: m.RunRequest) -> m.PlanReply:
        """What a run would do."""
        given = self._checked(body)
        return m.PlanReply.model_validate(self.definitions.ask("plan", **given))

    def form(self, body: m.FormRequest) -> m.FormReply:
        """The settings of a selection."""
        self.definitions.must_be_whole()
        return m.FormReply.model_validate(self.definitions.ask("form", **body.model_dump()))

    def launch(self, body: m.RunRequest) -> m.Launched:
        """Record a run, and start the process that takes it up."""
        given = self._checked(body)
        if body.parent is not None and body.mode != "all" and not self._runs.row(body.parent).status.is_final:
            return m.Launched(run_id=self._launcher.take_up_again(given))
        run_id: str = self.definitions.ask("enqueue", **given)
        self._launcher.start(given, run_id)
        return m.Launched(run_id=run_id)

    def resume(self, run_id: str, body: m.ResumeRequest) -> m.Launched:
        """Go on from a run."""
        return self.launch(m.RunRequest(parent=run_id, **body.model_dump()))

    def cancel(self, run_id: str) -> m.Canceling:
        """Ask a run to stop."""
        self._runs.row(run_id)
        asked = True
        try:
            cancel(self.instance, run_id)
        except (RunIsOver, RunHeldError):  # it ended, or somebody took it up, at this very moment
            asked = False
        return m.Canceling(asked=asked, status=self._runs.summary(self._runs.row(run_id)).status)

    def _checked(self, body: m.RunRequest) -> Json:
        """A request that says one thing only."""
        self.definitions.must_be_whole()
        if body.executor not in (None, *NAMES):
            raise Refused.of(400, "UnknownExecutor", f"there is no such executor; there are {', '.join(NAMES)}")
        if body.workers is not None and body.executor in (None, "in_process"):
            raise Refused.of(400, "WorkersOfNone", "`workers` needs an executor that has any: `processes`, `threads`")
        if body.parent is not None:
            if body.selection is not None or body.job is not None:
                raise Refused.of(400, "SaidTwice", "a run that goes on from another takes no selection and no job")
            row = self._runs.row(body.parent)
            if inspect.status_of(self._record, row) in ("QUEUED", "STARTED", "STARTING", "CANCELING"):
                raise Refused.of(409, "RunGoesOn", f"run {body.parent} is still going on: wait for it, or cancel it")
            mode = body.mode or "failed"
            if mode in ("from", "only") and not body.steps:
                raise Refused.of(400, "NoSteps", f"mode `{mode}` needs `steps`: the keys of ops")
            if mode == "from" and len(body.steps) > 1:
                raise Refused.of(400, "SeveralSteps", "mode `from` goes on from one step")
        elif body.mode is not None or body.steps:
            raise Refused.of(400, "NoParent", "`mode` and `steps` say how to go on from a run: name it as `parent`")
        return body.model_dump()

    # -- runs ---------------------------------------------------------------------------

    def runs(self, *, status: Sequence[str], asset: str | None, job: str, by: str, cursor: str, limit: int) -> m.Runs:
        """The runs that fit."""
        key = self._asset(asset)["key"] if asset is not None else ""
        return self._runs.runs(status=status, asset=key, job=job, by=by, cursor=cursor, limit=limit)

    def timeline(self, start: float | None, end: float | None) -> m.Timeline:
        """The runs of a stretch of time."""
        return self._runs.timeline(start, end)

    def run(self, run_id: str) -> m.RunDetail:
        """A run."""
        return self._runs.detail(run_id)

    def tree(self, run_id: str, parent: str, cursor: str, limit: int) -> m.Tree:
        """Rows of a run's tree."""
        return self._runs.tree(run_id, parent, cursor, limit)

    def step(self, run_id: str, number: int) -> m.StepDetail:
        """A step."""
        return self._runs.step(run_id, number)

    def logs(self, run_id: str, **how: Any) -> m.Logs:
        """What the steps of a run said."""
        return logs(self._record, self._runs.followed(run_id), **how)

    # -- live ---------------------------------------------------------------------------

    def run_stream(self, run_id: str, last: str) -> StreamingResponse:
        """What changes in a run."""
        return self._streamed(self.hub.one(self._runs.followed(run_id), last))

    def stream(self, last: str) -> StreamingResponse:
        """What changes anywhere."""
        return self._streamed(self.hub.everything(last))

    def _streamed(self, events: AsyncGenerator[bytes]) -> StreamingResponse:
        if self._open >= _STREAMS:
            raise Refused.of(503, "TooManyStreams", f"{_STREAMS} streams are open already")

        async def counted() -> AsyncGenerator[bytes]:
            self._open += 1
            try:
                async for data in events:
                    yield data
            finally:
                self._open -= 1

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)
