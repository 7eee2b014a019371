"""Mistakes in configuration: one class each, with the path of the key; found together before anything runs."""

from collections.abc import Iterable, Sequence

from opgraph import errors
from opgraph.errors import InvalidConfigError, Mistake, Source
from opgraph.keys import near_misses

_MOST = 120  # characters of a value that a message shows


class InvalidConfigsError(InvalidConfigError):
    """Several mistakes in the configuration, found together."""

    def __init__(self, problems: Sequence[InvalidConfigError]) -> None:
        self._problems = tuple(problems)
        super().__init__(f"{len(problems)} problems in the configuration")

    @property
    def problems(self) -> Sequence[InvalidConfigError]:
        """The mistakes."""
        return self._problems

    def __str__(self) -> str:
        numbered = [f"{i}. {problem}".replace("\n", "\n   ") for i, problem in enumerate(self.problems, 1)]
        return "\n".join([f"{self.what}:", *numbered])


def refuse_config(problems: Sequence[InvalidConfigError]) -> None:
    """Raise what was found, if anything: the mistake itself, or all of them in one."""
    if problems:
        raise problems[0] if len(problems) == 1 else InvalidConfigsError(problems)


def _meant(name: str, known: Iterable[str]) -> str:
    near = near_misses(name, known)
    return f". Did you mean {' or '.join(f'`{each}`' for each in near)}?" if near else ""


def _listed(names: Iterable[str], kind: str) -> str:
    listed = list(names)
    if not listed:
        return f"leave it out: there are no {kind} here"
    shown = ", ".join(f"`{name}`" for name in listed[:12])
    return f"the {kind} are {shown}{f' and {len(listed) - 12} more' if len(listed) > 12 else ''}"


def shown(value: object) -> str:
    """A value for a message: shortened."""
    return errors.shown(value, _MOST)


class UnknownSection(InvalidConfigError):
    """A run configuration has a part that there is not."""

    def __init__(self, name: str, known: Sequence[str], nodes: Iterable[str]) -> None:
        self.name = name
        is_node = name in nodes
        super().__init__(
            f"a run configuration has no part `{name}`{'' if is_node else _meant(name, known)}",
            fix=f'put it under `ops`: `{{"ops": {{"{name}": …}}}}`' if is_node else _listed(known, "parts"),
        )


class UnknownNode(InvalidConfigError):
    """Configuration for an op, graph or asset that is not there."""

    def __init__(self, path: str, name: str, known: Sequence[str], where: Source | None) -> None:
        self.path, self.name, self.known = path, name, tuple(known)
        super().__init__(
            f"`{path}` is configured, and there is no such op or graph{_meant(name, known)}",
            where=where,
            fix=_listed(known, "ops and graphs"),
        )


class MisplacedKey(InvalidConfigError):
    """A key beside `config` and `ops` of an op or graph."""

    def __init__(self, path: str, key: str, *, graph: bool, known: Iterable[str], where: Source | None) -> None:
        self.path, self.key = path, key
        own = ("ops", "config") if graph else ("config",)
        near = near_misses(key, own) or near_misses(key, known)
        name = near[0] if near else key
        written = f"`{name}`" if name in own else f'`{{"{own[0]}": {{"{name}": …}}}}`'
        super().__init__(
            f"`{path}.{key}` stands where only {' and '.join(f'`{each}`' for each in own)} of the "
            f"{'graph' if graph else 'op'} may stand{_meant(key, near) if name != key else ''}",
            where=where,
            fix=f"write it as {written}",
        )


class NotConfigurable(InvalidConfigError):
    """Configuration of something that has no use for it."""

    def __init__(self, path: str, what: str, where: Source | None, fix: str) -> None:
        self.path = path
        super().__init__(f"`{path}` is configured, but {what}", where=where, fix=fix)


class UnknownKey(InvalidConfigError):
    """A key that the Config does not have."""

    def __init__(self, path: str, key: str, known: Sequence[str], where: Source | None) -> None:
        self.path, self.key, self.known = path, key, tuple(known)
        super().__init__(
            f"`{path}` is no setting of {path.rpartition('.')[0] or 'the configuration'}{_meant(key, known)}",
            where=where,
            fix=_listed(known, "settings"),
        )


class MissingKey(Mistake, InvalidConfigError):
    """A setting without a default that is not given."""

    path: str
    expected: str
    given_as: str
    says = "`{path}` ({expected}) is not given and has no default"
    mend = "give it: `{given_as}`"


class WrongType(InvalidConfigError):
    """A value of another type than was declared. A secret's value is not shown."""

    def __init__(self, path: str, expected: str, got: object, where: Source | None, *, secret: bool = False) -> None:
        # Text of the command line is a kind of str that is nobody's business.
        self.path, self.expected, self.got = path, expected, "str" if isinstance(got, str) else type(got).__name__
        value = "None" if got is None else f"the {self.got}" + ("" if secret else f" {shown(got)}")
        super().__init__(
            f"`{path}` must be {expected}, not {value}",
            where=where,
            fix=f"give it {expected}",
        )


class BadChoice(InvalidConfigError):
    """A value that is none of those there are."""

    def __init__(self, path: str, got: object, choices: Sequence[str], where: Source | None) -> None:
        self.path, self.got, self.choices = path, got, tuple(choices)
        super().__init__(
            f"`{path}` cannot be {shown(got)}{_meant(str(got), choices)}", where=where, fix=_listed(choices, "choices")
        )


class BadValue(Mistake, InvalidConfigError):
    """A value that breaks a rule of the Config: a constraint or a validator."""

    path: str
    why: str
    says = "`{path}` is not valid: {why}"
    mend = "give a value that keeps this rule"


class VariableMisfits(Mistake, InvalidConfigError):
    """An environment variable whose text does not become what the setting takes. What it holds is not shown."""

    path: str
    name: str
    takes: str
    says = "`{path}` is not valid: the environment variable `{name}` does not hold {takes}"
    mend = "set it to that: `export {name}=…`"


class SecretNotRecorded(Mistake, InvalidConfigError):
    """A run is to be repeated whose secret was given as a value."""

    path: str
    says = "the secret `{path}` was given as a value, which is never recorded"
    mend = 'give it again, or give it as `EnvVar("NAME")`, whose name is recorded'


class MappingFailed(InvalidConfigError):
    """The function of a config mapping raised an exception, or returned no configuration."""

    def __init__(self, path: str, what: str, where: Source | None) -> None:
        self.path = path
        super().__init__(
            f"the config mapping of `{path}` {what}", where=where, fix="let it return the configuration of the ops"
        )


class MappingMisfits(InvalidConfigError):
    """The function of a config mapping returned configuration that does not fit its ops."""

    def __init__(self, path: str, problem: InvalidConfigError, where: Source | None) -> None:
        self.path, self.problem = path, problem
        super().__init__(
            f"the config mapping of `{path}` returned what does not fit: {problem.what}", where=where, fix=problem.fix
        )


class BadConfigText(InvalidConfigError):
    """A piece of configuration, typed as text, that cannot be read."""

    def __init__(self, text: str, why: str, fix: str) -> None:
        self.text = text
        super().__init__(f"`{text}` cannot be read: {why}", fix=fix)
