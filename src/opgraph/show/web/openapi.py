"""The description of the API, with the messages that only streams carry."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from opgraph.show.web import messages as m
from opgraph.show.web.routes import router

_STREAMED = (m.RunDelta, m.AssetsDelta, m.Project, m.StreamReset)


def describe(app: FastAPI, version: str) -> dict[str, Any]:
    """The OpenAPI document of the API."""
    document = get_openapi(
        title="opgraph",
        version=version,
        summary="Assets, runs and launching, as the pages use them.",
        routes=app.routes,
    )
    _, streamed = models_json_schema(
        [(each, "serialization") for each in _STREAMED], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name, schema in streamed["$defs"].items():
        schemas.setdefault(name, schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    return document


def api_only(version: str = "0") -> dict[str, Any]:
    """The same without a server, for those who generate code from it."""
    app = FastAPI()
    app.include_router(router)
    return describe(app, version)
