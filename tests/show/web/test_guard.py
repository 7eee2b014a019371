"""Who is let in, from where, with what; and what a browser is told to refuse (S1, S2, S9)."""

import http.client
from urllib.parse import urlsplit

import pytest
from real_server import TOKEN

from opgraph.show.web.guard import BODY_LIMIT, token_in

HEADERS = {
    "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy",
    "cross-origin-opener-policy", "cross-origin-resource-policy",
}  # fmt: skip


def addresses(document):
    """Every route with every verb that it has, ids filled in."""
    for path, verbs in document["paths"].items():
        filled = path.replace("/assets/{id}", "/assets/0123456789abcdef").replace("{id}", "a-run").replace("{n}", "0")
        for verb in verbs:
            yield verb.upper(), filled


def test_no_route_answers_without_a_token(document, stranger):
    """Dagster #2219, #9928: S1: every route, the pages and the files too, is 401 without the token, on loopback as
    elsewhere."""
    asked = [*addresses(document), ("GET", "/"), ("GET", "/openapi.json"), ("GET", "/api/docs"), ("GET", "/plain.css"),
             ("GET", "/assets/index.js"), ("GET", "/runs/abc"), ("HEAD", "/"), ("OPTIONS", "/api/runs"),
             ("PUT", "/api/runs"), ("DELETE", "/api/runs/a"), ("PATCH", "/"), ("TRACE", "/")]  # fmt: skip
    assert len(asked) > 25
    for verb, path in asked:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"},
                        {"Cookie": f"opgraph={TOKEN}"}, {"Cookie": 'a="; =;'}):  # fmt: skip
            reply = stranger.request(verb, path, headers=headers)
            assert reply.status_code == 401, (verb, path, headers)
    assert stranger.get("/api/session", params={"token": TOKEN}).status_code == 401


def test_a_websocket_is_not_opened(address, client):
    """S1: there are no sockets: an upgrade is a plain request."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    assert client.get("/api/stream2", headers=headers).status_code == 404


def test_logging_in_gives_a_cookie_that_scripts_cannot_read(address, stranger):
    """The printed address sets an HttpOnly, SameSite=Strict cookie, which is not the token, and leads to the pages."""
    reply = stranger.get("/login", params={"token": TOKEN})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    name, _, value = cookie.partition(";")[0].partition("=")
    stranger.cookies.clear()
    assert stranger.get("/api/session", headers={"Cookie": f"{name}={value}"}).status_code == 200
    assert stranger.get("/api/session", headers={"Cookie": f"{name}={value}x"}).status_code == 401
    assert stranger.get("/login", params={"token": "wrong"}).status_code == 401
    assert stranger.get("/login").status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:3000", "", "[::2]",
     "127.0.0.1@evil.example", "0.0.0.0", "169.254.169.254", "localhost:", "localhost:80a"],
)  # fmt: skip
def test_another_host_is_refused(client, host):
    """S2: a request under a name that is not this machine's is refused, with the token too."""
    assert client.get("/api/session", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "LOCALHOST:3000", "[::1]:3000"])
def test_this_machines_names_are_let_in(client, host):
    """S2: every name of the loopback is fine, at any port: ports are forwarded."""
    assert client.get("/api/session", headers={"Host": host}).status_code == 200


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_pages_are_refused(client, document, headers):
    """S2: what another page sends is refused on every route, whatever else it brings."""
    for verb, path in addresses(document):
        reply = client.request(verb, path, headers={**headers, "Content-Type": "application/json"}, content=b"{}")
        assert reply.status_code == 403, (verb, path)


def test_the_pages_own_requests_are_let_in(client, address):
    """S2: what the pages send themselves passes."""
    headers = {"Origin": address, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert client.get("/api/session", headers=headers).status_code == 200
    assert client.post("/api/plan", json={"selection": "orders"}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "", "text/json"]
)
def test_simple_posts_change_nothing(client, document, desk, kind):
    """S2: what a form or a plain `fetch` can send without asking is refused by every route that takes a body."""
    before = len(desk.instance.record.runs())
    for verb, path in addresses(document):
        if verb == "POST":
            reply = client.post(path, content=b'{"selection": "orders"}', headers={"Content-Type": kind})
            assert reply.status_code == 415, path
    assert len(desk.instance.record.runs()) == before


def test_no_get_changes_anything(client, document, desk):
    """S2: after every GET, with every verb that reads, the record is as it was."""
    before = desk.instance.record.runs()
    for verb, path in addresses(document):
        if verb == "GET" and not path.endswith("stream"):
            client.get(path)
            client.get(path, params={"dry_run": "false", "selection": "*", "method": "POST", "_method": "POST"})
            client.head(path)
    client.get("/api/runs/x/cancel")
    client.get("/api/assets/0123456789abcdef/clean")
    assert desk.instance.record.runs() == before


def test_every_reply_is_sealed(client, stranger):
    """S9: a strict policy, no framing, nosniff and no referrer, on pages, files, the API and mistakes alike."""
    asked = [client.get(path) for path in ("/", "/api/session", "/api/nothing", "/openapi.json", "/api/docs", "/x/y")]
    asked += [
        stranger.get("/"),
        stranger.get("/login"),
        client.post("/api/plan", content=b"{"),
        client.put("/api/runs"),
    ]
    for reply in asked:
        assert set(reply.headers) >= HEADERS, reply.url
        policy = reply.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http:" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in reply.headers


def test_bodies_are_bounded(client, address):
    """A body that is too large is refused, with a length that says so, with a wrong one, and without one."""
    headers = {"Content-Type": "application/json"}
    assert client.post("/api/plan", content=b" " * (BODY_LIMIT + 1), headers=headers).status_code == 413

    def pieces():
        for _ in range(BODY_LIMIT // 1024 + 2):
            yield b" " * 1024

    assert client.post("/api/plan", content=pieces(), headers=headers).status_code in (400, 413)
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    connection.request(
        "POST", "/api/plan", headers={**headers, "Authorization": f"Bearer {TOKEN}", "Content-Length": "-1"}
    )
    assert connection.getresponse().status in (400, 413)
    connection.close()


def test_the_token_is_its_owners(tmp_path):
    """The file of the token is 0600, is kept, and is made anew where what it holds is too short to be one."""
    path = tmp_path / "token"
    token = token_in(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert token_in(path) == token
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("short")
    assert token_in(path) not in ("short", token)


def test_what_the_terminal_prints_is_all_that_has_the_token(client):
    """No reply of the API repeats the token."""
    for path in ("/api/session", "/api/project", "/openapi.json", "/api/docs", "/"):
        assert TOKEN not in client.get(path).text
