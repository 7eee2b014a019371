"""JSON as the server writes it."""

from typing import Any

import msgspec
from starlette.responses import JSONResponse


class Json(JSONResponse):
    """JSON in which what is no number is null. Made at once: large replies are not checked once more."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return msgspec.json.encode(content)
