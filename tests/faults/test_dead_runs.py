"""A run whose process died is seen as dead by every command that looks (R5)."""

import os
import warnings

import pytest
from click.testing import CliRunner

from opgraph.show.cli.commands import cli

PROJECT = """
import os
from opgraph import Definitions, graph_asset, op

@op
def first():
    return 1

@op
def dies(x):
    if not os.path.exists({mended!r}):
        os._exit(3)
    return x

@graph_asset
def report():
    return dies(first())

defs = Definitions(assets=[report])
"""


@pytest.mark.figure("R5")
@pytest.mark.parametrize("command", ["runs", "show", "cancel", "resume", "clean"])
def test_every_command_sees_a_dead_run_at_once(tmp_path, monkeypatch, command):
    """`runs` and `show` say that it died, `cancel` ends it, `resume` goes on with it, `clean` is not kept waiting."""
    mended = tmp_path / "mended"
    (tmp_path / "project.py").write_text(PROJECT.format(mended=str(mended)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPGRAPH_HOME", str(tmp_path / "home"))

    def call(*words):
        return CliRunner().invoke(cli, [*words])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        call("materialize", "-f", "project.py")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    run = call("runs").output.split()[1]
    mended.touch()
    if command == "runs":
        assert "died" in call("runs").output
    elif command == "show":
        assert "died" in call("show", run).output
    elif command == "cancel":
        assert "cancelled" in call("cancel", run).output
        assert "canceled" in call("runs").output
    elif command == "resume":
        result = call("resume", run, "-f", "project.py")
        assert result.exit_code == 0, result.output
        assert "success" in call("runs").output
    else:
        assert call("clean").exit_code == 0
