"""The application: the API, the built pages, and one place where every mistake becomes a reply."""

import gzip
import mimetypes
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from opgraph import __version__
from opgraph.errors import Error, RecordError
from opgraph.show.web import messages as m
from opgraph.show.web import pages
from opgraph.show.web.desk import Desk
from opgraph.show.web.guard import BodyTooLarge, Guard
from opgraph.show.web.json_reply import Json, packed
from opgraph.show.web.openapi import describe
from opgraph.show.web.reports import Refused, problem_of
from opgraph.show.web.routes import router

STATIC = Path(__file__).parent / "static"


def make_app(desk: Desk, token: str, hosts: Iterable[str] = (), static: Path = STATIC) -> Guard:
    """The application that serves a desk.

    Args:
        desk: answers the questions.
        token: who knows it may do everything.
        hosts: names besides those of this machine under which the server is reached.
        static: the folder of the built pages.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, default_response_class=Json)
    app.state.desk = desk
    app.include_router(router)
    document = describe(app, __version__)
    files = Files(static)

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> Json:
        return Json(document)

    @app.get("/api/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(pages.api(document))

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def page(request: Request) -> Response:
        path = request.scope["path"]
        if path == "/api" or path.startswith("/api/"):
            raise HTTPException(404)
        return files.reply(path, request.headers.get("accept-encoding", ""))

    _answer_mistakes(app)
    return Guard(app, token, hosts)


class Files:
    """The built pages, by the addresses at which they are: what was not there when it was looked is not served.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Path] = {}
        self._seen = 0.0

    def reply(self, path: str, accepts: str = "") -> Response:
        """The file at an address; the first page for addresses that only the pages understand."""
        index = self._folder / "index.html"
        try:
            built = index.stat().st_mtime
        except OSError:
            return HTMLResponse(pages.not_built())
        if built != self._seen:
            self._seen = built
            found = (each for each in self._folder.rglob("*") if each.is_file() and not each.name.startswith("."))
            self._known = {f"/{each.relative_to(self._folder).as_posix()}": each for each in found}
        file = self._known.get(path, index)
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        lasting = file.parent != self._folder  # their names change with what is in them
        age = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return packed(gzip.compress(file.read_bytes(), 6), kind, accepts, age=age)


def _answer_mistakes(app: FastAPI) -> None:
    async def refused(_: Request, error: Any) -> Json:
        return Json(error.problem.model_dump(), error.status)

    async def mistaken(_: Request, error: Any) -> Json:
        return Json(problem_of(error).model_dump(), 503 if isinstance(error, RecordError) else 400)

    async def unfit(request: Request, error: Any) -> Json:
        wrong = [each["loc"][-1] for each in error.errors() if each["loc"][0] == "path"]
        if wrong:  # an address that cannot be one
            what = "step" if wrong == ["n"] else "asset" if request.url.path.startswith("/api/assets/") else "run"
            text = f"there is no such {what}"
            return Json(m.Problem(kind=f"NoSuch{what.title()}", text=text).model_dump(), 404)
        # What was sent is not repeated: it may be a secret.
        found = [
            m.Mistake(
                kind="WrongForm", text=f"{'.'.join(str(part)[:100] for part in each['loc'])}: {each['msg']}"[:500]
            )
            for each in error.errors()[:50]
        ]
        text = "; ".join(each.text for each in found[:5])
        return Json(m.Problem(kind="WrongForm", text=text, problems=found).model_dump(), 422)

    async def of_http(_: Request, error: Any) -> Json:
        words = {404: "there is no such address", 405: "that cannot be done with this address"}
        text = words.get(error.status_code, str(error.detail))
        problem = m.Problem(kind="NoSuchAddress" if error.status_code == 404 else "BadRequest", text=text)
        return Json(problem.model_dump(), error.status_code, headers=getattr(error, "headers", None))

    async def too_large(_: Request, __: Any) -> Json:
        return Json(m.Problem(kind="BodyTooLarge", text="the body is too large").model_dump(), 413)

    async def bug(_: Request, error: Any) -> Json:
        traceback.print_exception(error, file=sys.stderr)
        text = "an error inside opgraph; the details are in the server's terminal. Please report them"
        return Json(m.Problem(kind="Bug", text=text).model_dump(), 500)

    handlers: list[tuple[type[Exception], Any]] = [
        (Refused, refused),
        (Error, mistaken),
        (RequestValidationError, unfit),
        (HTTPException, of_http),
        (BodyTooLarge, too_large),
        (Exception, bug),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
