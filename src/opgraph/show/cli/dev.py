"""`opgraph dev`: the web UI for the project, its definitions loaded anew when files change."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opgraph.errors import Error, Source
from opgraph.show.cli import ink
from opgraph.show.cli.commands import explained
from opgraph.show.cli.ink import FAINT, GOOD, PLAIN, STRONG
from opgraph.show.cli.options import Chosen, project_options

if TYPE_CHECKING:
    from opgraph.show.web.messages import ProjectError


def server_options(command: Any) -> Any:
    """The options of `opgraph dev` and `opgraph serve`."""
    options = [
        click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at."),
        click.option(
            "--port", type=click.IntRange(0, 65535), help="The port; 0: any. By default 3000 or the next free."
        ),
        click.option(
            "--allow-host", "hosts", multiple=True, metavar="NAME", help="A name under which it is reached. Repeatable."
        ),
        click.option(
            "--token-file", type=click.Path(dir_okay=False, path_type=Path), help="Where the token is kept (0600)."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def run_server(
    chosen: Chosen,
    mode: str,
    *,
    host: str,
    port: int | None,
    hosts: tuple[str, ...],
    token_file: Path | None,
    opens: bool,
) -> None:
    """Serve a project until Ctrl-C."""
    from opgraph.show.web.serve import serve  # FastAPI costs 300 ms, needed only here

    location = chosen.location

    def say(login: str) -> None:
        ink.put(
            [
                [(f"opgraph {mode}", STRONG), (f"  {location.origin}", FAINT)],
                [("  open ", FAINT), (login, STRONG)],
                [("  runs go on when this ends; Ctrl-C ends it", FAINT)],
            ]
        )
        sys.stdout.flush()

    def tell(broken: "ProjectError | None") -> None:
        if broken is None:
            ink.put([[("✓ ", GOOD), ("the definitions load again", PLAIN)]], sys.stderr)
            return
        for each in broken.problems or [broken]:
            where = Source(each.file, each.line) if each.file else None
            ink.put(explained(Error(each.text, where=where, fix=each.fix)), sys.stderr)

    serve(
        location, mode=mode, host=host, port=port, hosts=hosts, token_file=token_file, opens=opens, say=say, tell=tell
    )


@click.command("dev")
@project_options
@server_options
@click.option("--open/--no-open", "opens", default=None, help="Open a browser. By default where there is a screen.")
def command(
    chosen: Chosen, host: str, port: int | None, hosts: tuple[str, ...], token_file: Path | None, *, opens: bool | None
) -> None:
    """Open the web UI: assets, launching, runs. The definitions are loaded again when their files change.

    Only who has the token gets in: open the address that is printed. Scripts send the token as
    `Authorization: Bearer`.
    """
    screen = sys.stdout.isatty() and (sys.platform == "darwin" or bool(os.environ.get("DISPLAY")))
    wanted = screen if opens is None else opens
    run_server(chosen, "dev", host=host, port=port, hosts=hosts, token_file=token_file, opens=wanted)
