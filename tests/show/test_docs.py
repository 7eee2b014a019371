"""The page about the command line says what the program does."""

from pathlib import Path

import click
import pytest

from opgraph.show.cli.commands import cli

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
NAMES = cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_option_is_on_the_page(name):
    """A command or an option that the page does not have cannot be added."""
    command = cli.get_command(click.Context(cli), name)
    assert f"`opgraph {name}" in PAGE
    for param in command.params:
        if isinstance(param, click.Option):
            assert any(f"`{word}" in PAGE for word in (*param.opts, *param.secondary_opts)), param.opts


def test_exit_codes_are_the_same_as_in_the_help():
    """The page's table of exit codes is that of `opgraph --help`."""
    rows = [line.split(None, 1) for line in cli.epilog.splitlines() if line.strip()[:1].isdigit()]
    assert len(rows) == 6
    for code, meaning in rows:
        assert f"| {code} | {meaning} |" in PAGE
