"""Options that several commands share, and opening what they name."""

import shlex
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import msgspec

from opgraph.declare.assets.selection import AssetSelection, Missing
from opgraph.declare.project.executor import ExecutorChoice
from opgraph.operate.inspect import to_json
from opgraph.operate.project import Location, load, locate, make_home
from opgraph.resolve.mistakes import NothingSelected
from opgraph.run.executors.mistakes import UnknownExecutor
from opgraph.run.executors.names import NAMES
from opgraph.run.instance import DATABASE, Instance
from opgraph.show.cli import ink
from opgraph.show.cli.ink import PLAIN

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(slots=True)
class Chosen:
    """The project that the options name. Nothing is opened or imported before it is asked for."""

    file: str | None
    module: str | None
    attribute: str | None
    _location: Location | None = None

    @property
    def location(self) -> Location:
        """Where the project is."""
        if self._location is None:
            if self.file and self.module:
                raise click.UsageError("`-f` and `-m` name the definitions in two ways; give one of them")
            self._location = locate(self.file, self.module, self.attribute)
        return self._location

    def definitions(self) -> Any:
        """What the project declares; imports the user's code."""
        return load(self.location)

    def instance(self) -> Instance:
        """The project's state, made if need be."""
        return self._open(self.location.python_logs)

    def _open(self, python_logs: Mapping[str, Any] | None) -> Instance:
        location = self.location
        make_home(location)
        durability = location.durability or "power"
        return Instance(location.home, durability=durability, retention=location.retention, python_logs=python_logs)

    def past(self) -> Instance:
        """The project's state for who only looks at it: where there is none yet, nothing is made."""
        return self._open(None) if self.has_state else Instance()

    @property
    def has_state(self) -> bool:
        """Whether anything was ever recorded."""
        return (self.location.home / DATABASE).exists()

    @property
    def typed(self) -> str:
        """The options that must be typed again to mean the same project, with a space before each."""
        return "".join(f" {quoted(word)}" for word in self.location.typed)


def project_options(command: _F) -> _F:
    """`-f`, `-m` and `-a`, handed over as one `Chosen` named `chosen`."""

    def wrapped(*args: Any, file: str | None, module: str | None, attribute: str | None, **kwargs: Any) -> Any:
        return command(*args, chosen=Chosen(file, module, attribute), **kwargs)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    result: Any = click.option("-a", "--attribute", metavar="NAME", help="The name of the Definitions in it.")(wrapped)
    result = click.option("-m", "--module", metavar="MODULE", help="The module that holds the definitions.")(result)
    return click.option("-f", "--file", metavar="FILE", help="The file that holds the definitions.")(result)


def json_option(command: _F) -> _F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def executor_options(command: _F) -> _F:
    """`--executor`, `--workers` and `--timeout`, handed over as the keywords of `execute.materialize` and `resume`."""

    def wrapped(*args: Any, executor: str | None, workers: int | None, timeout: float | None, **kwargs: Any) -> Any:
        choice: ExecutorChoice | str | None = executor
        if workers is not None:
            choice = ExecutorChoice(executor or "", {"max_concurrent": workers})
        return command(*args, running={"executor": choice, "timeout": timeout}, **kwargs)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    above = click.FloatRange(min=0, min_open=True)
    result: Any = click.option("--timeout", type=above, metavar="SECONDS", help="End the run after so long.")(wrapped)
    workers = click.IntRange(min=1)
    result = click.option(
        "--workers",
        type=workers,
        metavar="N",
        help="How many steps run at once; in worker processes if no executor is named.",
    )(result)
    return click.option("--executor", metavar="NAME", callback=_known, help=f"Who runs the ops: {', '.join(NAMES)}.")(
        result
    )


