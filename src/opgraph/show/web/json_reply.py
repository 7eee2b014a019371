"""Bodies as the server writes them: JSON, and what is compressed."""

import gzip
from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_SMALL = 4_000  # bytes, up to which a body is sent as it is


class Json(JSONResponse):
    """JSON in which what is no number is null. Made at once: large replies are not checked once more. They are
    compressed for whoever takes them so."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return content.model_dump_json().encode() if isinstance(content, BaseModel) else msgspec.json.encode(content)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if len(self.body) > _SMALL and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            self.body = gzip.compress(self.body, 1)
            self.headers.update({"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
            self.headers["Content-Length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def packed(body: bytes, kind: str, accepts: str, *, age: str | None = None) -> Response:
    """A reply whose body is compressed already; unpacked for those few who do not take it so.

    Args:
        body: as gzip made it.
        kind: the media type.
        accepts: the request's `Accept-Encoding`.
        age: how long it may be kept; None: not at all.
    """
    headers = {"Vary": "Accept-Encoding"} | ({"Cache-Control": age} if age else {})
    if "gzip" in accepts:
        return Response(body, media_type=kind, headers=headers | {"Content-Encoding": "gzip"})
    return Response(gzip.decompress(body), media_type=kind, headers=headers)
