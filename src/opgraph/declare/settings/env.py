"""References to environment variables: configuration says which variable, the process that runs reads it."""

import os
from typing import Any, NoReturn, Self

from opgraph.declare.settings.secrets import remember
from opgraph.errors import InvalidConfigError, InvariantViolationError, Mistake, Source


class EnvVarUsedTooEarly(Mistake, InvariantViolationError, RuntimeError):
    """A reference to an environment variable was used as if it were the value."""

    shown: str
    says = "{shown} stands for an environment variable that is read when the run begins; it is no value yet"
    mend = "give it to a field of a Config or resource, or call `get_value()` to read the variable now"


class EnvVarNotSet(InvalidConfigError):
    """An environment variable that configuration refers to is not set. `path` is where it does."""

    def __init__(self, name: str, path: str = "", *, where: Source | None = None) -> None:
        self.name, self.path = name, path
        place = f", which `{path}` refers to," if path else ""
        super().__init__(
            f"the environment variable `{name}`{place} is not set", where=where, fix=f"set it: `export {name}=…`"
        )


class EnvVarNoInt(InvalidConfigError):
    """An environment variable that must be a whole number is none. Its value is not shown."""

    def __init__(self, name: str, path: str = "") -> None:
        self.name, self.path = name, path
        place = f", which `{path}` refers to," if path else ""
        super().__init__(
            f"the environment variable `{name}`{place} is no whole number",
            fix=f"set it to digits only: `export {name}=5`",
        )


class EnvVar(str):
    """Stands for the value of an environment variable where configuration is given. Plans, logs and records have only
    its name; the process that runs reads it.

    Args:
        name: the variable.

    Example:
        >>> EnvVar("WAREHOUSE_PASSWORD")
        EnvVar("WAREHOUSE_PASSWORD")
    """

    __slots__ = ("env_var_name", "source")

    env_var_name: str
    source: Source | None  # where it was written; not known of what was recorded or came from another process

    def __new__(cls, name: str) -> Self:  # noqa: D102 - the class says it
        made = str.__new__(cls, name)
        made.env_var_name = name
        made.source = Source.of_caller()
        return made

    @staticmethod
    def int(name: str) -> "IntEnvVar":
        """Stands for a whole number that an environment variable holds."""
        return IntEnvVar.of(name)

    def get_value(self, default: str | None = None) -> str | None:
        """The variable's value, now; `default` where it is not set."""
        value = os.environ.get(self.env_var_name)
        if value is None:
            return default
        remember(value)
        return value

    def __repr__(self) -> str:
        return f'EnvVar("{self.env_var_name}")'

    def __str__(self) -> NoReturn:
        raise EnvVarUsedTooEarly(repr(self))

    def __format__(self, format_spec: str) -> NoReturn:
        raise EnvVarUsedTooEarly(repr(self))

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return reference_to, (self.env_var_name,)

    def __deepcopy__(self, memo: object) -> Self:
        return self  # with where it was written


class IntEnvVar(int):
    """Stands for a whole number that an environment variable holds. Made by `EnvVar.int`."""

    env_var_name: str
    source: Source | None  # as above

    @staticmethod
    def of(name: str) -> "IntEnvVar":
        """The reference to a variable."""
        made = IntEnvVar()
        made.env_var_name = name
        made.source = Source.of_caller()
        return made

    def get_value(self, default: int | None = None) -> int | None:
        """The variable's value, now; `default` where it is not set.

        Raises:
            InvalidConfigError: it is no whole number.
        """
        value = os.environ.get(self.env_var_name)
        if value is None:
            return default
        remember(value)
        try:
            return int(value)
        except ValueError:
            raise EnvVarNoInt(self.env_var_name) from None

    def __repr__(self) -> str:
        return f'IntEnvVar("{self.env_var_name}")'

    def __str__(self) -> NoReturn:
        raise EnvVarUsedTooEarly(repr(self))

    def __format__(self, format_spec: str) -> NoReturn:
        raise EnvVarUsedTooEarly(repr(self))

    def __int__(self) -> NoReturn:
        raise EnvVarUsedTooEarly(repr(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntEnvVar) and other.env_var_name == self.env_var_name

    def __hash__(self) -> int:
        return hash(("IntEnvVar", self.env_var_name))

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return _int_reference_to, (self.env_var_name,)

    def __deepcopy__(self, memo: object) -> Self:
        return self  # as above


def reference_to(name: str) -> EnvVar:
    """A reference that was not written in the code."""
    made = EnvVar(name)
    made.source = None
    return made


def _int_reference_to(name: str) -> IntEnvVar:
    made = IntEnvVar.of(name)
    made.source = None
    return made


def has_reference(value: Any) -> bool:
    """Whether a value is a reference to an environment variable, or a list, tuple or dict with one inside."""
    if isinstance(value, (EnvVar, IntEnvVar)):
        return True
    if isinstance(value, dict):
        return any(has_reference(each) for each in value.values())  # pyright: ignore[reportUnknownVariableType]
    return isinstance(value, (list, tuple)) and any(has_reference(each) for each in value)  # pyright: ignore[reportUnknownVariableType]
