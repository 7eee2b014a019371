"""What the process of the definitions and that of a run have in common: reading a request for a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from opgraph.declare.definitions import Definitions
from opgraph.errors import InvalidConfigError
from opgraph.operate.memo import Memoizing, Reuse
from opgraph.operate.planning import target_again
from opgraph.operate.target import Target
from opgraph.plan.model import Plan, Policy
from opgraph.record.rows import RunRow
from opgraph.resolve.config import Given
from opgraph.run.instance import Instance


class BadConfigKey(InvalidConfigError):
    """A key of a flat configuration that cannot be one."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"`{key[:100]}` is no key of a configuration",
            fix="write the names of the asset, the op and the setting with dots between them",
        )


def as_given(config: Mapping[str, Any]) -> Sequence[str] | None:
    """A configuration with flat keys as the texts that the command line takes.

    Raises:
        BadConfigKey: a key that would be read as something else: the name of a file, or a key and a value.
    """
    for key in config:
        if not key or key.startswith("@") or "=" in key:
            raise BadConfigKey(key)
    texts = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in config.items()]
    return texts or None


def again(
    defs: Definitions, row: RunRow, instance: Instance, policy: str | Policy | None, config: Given
) -> tuple[Target, Plan]:
    """All that a run was asked for, with nothing reused."""
    target = replace(target_again(defs, row, instance, policy, config), memoizing=Memoizing(reuse=Reuse.NONE))
    return target, target.plan(instance)


def named(given: Mapping[str, Any]) -> list[str]:
    """The steps that a request names."""
    return list(given.get("steps") or ())


def encoded(message: Any) -> bytes:
    """A line of the conversation between two of our processes."""
    return msgspec.json.encode(message, enc_hook=str) + b"\n"
