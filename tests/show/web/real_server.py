"""A project, and real servers for it, in processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

TOKEN = "t" * 43

PROJECT = """
import os
import time
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from opgraph import Config, Definitions, DynamicOut, DynamicOutput, asset, define_asset_job, graph_asset, job, op

HERE = Path(__file__).parent


class Cleaning(Config):
    threshold: float = 0.5
    mode: Literal["keep", "drop"] = "keep"
    password: SecretStr | None = None


@asset(group_name="raw", kinds={"csv"}, owners=["team:data"], description="All orders.")
def orders():
    print("orders were read")
    return [1, 2, 3]


@op
def clean(context, config: Cleaning, orders):
    context.log.info(f"threshold {config.threshold}, password {config.password and config.password.get_secret_value()}")
    context.log.debug("a detail")
    return [order for order in orders if order > config.threshold]


@op(out=DynamicOut())
def pieces(rows):
    for number, row in enumerate(rows):
        yield DynamicOutput(row, mapping_key=f"k{number}")


@op
def double(piece):
    return piece * 2


@op
def total(doubled):
    return sum(doubled)


@graph_asset(description="What came in.")
def revenue(orders):
    return total(pieces(clean(orders)).map(double).collect())


@asset
def report(revenue):
    if (HERE / "fail").exists():
        found = {}
        return found["nothing"]
    return f"revenue: {revenue}"


@asset
def slow():
    (HERE / "began").touch()
    for _ in range(600):
        time.sleep(0.05)
    return 1


@asset
def dies(orders):
    if (HERE / "lives").exists():
        return 1
    print("the end is near")
    os._exit(3)


@op
def hello():
    return "hello"


@job
def greeting():
    hello()


everything = define_asset_job("everything", selection="orders or revenue")
defs = Definitions(assets=[orders, revenue, report, slow, dies], jobs=[greeting, everything])
"""

# Notes in a file whenever the process unpickles, or reads the project's code.
WATCHER = """
import sys

seen = open(sys.argv[1], "a", buffering=1)
project = sys.argv[2]


def hook(event, args):
    if event == "pickle.find_class" or (event == "import" and str(args[0]) == "project"):
        print(event, args[:2], file=seen)
    if event == "open" and isinstance(args[0], str) and args[0].startswith(project) and ".py" in args[0]:
        print(event, args[0], file=seen)


def noted(name, function):
    def wrapped(*args, **kwargs):
        print(name, file=seen)
        return function(*args, **kwargs)

    return wrapped


import _pickle
import pickle

for module in (pickle, _pickle):
    for name in ("load", "loads", "Unpickler"):
        setattr(module, name, noted(name, getattr(module, name)))
sys.addaudithook(hook)
sys.argv = ["opgraph", *sys.argv[3:]]
from opgraph.show.cli.main import main

main()
"""


def ids(project_assets) -> dict[str, str]:
    return {each["key"]: each["id"] for each in project_assets}


def until(found, seconds=30.0):
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.05)
    return value


def made_project(folder: Path, text: str = PROJECT) -> Path:
    (folder / "project.py").write_text(text)
    return folder


class Server:
    """A real server, as a user starts it, in a folder with a project."""

    def __init__(self, folder: Path, *options: str, command: str = "dev") -> None:
        self.folder = folder
        self.seen = folder / "seen.txt"
        watcher = folder / "watcher.txt"
        watcher.write_text(WATCHER)
        words = [command, "-f", "project.py", "--port", "0", *(["--no-open"] if command == "dev" else []), *options]
        self.process = subprocess.Popen(
            [sys.executable, watcher, self.seen, folder, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={k: v for k, v in os.environ.items() if k != "OPGRAPH_HOME"},
        )
        printed = ""
        while "token=" not in printed:
            line = self.process.stdout.readline().decode()
            assert line, f"the server ended: {printed}"
            printed += line
        self.login = re.search(r"http://\S+", printed)[0]
        self.url = self.login.split("/login")[0]
        self.token = self.login.split("token=")[1]
        headers = {"Authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def get(self, path: str, **query):
        reply = self.client.get(f"/api/{path}", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, body=None, status: int | None = None):
        reply = self.client.post(f"/api/{path}", json=body or {})
        assert status is None or reply.status_code == status, reply.text
        return reply.json()

    def ready(self) -> "Server":
        until(lambda: self.get("project")["status"] == "ready")
        return self

    def run(self, seconds=60.0, **body) -> dict:
        """Start a run and wait for its end."""
        return self.ended(self.post("runs", body, 202)["run_id"], seconds)

    def ended(self, run_id: str, seconds=60.0) -> dict:
        over = ("SUCCESS", "FAILURE", "CANCELED", "DIED")
        return until(lambda: (found := self.get(f"runs/{run_id}"))["status"] in over and found, seconds)

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(15)
        self.process.stdout.close()


def events(reply):
    """The events of a stream."""
    name = number = data = ""
    for line in reply.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "id":
            number = value
        elif key == "data":
            data = value
        elif not line and data:
            yield name, number, json.loads(data)
            name = number = data = ""
