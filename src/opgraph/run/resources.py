"""The resources of a run: made when they are first needed, each once, and put away in the opposite order at its end."""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from threading import RLock
from typing import Any, Self, cast

from opgraph.declare.settings.env import has_reference
from opgraph.declare.settings.recipe import InitResourceContext, has_fields, is_recipe
from opgraph.declare.settings.resource import ResourceDefinition
from opgraph.declare.settings.run_config import fields_of, is_config_type, is_list, is_model, is_tree, loosened, plain
from opgraph.declare.settings.secrets import hide, is_secret, revealed
from opgraph.errors import Error, InvalidConfigError, InvariantViolationError, Mistake, ResourceFunctionError
from opgraph.keys import near_misses
from opgraph.resolve.config import nothing_given
from opgraph.resolve.config_mistakes import MissingKey, UnknownKey, WrongType, refuse_config
from opgraph.resolve.config_values import Fitting, may_be_left_out, named, source_of
from opgraph.resolve.needs import NeededNotGiven, ResourceCircle
from opgraph.run.mistakes import ResourceNotGiven

_LOG = logging.getLogger("opgraph")
_SETTINGS = (Mapping, str, int, float, list, tuple, type(None))


class ResourceNotMade(ResourceFunctionError):
    """Making a resource failed. `__cause__` is the user's exception."""

    def __init__(self, key: str, what: str, cause: BaseException) -> None:
        self.key = key
        said = cause.what if isinstance(cause, Error) else str(cause)
        super().__init__(
            f"resource `{key}` could not be made: {type(cause).__name__}: {hide(said)}",
            fix=f"see the error above: {what} raised it, before the step that needs `{key}` began",
        )


