"""Bodies as the server writes them: JSON, and what is compressed."""

import gzip
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response


class Json(JSONResponse):
    """JSON in which what is no number is null. Made at once: large replies are not checked once more."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return msgspec.json.encode(content)


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
