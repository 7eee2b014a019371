"""What the process of the definitions and that of a run have in common: reading a request for a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from opgraph.declare.project.definitions import Definitions
from opgraph.declare.project.executor import ExecutorChoice
from opgraph.errors import InvalidConfigError
from opgraph.operate.execute import Driving
from opgraph.operate.memo import Memoizing, Reuse
from opgraph.operate.planning import replan, row_of, target_again, target_of
from opgraph.operate.project import Location
from opgraph.operate.target import Target
from opgraph.plan.model import Plan
from opgraph.record.rows import RunRow
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


def wanted(
    definitions: Definitions, instance: Instance, location: Location, given: Mapping[str, Any]
) -> tuple[Target, RunRow | None]:
    """What a request asks for, and the run that it goes on from, if it does."""
    policy, config = given.get("policy"), as_given(given.get("config") or {})
    if not given.get("parent"):
        return target_of(
            definitions,
            given.get("selection"),
            instance=instance,
            job=given.get("job"),
            policy=policy or location.on_unselected,
            tags=given.get("tags") or {},
            config=config,
            reuse=given.get("reuse") or "",
            memoize=location.memoize,
        ), None
    row = row_of(instance, given["parent"])
    target = target_again(definitions, row, instance, policy, config, memoize=location.memoize)
    return (replace(target, memoizing=Memoizing(reuse=Reuse.NONE)) if given.get("mode") == "all" else target), row


def plan_of(target: Target, row: RunRow | None, instance: Instance, given: Mapping[str, Any]) -> Plan:
    """What it would do. In mode `all` nothing is reused."""
    mode, steps = given.get("mode") or "failed", list(given.get("steps") or ())
    if row is None or mode == "all":
        return target.plan(instance)
    return replan(
        target,
        row,
        instance,
        from_step=steps if mode == "from" else (),
        only=steps if mode == "only" else (),
    )


def how(location: Location, given: Mapping[str, Any]) -> Driving:
    """Who runs it, and how long that may take."""
    name, workers = given.get("executor"), given.get("workers")
    chosen = ExecutorChoice(name, {"max_concurrent": workers} if workers else {}) if name else None
    return {"executor": chosen, "otherwise": location.executor, "timeout": given.get("timeout")}


def encoded(message: Any) -> bytes:
    """A line of the conversation between two of our processes."""
    return msgspec.json.encode(message, enc_hook=str) + b"\n"