class Opened(Mapping[str, Any]):
    """Resources by key. A recipe's resource is made when it is asked for; what is no recipe is the resource itself.

    Args:
        given: resources and recipes by key.
        launch: by key the settings that the run's configuration has for a resource, or an object instead of it.
        run: the public Run, if there is one.
        run_id: its id.
        instance: where it is recorded.
        log: what resources write log lines to.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        launch: Mapping[str, Any] | None = None,
        *,
        run: Any = None,
        run_id: str | None = None,
        instance: Any = None,
        log: Any = _LOG,
    ) -> None:
        self._launch: dict[str, Any] = {
            key: each for key, each in (launch or {}).items() if isinstance(each, _SETTINGS)
        }
        self._given = {**given, **{key: each for key, each in (launch or {}).items() if key not in self._launch}}
        self._keys = {id(each): key for key, each in reversed(self._given.items()) if is_recipe(each)}
        self.objects = frozenset(key for key, each in self._given.items() if not is_recipe(each))
        self._made: dict[int, Any] = {}
        self._configs: dict[str, Any] = {}
        self._stack = ExitStack()
        self._path: list[str] = []
        self._lock = RLock()
        self._run, self._run_id, self._instance, self._log = run, run_id, instance, log
        self.lasting = False  # whether something was made that is to be put away

    # -- a mapping ----------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        given = self._given[key]
        return self._resource(given, key) if is_recipe(given) else given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __contains__(self, key: object) -> bool:
        return key in self._given

    def config(self, key: str) -> Any:
        """What a resource was made with; None: nothing, or it was not made."""
        return self._configs.get(key)

    def ends(self, key: str) -> bool:
        """Whether a resource, or one inside it, is put away at the end."""
        return self._ends(self._given.get(key), set())

    def _ends(self, recipe: Any, seen: set[int]) -> bool:
        if not is_recipe(recipe) or id(recipe) in seen:
            return False
        seen.add(id(recipe))
        fields: Mapping[str, Any] = recipe.opgraph_fields()[1] if has_fields(recipe) else {}
        inner = [*(self._given.get(key) for key in recipe.opgraph_requires()), *fields.values()]
        return bool(recipe.opgraph_lasts()) or any(self._ends(each, seen) for each in inner)

    def recipe(self, key: str) -> Any:
        """What was given, which may not be made yet; None: nothing."""
        return self._given.get(key)

    # -- other processes ----------------------------------------------------------------

    def after_fork(self) -> None:
        """In a forked child: what the parent made is the parent's to use and to put away; the child makes its own."""
        _kept_by_parents.append((self._stack, self._made))
        self._stack, self._made, self._configs, self._path = ExitStack(), {}, {}, []
        self._lock = RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        """As it goes to another host, which makes its own."""
        told = {"run": self._run, "run_id": self._run_id, "instance": self._instance, "log": self._log}
        return partial(Opened, self._given, self._launch, **told), ()

    # -- making -----------------------------------------------------------------------

    def make_ready(self, keys: frozenset[str]) -> None:
        """Make the resources of these keys, in the order in which they were given.

        Raises:
            ResourceFunctionError: one could not be made.
        """
        for key in self._given:
            if key in keys:
                self[key]

    def check(self, keys: frozenset[str]) -> None:
        """Whether the configuration of these resources fits, without making any.

        Raises:
            InvalidConfigError: every mistake at once.
        """
        problems: list[InvalidConfigError] = []
        unknown = [key for key in self._launch if key not in self._given]
        problems += [UnknownKey(f"resources.{key}", key, list(self._given), None) for key in unknown]
        for key in self._given:
            if key in keys:
                problems += self._wrong(self._given[key], key)
        refuse_config(problems)

    def _wrong(self, recipe: Any, key: str) -> Iterator[InvalidConfigError]:
        """What is wrong with the configuration of a resource and of those inside it."""
        if isinstance(recipe, ResourceDefinition):
            yield from self._by_schema(recipe, key)[1]
        if has_fields(recipe):
            _, values, problems, _ = self._fitted(recipe, key, reading=True)
            yield from problems
            for value in values.values():
                inner = self._keys.get(id(value), "")
                if not inner or inner != key:
                    yield from self._wrong(value, inner)

    def made(self, recipe: Any) -> Any:
        """The resource of a recipe that is a part of another one."""
        return self._resource(recipe, self._keys.get(id(recipe), ""))

    def _resource(self, recipe: Any, key: str) -> Any:
        with self._lock:
            if id(recipe) not in self._made:
                path = self._path
                path.append(key or type(recipe).__name__)
                try:
                    if key and key in path[:-1]:
                        raise ResourceCircle(path[path.index(key) :])
                    self._made[id(recipe)] = self._open(recipe, key)
                finally:
                    path.pop()
            return self._made[id(recipe)]

    def _open(self, recipe: Any, key: str) -> Any:
        required: frozenset[str] = recipe.opgraph_requires()
        for each in sorted(required):
            if each not in self._given:
                raise NeededNotGiven(each, key or type(recipe).__name__)
            self[each]
        config = self._config_of(key)
        ready = recipe
        if isinstance(recipe, ResourceDefinition):
            config, problems = self._by_schema(recipe, key)
            refuse_config(problems)
        if has_fields(recipe):
            ready, config = self._ready(recipe, key)
        if key:
            self._configs[key] = config
        context = InitResourceContext(
            config,
            Resources(self, required),
            self._run,
            self._run_id,
            self._instance,
            self._log,
            recipe,
            self.made,
        )
        if not is_recipe(ready):
            return ready
        self.lasting = self.lasting or ready.opgraph_lasts()
        cls: str = getattr(recipe, "cls", recipe.__class__).__name__
        name = next((each for each in self._path if each in self._given), "") or key or cls
        opening: AbstractContextManager[Any] | None = None
        try:
            opening = ready.opgraph_open(context)
            assert opening is not None
            value = opening.__enter__()
        except (ResourceFunctionError, KeyboardInterrupt):
            raise
        except BaseException as error:
            what = f"`{cls}`" if ready is not recipe else f"its function `{getattr(recipe, 'name', cls)}`"
            raise ResourceNotMade(name, what, error) from error
        self._stack.callback(_put_away, opening, name, self._log)
        return value

    def _by_schema(self, recipe: ResourceDefinition, key: str) -> tuple[Any, list[InvalidConfigError]]:
        """The configuration of a function that makes a resource, and what is wrong with it."""
        given = self._config_of(key)
        if given is None:
            given = recipe.config
        schema = recipe.config_schema
        if given is None and schema is None:
            return None, []
        fitting = Fitting(recipe.source, reading=True)
        path = f"resources.{key or recipe.name}"
        fitted = fitting.fit(nothing_given(schema) if given is None else given, schema, path)
        made = fitting.made(fitted, schema, path)
        return fields_of(made) if is_model(made) else fitted, fitting.problems

    def _config_of(self, key: str) -> Any:
        return self._launch.get(key) if key else None

    def _ready(self, recipe: Any, key: str) -> tuple[Any, Any]:
        """The object that a recipe's fields make, with environment variables read and inner resources made; and its
        configuration as plain data."""
        cls, values, problems, hidden = self._fitted(recipe, key, reading=True)
        refuse_config(problems)
        if not is_config_type(cls):
            return cls(**values), dict(values)
        inner = {name: self._inside(value) for name, value in values.items() if _holds_recipe(value)}
        config = {name: _config_value(value) for name, value in values.items() if name not in inner}
        untouched = isinstance(recipe, cls) and not hidden and self._config_of(key) is None
        made = recipe if untouched else self._built(cls, values, key, recipe)
        return made.opgraph_ready(inner, hidden, recipe), config

    def _inside(self, value: Any) -> Any:
        """A field's value, with the resources made of which it consists."""
        if is_tree(value):
            return {name: self._inside(each) for name, each in value.items()}
        if is_list(value):
            inside = [self._inside(each) for each in value]
            return type(value)(*inside) if hasattr(value, "_fields") else type(value)(inside)  # a named tuple
        return self.made(value) if is_recipe(value) else value

    def _built(self, cls: Any, values: Mapping[str, Any], key: str, recipe: Any) -> Any:
        fitting = Fitting(source_of(cls), reading=True)
        path = f"resources.{key}" if key else type(recipe).__name__
        by_alias = {
            cls.model_fields[name].alias or name if name in cls.model_fields else name: v for name, v in values.items()
        }
        made = fitting.made(by_alias, cls, path)
        refuse_config(fitting.problems)
        return made

    def _fitted(
        self, recipe: Any, key: str, *, reading: bool
    ) -> tuple[Any, dict[str, Any], list[InvalidConfigError], frozenset[str]]:
        """The class of a resource, its fields, what is wrong with them, and which come from environment variables."""
        cls, given = recipe.opgraph_fields()
        path = f"resources.{key}" if key else cls.__name__
        fitting = Fitting(source_of(cls), reading=reading)
        fields: Mapping[str, Any] = cls.model_fields if is_config_type(cls) else {}
        values: dict[str, Any] = {name: field.default for name, field in fields.items() if _refers(field.default)}
        values |= given
        by_alias = {(field.alias or name): name for name, field in fields.items()}
        launch = self._config_of(key)
        if launch is not None and not isinstance(launch, Mapping):
            fitting.problems.append(WrongType(path, f"a dict of {cls.__name__}'s settings", launch, fitting.where))
            launch = None
        late, meant = set[str](), set[str]()
        for name, value in cast("Mapping[str, Any]", launch or {}).items():
            known = by_alias.get(name, name if name in fields or not fields else None)
            if known is None:
                fitting.problems.append(UnknownKey(f"{path}.{name}", name, list(by_alias), fitting.where))
                meant.update(near_misses(name, by_alias, most=1))
            else:
                late.add(known)
                values[known] = value
        hidden = set[str]()
        for name, value in values.items():
            if is_secret(value):
                revealed(value)
            if name in late or _refers(value):
                references = len(fitting.references)
                kind = fields[name].annotation if name in fields else None
                values[name] = fitting.fit(value, kind, f"{path}.{name}")
                if len(fitting.references) > references:
                    hidden.add(name)
        for name, field in fields.items():
            if {name, field.alias or name} & {*values, *meant}:  # what was meant by a wrong name is told with that
                continue
            if field.is_required() and not may_be_left_out(field.annotation):
                at, wanted = f"{path}.{field.alias or name}", named(field.annotation)
                told = f"-c {at}=…" if key else f"{name} = …"
                fitting.problems.append(MissingKey(at, wanted, told, where=fitting.where))
        return cls, values, fitting.problems, frozenset(hidden)

    # -- the end ----------------------------------------------------------------------

    def close(self) -> None:
        """Put everything away, the last first. What goes wrong there is logged. What was made can still be had."""
        self._stack.close()
        self.lasting = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Resources:
    """Resources as attributes.

    Args:
        by_key: all there are.
        keys: those that may be used; None: all.

    Raises:
        ResourceNotGiven: by reading an attribute, there is no such resource. It is an AttributeError too.
    """

    __slots__ = ("_by_key", "_keys")

    def __init__(self, by_key: Mapping[str, Any], keys: frozenset[str] | None = None) -> None:
        self._by_key, self._keys = by_key, keys

    def __getattr__(self, key: str) -> Any:
        if key in self._by_key and (self._keys is None or key in self._keys):
            return self._by_key[key]
        if key.startswith("__"):
            raise AttributeError(key)
        raise ResourceNotGiven(key, dir(self), there=key in self._by_key)

    def __reduce__(self) -> tuple[Any, ...]:
        return Resources, (self._by_key, self._keys)

    def only(self, keys: frozenset[str]) -> "Resources":
        """Those of some keys, and all that need not be made."""
        if not isinstance(self._by_key, Opened):
            return self
        return Resources(self._by_key, keys & self._by_key.keys() | self._by_key.objects)

    def __dir__(self) -> list[str]:
        return sorted(self._by_key if self._keys is None else self._keys)

    def _asdict(self) -> dict[str, Any]:
        return {key: self._by_key[key] for key in dir(self)}


