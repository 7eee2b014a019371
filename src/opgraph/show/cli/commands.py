"""The group of commands: each in a file of its own, imported when it is asked for; and how errors leave the program."""

import gc
import os
import sys
import tempfile
import traceback
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from opgraph import __version__
from opgraph.errors import Error, InvalidDefinitionError
from opgraph.keys import near_misses
from opgraph.resolve.config_mistakes import InvalidConfigsError
from opgraph.show.cli import ink
from opgraph.show.cli.ink import BAD, FAINT, PLAIN, STRONG, Line

OK, RUN_FAILED, MISTAKE, BUG, CANNOT_PRINT, CANCELED = 0, 1, 2, 70, 74, 130
_COMMANDS = {
    "list": "the assets and jobs of the project",
    "plan": "what a run would do, and why, without running it",
    "materialize": "run what makes the selected assets",
    "runs": "past runs, newest first",
    "show": "a run or an asset in detail",
    "resume": "go on with a run that failed, was cancelled or died",
    "cancel": "stop a run that is under way",
    "pools": "how many ops may run at once that name the same pool, over all runs",
    "lineage": "what an asset is made from and what is made from it",
    "draw": "the assets, a job or a run as a picture (SVG)",
    "clean": "remove what runs left behind and nobody will ask for again",
    "dev": "the web UI, with the definitions loaded again when files change",
    "serve": "the web UI, without looking for changes",
    "init": "a new project in an empty directory",
}
_EPILOG = """\b
Exit codes:
  0    it went well
  1    the run failed; `opgraph resume` goes on from there
  2    wrong usage, or a mistake in the definitions
  70   an error of opgraph itself; the message names a file that has the details
  74   the output cannot be written: the disk is full, or the like
  130  cancelled (Ctrl-C); `opgraph resume` goes on from there
"""


class Commands(click.Group):
    """The commands, and one place where every error becomes a message."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order in which people need them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """One command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"opgraph.show.cli.{cmd_name}"), "command", None)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was typed; a near miss is named."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = near_misses(args[0], _COMMANDS)
            meant = f" Did you mean `opgraph {near[0]}`?" if near else f" There are: {', '.join(_COMMANDS)}."
            ctx.fail(f"there is no command `{ink.shortened(args[0], 60)}`.{meant}")
        found = super().resolve_command(ctx, args)
        if not gc.isenabled():  # a process of our own: see `main`
            gc.freeze()  # else the end of the process looks for cycles in all that was imported: a sixth of its time
            gc.enable()
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        """The list for `--help`, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of opgraph is a message and an exit code, never a traceback."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except ink.CannotPrintError as error:
            self._forget_output()
            ink.put([[("✗ ", BAD), (error.what, STRONG)]], sys.stderr)
            ctx.exit(CANNOT_PRINT)
        except Error as error:
            ink.put(explained(error), sys.stderr)
            ctx.exit(MISTAKE)
        except KeyboardInterrupt:
            ink.put([[("stopped; no run was under way", PLAIN)]], sys.stderr)
            ctx.exit(CANCELED)
        except BrokenPipeError:
            self._forget_output()
            ctx.exit(OK)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence
            ink.put(_bug(error), sys.stderr)
            ctx.exit(BUG)

    @staticmethod
    def _forget_output() -> None:
        """So that Python's own flush at the end is quiet."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explained(error: Error) -> list[Line]:
    """An error as lines: what, where, what to do; several mistakes one after another."""
    lines: list[Line] = []
    several = isinstance(error, (InvalidDefinitionError, InvalidConfigsError))
    problems = [str(each) for each in (error.problems if several else (error,))]
    if len(problems) > 1:
        place = "definitions" if isinstance(error, InvalidDefinitionError) else "configuration"
        lines += [[("✗ ", BAD), (f"{len(problems)} mistakes in the {place}; nothing was run", STRONG)], []]
    for text in problems:
        first, *rest = text.split("\n")
        lines.append([("✗ ", BAD), (first, STRONG)])
        for each in rest:
            lines.append([(f"  {each}" if not each.startswith("  ") else each, PLAIN if "fix:" in each else FAINT)])
        if len(problems) > 1:
            lines.append([])
    return lines[:-1] if lines and not lines[-1] else lines


def _bug(error: Exception) -> list[Line]:
    folder = Path(tempfile.mkdtemp(prefix="opgraph-error-"))
    path = folder / "traceback.txt"
    path.write_text(f"opgraph {__version__}, {sys.argv}\n{traceback.format_exc()}", encoding="utf-8")
    return [
        [("✗ ", BAD), ("an error inside opgraph, not in your code", STRONG)],
        [(f"  {type(error).__name__}: {ink.shortened(str(error), 500)}", FAINT)],
        [(f"  the details are in {path}; please report them", PLAIN)],
    ]


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, message="opgraph %(version)s")
def cli() -> None:
    """Assets computed by graphs of ops: durable, resumable at every op, and subsettable.

    Run it in a project's folder, or name the definitions with -f FILE or -m MODULE.
    """
