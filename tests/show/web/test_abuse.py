"""What comes over the wire may be anything: no leak, no 5xx, nothing that takes long (S3, R20)."""

import http.client
import itertools
import json
import time
from urllib.parse import quote, urlsplit

import schemathesis
from hypothesis import HealthCheck, given, settings
from real_server import TOKEN, Server, ids, made_project

SECRETS = ("root:x:", "opgraph import", "BEGIN", "[build-system]", "SQLite format 3")


def raw(address, paths):
    """The replies to paths as they are: no client tidies them up."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    for path in paths:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.endheaders()
        reply = connection.getresponse()
        yield path, reply.status, reply.read()
        if reply.will_close:
            connection.close()
    connection.close()


def traversals():
    """3,520 ways out of a folder: prefixes, ways to write `..`, depths, targets."""
    starts = ["/", "/assets/", "/api/", "/api/runs/", "/api/assets/", "/api/runs/x/steps/", "/static/", "/plain.css/",
              "/api/drawing?query=", "/login/../", "/%2e/"]  # fmt: skip
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "....//",
        "%252e%252e%252f",
        "..;/",
        "%c0%ae%c0%ae/",
    ]
    targets = ["etc/passwd", "project.py", ".opgraph/record.db", ".opgraph/web.token", "pyproject.toml",
               "proc/self/environ",
               "etc/passwd%00.js", "%2fetc%2fpasswd"]  # fmt: skip
    for start, up, depth, target in itertools.product(starts, ups, (1, 3, 6, 12), targets):
        yield start + up * depth + target


def test_no_path_leads_out(address, desk):
    """S3: of 3,520 traversals none reads a file, and none is an error of the server."""
    paths = list(traversals())
    assert len(paths) == 3520
    token = desk.location.home / "web.token"
    token.write_text(TOKEN)
    for path, status, body in raw(address, paths):
        assert status < 500, path
        text = body.decode("utf-8", "replace")
        assert not any(secret in text for secret in (*SECRETS, "class Cleaning", TOKEN)), path


def test_odd_addresses_and_ids_are_told_apart(address):
    """Ids that are none, numbers beyond all bounds and hostile queries are 4xx, in bounded time."""
    odd = ["'", '"', "<script>", "%00", "%ff", "a" * 5000, "-1", "9" * 40, "1e9", "null", "%F0%9F%92%A9", "..", "*",
           "{}",
           "'; drop table runs; --", "${jndi:x}", "%0d%0aSet-Cookie:a=b", "{{7*7}}", "1.5", "0x10"]  # fmt: skip
    routes = ["/api/runs/{}", "/api/runs/{}/tree", "/api/runs/a/steps/{}", "/api/assets/{}", "/api/assets/{}/history",
              "/api/runs?cursor={}", "/api/runs?status={}", "/api/runs?limit={}", "/api/assets?query={}",
              "/api/drawing?query={}", "/api/drawing?open={}", "/api/timeline?from={}", "/api/runs/{}/logs",
              "/api/runs/a/logs?after={}", "/api/runs/a/logs?kinds={}", "/api/runs/{}/stream"]  # fmt: skip
    paths = [route.format(quote(each, safe="%")) for route in routes for each in odd]
    began = time.monotonic()
    for path, status, _ in raw(address, paths):
        assert status < 500, path
    assert time.monotonic() - began < 2.0 * len(paths)


def bodies():
    """Bodies that are not what they should be."""
    yield from (b"", b"{", b"null", b"[]", b'"x"', b"1", b"\xff\xfe", b"{}" * 10, b'{"a":' * 2000, b"[" * 100_000)
    yield from (b'{"selection": 1}', b'{"selection": "\\ud800"}', b'{"selection": "\x00"}', b'{"unknown": 1}')
    yield from (b'{"config": {"@/etc/passwd": 1}}', b'{"config": {"a=b": 1}}', b'{"config": {"": 1}}')
    yield from (b'{"config": {"\\ud800": 1}}', b'{"config": {"revenue.clean.threshold": NaN}}')
    yield from (b'{"config": {"revenue.clean.threshold": 1e999}}', b'{"config": {"revenue.clean.threshold": []}}')
    yield from (b'{"tags": {"\\ud800": "x"}}', b'{"tags": {"a": 1}}', b'{"workers": 1e9}', b'{"workers": -1}')
    yield from (b'{"job": "nothing"}', b'{"job": "greeting", "selection": "orders"}', b'{"mode": "from"}')
    yield from (b'{"parent": "x", "mode": "failed"}', b'{"parent": "../../etc/passwd"}', b'{"dry_run": "no"}')
    yield from (b'{"executor": "rm -rf"}', b'{"reuse": "x"}', b'{"policy": null, "steps": [null]}')
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    yield b'{"config": {"revenue.clean.threshold": ' + deep + b"}}"
    for text in (
        "(" * 5000,
        "+" * 3000 + "orders",
        "not " * 2000 + "orders",
        "a or " * 2000 + "a",
        "*" * 9000,
        "'",
        '"',
        "group:",
        "tag:=",
        "key:/",
        "\\",
        "1..2",
        "orders+99999999999999",
        "\u202e",
        "kind:\u0000",
    ):
        yield json.dumps({"selection": text}).encode()


def test_malformed_bodies_are_refused(client, document):
    """R20: every malformed body at every route is a 4xx or an answer that says what is wrong, within 2 s."""
    posts = [path for path, verbs in document["paths"].items() if "post" in verbs]
    count = 0
    for path in posts:
        filled = path.replace("/assets/{id}", "/assets/0123456789abcdef").replace("{id}", "a-run")
        if filled == "/api/runs":
            continue  # it would start processes; what it refuses, /api/plan refuses the same way
        for body in bodies():
            began = time.monotonic()
            reply = client.post(filled, content=body, headers={"Content-Type": "application/json"})
            assert reply.status_code < 500, (filled, body[:100], reply.text)
            assert time.monotonic() - began < 2.0, (filled, body[:100])
            count += 1
    assert count >= 250


def test_a_file_of_the_server_is_not_read_as_configuration(client):
    """A key of the configuration that names a file, as the command line may, is refused."""
    for key in ("@/etc/passwd", "@project.py", "@x=y"):
        plan = client.post("/api/plan", json={"selection": "+revenue", "config": {key: "1"}}).json()
        assert [each["kind"] for each in plan["problems"]] == ["BadConfigKey"]


def test_a_runs_request_is_checked_before_a_process_is_made(client, desk):
    """What can't be a run is refused, and leaves no run behind."""
    before = len(desk.instance.record.runs())
    for body, status in (
        ({"selection": "nothing_of_this_name"}, 400),
        ({"selection": "orders", "executor": "rm -rf"}, 400),
        ({"selection": "orders", "mode": "only"}, 400),
        ({"parent": "no-such-run"}, 404),
        ({"selection": "+revenue", "config": {"revenue.clean.threshold": "x"}}, 400),
        ({"selection": "orders", "what": 1}, 422),
    ):
        assert client.post("/api/runs", json=body).status_code == status, body
    assert len(desk.instance.record.runs()) == before


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><svg/onload=alert(1)>", "javascript:alert(1)",
    "</script><script>", "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "\u202egpj.exe", "\u0000",
    "a\r\nb: c",
]  # fmt: skip