def _known(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:  # noqa: ARG001
    if name is not None and name not in NAMES:
        unknown = UnknownExecutor(name, NAMES)
        raise click.BadParameter(f"{unknown.what} ({unknown.fix})")
    return name


def step_options(command: _F) -> _F:
    """`--from` and `--only`: which steps of an earlier run to run again."""
    only = click.option(
        "--only", multiple=True, metavar="STEP", help="This op again and nothing else. May be repeated."
    )
    return click.option("--from", "from_step", metavar="STEP", help="This op again and what comes after it.")(
        only(command)
    )


def one_of_step_options(from_step: str | None, only: tuple[str, ...]) -> None:
    """`--from` and `--only` are not given together.

    Raises:
        UsageError: they are.
    """
    if from_step and only:
        raise click.UsageError("`--from` and `--only` say in two ways what to run; give one of them")


def _readable(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG001
    """Selections that can be read: what was typed is looked at before any definitions are loaded."""
    for each in values:
        AssetSelection.from_string(each)
    return values


def select_option(command: _F) -> _F:
    """`--select`, which may be given several times."""
    return click.option(
        "-s",
        "--select",
        multiple=True,
        metavar="SELECTION",
        callback=_readable,
        help="Which assets: `orders`, `*orders`, `orders+2`, 'group:raw and not kind:csv'. Several are joined.",
    )(command)


def config_option(command: _F) -> _F:
    """`--config`, which may be given several times; what it means is known once the definitions are."""
    return click.option(
        "-c",
        "--config",
        multiple=True,
        metavar="KEY=VALUE",
        help="Configuration: `revenue.clean.threshold=0.3`, or `@file.toml`, `@file.json`. May be repeated.",
    )(command)


_REUSE = {"--reuse": "all", "--no-reuse": "none", "--reuse-only": "only"}


def reuse_options(command: _F) -> _F:
    """`--reuse`, `--no-reuse` and `--reuse-only`, at most one of them, handed over as one text named `reuse`."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = [name for name, how in _REUSE.items() if kwargs.pop(f"reuse_{how}")]
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(f'`{name}`' for name in given)} contradict one another; give one")
        return command(*args, reuse=_REUSE[given[0]] if given else "", **kwargs)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    helps = {
        "--reuse": "Reuse stored values of every op whose code, configuration and inputs are the same.",
        "--no-reuse": "Run everything anew; what is stored can be reused later.",
        "--reuse-only": "Refuse to run anything: only stored values are used.",
    }
    result: Any = wrapped
    for name in reversed(_REUSE):
        result = click.option(name, f"reuse_{_REUSE[name]}", is_flag=True, help=helps[name])(result)
    return result


def joined(selections: tuple[str, ...]) -> str | None:
    """Several selections as one; None: nothing was said."""
    if len(selections) < 2:
        return selections[0] if selections else None
    return " or ".join(f"({each})" for each in selections)


@contextmanager
def nothing_missing_is_fine(ctx: click.Context, selection: str | None, *, as_json: bool) -> Generator[None]:
    """A selection of what is missing that is empty because nothing is: that is said, and the command ends well."""
    try:
        yield
    except NothingSelected as nothing:
        if selection is None or nothing.externals or not _of_missing(AssetSelection.from_string(selection)):
            raise
        if as_json:
            print_json(None)
        else:
            ink.put([[("nothing is missing", PLAIN)]])
        ctx.exit(0)


def _of_missing(tree: Any) -> bool:
    """Whether a selection asks anywhere for what was never made."""
    if isinstance(tree, Missing):
        return True
    if isinstance(tree, (tuple, list)):
        return any(_of_missing(each) for each in tree)  # pyright: ignore[reportUnknownVariableType] - parts of a tree
    return isinstance(tree, AssetSelection) and any(_of_missing(getattr(tree, name)) for name in tree.__struct_fields__)


def quoted(word: str) -> str:
    """A word as a shell wants it."""
    return shlex.quote(word)


def print_json(data: Any) -> None:
    """Data on standard output, readable where a person looks."""
    text = msgspec.json.encode(to_json(data), enc_hook=str)
    ink.write((msgspec.json.format(text) if sys.stdout.isatty() else text).decode() + "\n", sys.stdout)
