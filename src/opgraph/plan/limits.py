"""How a step is to run, as its tags say: how long it may take, and where."""

import math
from collections.abc import Mapping

from opgraph.declare.labels import EXECUTOR, TIMEOUT
from opgraph.errors import InvalidDefinitionError, Source
from opgraph.resolve.flatten import FlatStep

HERE = "in_process"


class BadStepTag(InvalidDefinitionError):
    """A tag that says how a step runs has a value that makes no sense."""

    def __init__(self, owner: str, tag: str, value: str, fix: str, where: Source | None) -> None:
        self.owner, self.tag, self.value = owner, tag, value
        super().__init__(f"{owner} has the tag `{tag}` = {value!r}", where=where, fix=fix)


def limits_of(step: FlatStep, defaults: Mapping[str, str]) -> tuple[float | None, str]:
    """The seconds that a step may take (None: any), and where it must run (empty: wherever the executor likes).

    Args:
        step: the step; its invocation's tags come before its op's, and these before those of the graphs around it.
        defaults: tags of the asset definition that it belongs to.

    Raises:
        BadStepTag: a tag's value makes no sense.
    """
    if not (defaults or step.op.tags or (step.node is not None and step.node.tags) or step.parents):
        return None, ""
    tags = dict(defaults)
    for parent in step.parents:
        tags |= {**(parent.definition.tags or {}), **(parent.tags or {})}
    tags |= step.op.tags
    if step.node is not None:
        tags |= step.node.tags or {}
    where = tags.get(EXECUTOR, "")
    if where not in ("", HERE):
        fix = f'"{HERE}" keeps the step in the process that drives the run; other executors are chosen for a whole run'
        raise BadStepTag(f"step `{step.key}`", EXECUTOR, where, fix, step.op.source)
    return seconds_of(tags, f"step `{step.key}`", step.op.source), where


def pools_of(step: FlatStep, of_assets: str | None) -> tuple[str, ...]:
    """The pools of which a step holds a slot while it runs: its op's, and that of the asset definition around it."""
    own = step.op.pool
    return tuple(dict.fromkeys(pool for pool in (own, of_assets) if pool)) if own or of_assets else ()


def seconds_of(tags: Mapping[str, str], owner: str, where: Source | None) -> float | None:
    """The time limit that some tags set.

    Raises:
        BadStepTag: it is no number above 0.
    """
    text = tags.get(TIMEOUT)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (seconds > 0 and math.isfinite(seconds)):
        raise BadStepTag(owner, TIMEOUT, text, "give the seconds that it may take: a number above 0", where)
    return seconds
