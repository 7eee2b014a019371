"""Configuration on the command line, and that no secret stays anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

OPGRAPH = Path(sys.executable).parent / "opgraph"
TOKEN, PASSWORD, TYPED = "tok-4711-of-the-environment", "pass-0815-of-the-environment", "typed-2342-at-the-prompt"

PROJECT = """\
import logging
from opgraph import Config, EnvVar, MaterializeResult, asset, graph_asset, op
from pydantic import SecretStr, field_validator

class Login(Config):
    token: str = EnvVar("STORY_TOKEN")
    password: SecretStr = SecretStr("none at all")
    limit: int = 3

    @field_validator("limit")
    @classmethod
    def small(cls, limit):
        if limit > 100:
            raise ValueError("it must be small")
        return limit

@op
def rows():
    return [1, 2, 3, 4]

@op
def fetch(context, config: Login, rows):
    secret = config.password.get_secret_value()
    print("token", config.token, "password", secret, config)
    context.log.info("password %s", secret)
    logging.getLogger("anyone").warning("token %s", config.token)
    context.add_output_metadata({"url": f"https://me:{secret}@host", "all": {"deep": [config.token]}})
    if config.limit == 0:
        try:
            raise KeyError(secret)
        except KeyError as cause:
            error = RuntimeError(f"cannot log in with {config.token}")
            error.add_note(f"and {secret}")
            raise error from cause
    return rows[: config.limit]

@graph_asset
def table():
    return fetch(rows())

@asset
def reported(config: Login):
    return MaterializeResult(metadata={"token": config.token})
"""


@pytest.fixture
def opgraph(tmp_path):
    """Runs the program in the test's directory; returns what it printed."""
    (tmp_path / "definitions.py").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.opgraph]\nfile = "definitions.py"\n', encoding="utf-8")

    def run(*words, code=0, **environment):
        given = {"STORY_TOKEN": TOKEN, "STORY_PASSWORD": PASSWORD, **environment}
        done = subprocess.run(
            [OPGRAPH, *words],
            cwd=tmp_path,
            env=os.environ | given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_configuration_of_a_run(opgraph, tmp_path):
    """Flat keys and files configure a run; the plan shows it, the record keeps it, resuming uses and changes it."""
    (tmp_path / "login.json").write_text('{"table": {"fetch": {"limit": 2}}}', encoding="utf-8")
    words = ("-s", "table", "--config", "@login.json", "-c", 'table.fetch.password={"env": "STORY_PASSWORD"}')
    plan = json.loads(opgraph("plan", *words, "--json"))
    expected = {"token": {"env": "STORY_TOKEN"}, "password": {"env": "STORY_PASSWORD"}, "limit": 2}
    assert {step["key"]: step["config"] for step in plan["steps"]} == {"table.rows": None, "table.fetch": expected}
    opgraph("materialize", *words, "-c", "table.fetch.limit=0", code=1)
    assert "1 ran · 1 reused" in opgraph("resume", "-c", "table.fetch.limit=1")


def test_mistakes_are_messages(opgraph):
    """Mistakes in configuration are messages with paths, all together, and exit code 2; nothing is recorded."""
    said = opgraph("materialize", "-c", "table.fetch.limt=1", "-c", "table.fetch.limit=x", "-c", "tabel.a=1", code=2)
    assert "3 mistakes in the configuration; nothing was run" in said
    assert "Did you mean `limit`?" in said
    assert "Did you mean `table`?" in said
    assert "`table.fetch.limit` must be a whole number, not the str 'x'" in said
    assert "it must be small" in opgraph("materialize", "-c", "table.fetch.limit=200", code=2)
    assert "`STORY_GONE`" in opgraph("materialize", "-c", 'table.fetch.token={"env": "STORY_GONE"}', code=2)
    assert "no runs" in opgraph("runs").lower()


def test_no_secret_is_kept(opgraph, tmp_path):
    """Whatever ops do with secrets - print, log, raise, chain, put into metadata - no file of the project's state has
    one, and neither do plans, errors and everything that is shown of a run. (FIGURES S6)"""
    secret = ("-c", 'table.fetch.password={"env": "STORY_PASSWORD"}')
    typed = ("-c", f"table.fetch.password={TYPED}")
    shown = [
        opgraph("plan", *secret, "--json"),
        opgraph("plan", *typed, "--json"),
        opgraph("materialize", *secret),
        opgraph("materialize", "-s", "table", *typed, "-c", "table.fetch.limit=0", code=1),
        opgraph("materialize", "-s", "table", *secret, "-c", "table.fetch.limit=0", "--json", code=1),
        opgraph("runs", "--json"),
        opgraph("show", "table", "--json"),
        opgraph("show", "reported"),
        opgraph("resume", *typed, "-c", "table.fetch.limit=1000", code=2),
        opgraph("resume", "-c", f'table.fetch.limit="{TYPED}"', STORY_TOKEN="", code=2).replace(TYPED, "", 3),
        opgraph("resume", *secret, "-c", "table.fetch.limit=2"),
    ]
    files = [path for path in (tmp_path / ".opgraph").rglob("*") if path.is_file()]
    assert files
    for text in (TOKEN, PASSWORD, TYPED):
        assert not [path for path in files if text.encode() in path.read_bytes()]
        assert not [each for each in shown if text in each]
