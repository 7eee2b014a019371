"""Who may ask: the token, where a request comes from, how large it is; and the headers that keep a page to itself."""

import hashlib
import hmac
import os
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opgraph.show.web import messages as m
from opgraph.show.web import pages

BODY_LIMIT: Final = 1 << 20  # bytes of a request's body
_FILE: Final = "web.token"
_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' '{pages.STYLE_HASH}'; img-src 'self' data:; "
    "font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_READS = ("GET", "HEAD", "OPTIONS")
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def token_in(path: Path) -> str:
    """The token in a file, which only its owner can read; made where there is none.

    Raises:
        OSError: the file cannot be read or written.
    """
    try:
        found = path.read_text(encoding="ascii").strip()
        if len(found) >= 32:
            path.chmod(0o600)
            return found
        path.unlink()
    except (FileNotFoundError, UnicodeDecodeError):
        path.unlink(missing_ok=True)
    token = token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def default_token_file(home: Path) -> Path:
    """Where a project's token is, unless another place is named."""
    return home / _FILE


class Guard:
    """Lets requests through, or answers them itself.

    Args:
        app: what is guarded.
        token: who knows it may do everything.
        hosts: names besides those of this machine under which the server is reached.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._token = token.encode()
        self._session = hmac.new(self._token, b"session", hashlib.sha256).hexdigest().encode()
        # Cookies are shared by all ports of a host: each server has a name of its own.
        self.cookie = "opgraph_" + hashlib.sha256(self._session).hexdigest()[:12]
        self._hosts = {*_LOCAL, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in HEADERS if pair[0] not in own)]
                if scope["path"].startswith(("/api", "/login", "/openapi")) and b"cache-control" not in own:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, sealed)
            return
        await self._app(scope, _bounded(receive), sealed)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        path, method = scope["path"], scope["method"]
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _name_of(host) not in self._hosts or [name for name, _ in scope["headers"]].count(b"host") != 1:
            return _problem(403, "WrongHost", "this server is not reached under that name")
        if not _from_here(scope, headers, host):
            return _problem(403, "ForeignOrigin", "only pages of this server may ask")
        if path == "/login" and method in ("GET", "HEAD"):
            return self._login(scope)
        if not self._knows(headers):
            if b"text/html" in headers.get(b"accept", b"") and method == "GET" and not path.startswith("/api/"):
                return HTMLResponse(pages.login(), 401)
            text = "a token is needed: open the address that `opgraph` printed, or send it as `Authorization: Bearer`"
            return _problem(401, "NotLoggedIn", text)
        if method in _READS:
            return None
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if kind != b"application/json":
            return _problem(415, "NotJson", "the body must be `application/json`, and say so")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return _problem(413, "BodyTooLarge", f"a body has at most {BODY_LIMIT:,} bytes")
        return None

    def _login(self, scope: Scope) -> Response:
        query = scope["query_string"].partition(b"token=")[2].partition(b"&")[0]
        if not hmac.compare_digest(query, self._token):
            return HTMLResponse(pages.login(wrong=bool(query)), 401)
        reply = RedirectResponse("/", 303)
        reply.set_cookie(
            self.cookie,
            self._session.decode(),
            max_age=30 * 86_400,
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
            path="/",
        )
        return reply

    def _knows(self, headers: dict[bytes, bytes]) -> bool:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            return hmac.compare_digest(given.strip(), self._token)
        try:
            cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._session)


def _name_of(host: str) -> str:
    """A host without its port."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and port.isascii():
        return name
    return host


def _from_here(scope: Scope, headers: dict[bytes, bytes], host: str) -> bool:
    """Whether a browser says that a page of ours asks, or the user. Programs that are no browsers say nothing."""
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").lower() not in (f"http://{host}", f"https://{host}"):
        return False
    site = headers.get(b"sec-fetch-site", b"none").lower()
    if site in (b"same-origin", b"none"):
        return True
    # A link somewhere else may lead here: without our cookie, which is not sent with it.
    followed = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    return followed and scope["method"] == "GET" and not scope["path"].startswith("/api")


def _problem(status: int, kind: str, text: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(m.Problem(kind=kind, text=text).model_dump(), status, headers)


class BodyTooLarge(Exception):
    """A body without a length went on too long."""


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def bounded() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            raise BodyTooLarge
        return message

    return bounded