def test_hostile_names_stay_data(tmp_path):
    """S9: 500 hostile descriptions, tags and lines of output come back as JSON, as they were, and never as markup."""
    lines = ["from opgraph import Definitions, asset", "made = []"]
    for number in range(500):
        text = HOSTILE[number % len(HOSTILE)] + str(number)
        lines.append(f"@asset(name='a{number}', description={text!r}, metadata={{'m': {text!r}}})")
        lines.append(f"def a{number}():\n    print({text!r})\n    return {text!r}\nmade.append(a{number})")
    made_project(tmp_path, "\n".join([*lines, "defs = Definitions(assets=made)"]))
    server = Server(tmp_path).ready()
    run = server.run(
        selection="a0 or a1 or a2 or a3 or a4 or a5 or a6 or a7 or a8 or a9", tags={HOSTILE[0]: HOSTILE[1]}
    )
    one = ids(server.get("assets")["assets"])["a3"]
    replies = [
        server.client.get(f"/api/{path}")
        for path in (
            "assets",
            f"runs/{run['run_id']}",
            f"runs/{run['run_id']}/logs",
            "drawing",
            f"assets/{one}",
            "runs",
        )
    ]
    for reply in replies:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-content-type-options"] == "nosniff"
    described = {each["description"] for each in replies[0].json()["assets"]}
    assert sum(each in described for each in (HOSTILE[i % 10] + str(i) for i in range(500))) >= 400
    said = [line["text"] for line in replies[2].json()["lines"]]
    assert any("<script>alert(1)</script>0" in text for text in said)
    for path in (
        "/<script>",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/login?token=<script>alert(1)</script>",
        "/api/<script>",
    ):
        assert "<script>alert" not in server.client.get(path).text
    server.close()


def test_the_description_of_the_api_is_kept(client, document):
    """Schemathesis: random requests, well formed and not, never meet a 5xx, and replies are what the document says."""
    schema = schemathesis.openapi.from_dict(document)
    paths = [path for path in document["paths"] if not path.endswith("/stream") and path != "/api/runs"]
    checked = 0
    for path in paths:
        for operation in schema[path].values():
            ask_at_random(operation, str(client.base_url))
            checked += 1
    assert checked >= 15


def ask_at_random(operation, address):
    @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def asked(case):
        reply = case.call(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"})
        assert reply.status_code < 500, reply.text
        operation.validate_response(reply)

    asked()
