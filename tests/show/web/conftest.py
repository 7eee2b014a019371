"""A desk in this process, and a real server; what they share is in real_server.py."""

import sys
import threading
from pathlib import Path

import httpx
import pytest
import uvicorn

from opgraph.operate.project import locate
from opgraph.show.web.app import make_app
from opgraph.show.web.desk import Desk

sys.path.insert(0, str(Path(__file__).parent))

from real_server import TOKEN, Server, made_project, until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server, one for the tests of a file; at its end it has neither unpickled nor read the project's code."""
    made = Server(made_project(tmp_path_factory.mktemp("served")))
    yield made.ready()
    made.close()
    assert made.seen.read_text() == ""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """What answers the API, in this process."""
    folder = made_project(tmp_path_factory.mktemp("desk"))
    made = Desk(locate("project.py", start=folder, environment={}), "serve")
    made.start()
    until(lambda: made.project().status == "ready")
    yield made
    made.close()
    made.instance.close()


@pytest.fixture(scope="module")
def address(desk):
    """Where that desk is reached over HTTP."""
    config = uvicorn.Config(make_app(desk, TOKEN), port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}"
    desk.hub.stop()
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def client(address):
    """A client that knows the token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture(scope="module")
def stranger(address):
    """A client that knows nothing."""
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture(scope="module")
def document(client):
    """The description of the API."""
    return client.get("/openapi.json").json()
