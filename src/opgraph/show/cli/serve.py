"""`opgraph serve`: the web UI for a project whose files do not change while it is served."""

from pathlib import Path

import click

from opgraph.show.cli.dev import run_server, server_options
from opgraph.show.cli.options import Chosen, project_options


@click.command("serve")
@project_options
@server_options
def command(chosen: Chosen, host: str, port: int | None, hosts: tuple[str, ...], token_file: Path | None) -> None:
    """Serve the web UI without looking for changed files and without opening a browser."""
    run_server(chosen, "serve", host=host, port=port, hosts=hosts, token_file=token_file, opens=False)