class NeedsWith(Mistake, InvariantViolationError):
    """A resource that must be put away is used where nothing says when."""

    builder: str
    keys: Sequence[str]
    says = "{keys} must be put away in the end, and nothing here says when that is"
    mend = "use the context inside `with {builder}(...) as context:`"


class Scope:
    """The resources of a context that was made by hand: those that must be put away are there only inside `with`."""

    def __init__(
        self, builder: str, given: Mapping[str, Any], config: Mapping[str, Any] | None = None, **told: Any
    ) -> None:
        self._builder = builder
        self._opened = Opened(given, config, **told)
        self._opened.make_ready(frozenset(given))
        self._keys = [key for key, each in given.items() if is_recipe(each) and each.opgraph_lasts()]
        self._inside = not self._keys
        self._entered = False
        self._brought = ExitStack()

    @property
    def resources(self) -> Resources:
        """The resources, as attributes.

        Raises:
            InvariantViolationError: one of them must be put away, and this is outside of `with`.
        """
        if not self._inside:
            raise NeedsWith(self._builder, self._keys)
        return Resources(self._opened)

    def with_also(self, more: Mapping[str, Any]) -> Resources:
        """The resources, and those that a definition brings with it; these are put away with the others.

        Raises:
            InvariantViolationError: one of them must be put away, and this is outside of `with`.
        """
        lasting = [key for key, each in more.items() if is_recipe(each) and each.opgraph_lasts()]
        if lasting and not self._entered:
            raise NeedsWith(self._builder, lasting)
        brought = Opened(more)
        self._brought.callback(brought.close)
        there = {key: self._opened[key] for key in dir(self.resources)}
        return Resources({**brought, **there})

    def enter(self) -> None:
        """From here on all of them are there."""
        self._inside = self._entered = True

    def leave(self) -> None:
        """Put them away."""
        self._inside, self._entered = not self._keys, False
        self._brought.close()
        self._opened.close()

    def __del__(self) -> None:
        self._opened.close()


def _put_away(opening: AbstractContextManager[Any], key: str, log: Any) -> None:
    """An error there is logged, and no error of anyone else."""
    try:
        opening.__exit__(None, None, None)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises; the others must be put away too
        log.error(  # noqa: TRY400 - one line is enough
            "resource `%s` could not be put away: %s: %s", key, type(error).__name__, hide(str(error))
        )


def _holds_recipe(value: Any) -> bool:
    inside: Any = value.values() if is_tree(value) else value if is_list(value) else ()
    return is_recipe(value) or any(map(_holds_recipe, inside))


def _refers(value: Any) -> bool:
    """Whether a value, or settings inside it, refer to an environment variable. A resource inside reads its own."""
    if is_recipe(value):
        return False
    if is_model(value):
        return any(_refers(getattr(value, name)) for name in cast("Any", type(value)).model_fields)
    if is_tree(value):
        return any(map(_refers, value.values()))
    return any(map(_refers, value)) if is_list(value) else has_reference(value)


def _config_value(value: Any) -> Any:
    return (
        plain(fields_of(value))
        if is_model(value)
        else getattr(value, "value", value)
        if hasattr(value, "name")
        else loosened(value)
    )


_kept_by_parents: list[Any] = []  # never collected: that would end generators which the parent goes on with
_kept: list[Opened] = []  # made by `process_config_and_initialize`: nobody says when they are to be put away


def open_resource(recipe: Any, *, keep: bool) -> Any:
    """What ops would be given of a resource: the object, or a context manager of it."""
    if not keep:
        return _open_for_a_while(recipe)
    opened = Opened({})
    _kept.append(opened)
    return opened.made(recipe)


@contextmanager
def _open_for_a_while(recipe: Any) -> Generator[Any]:
    with Opened({}) as opened:
        yield opened.made(recipe)
