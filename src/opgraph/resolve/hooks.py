"""Which hooks are called when a step has ended, and what they need."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from opgraph.declare.ops.hooks import HookDefinition
from opgraph.errors import InvalidDefinitionError, Source
from opgraph.keys import near_misses
from opgraph.resolve.flatten import FlatStep
from opgraph.resolve.mistakes import MissingResource


def hooks_of(step: FlatStep, around: Collection[AbstractSet[HookDefinition]]) -> tuple[HookDefinition, ...]:
    """The hooks of a step, each once: its own, those of the graphs around it, and those `around` all, by name."""
    if not step.parents and not any(around) and (step.node is None or not step.node.hooks):  # the commonest case
        return ()
    nodes = (*((step.node,) if step.node is not None else ()), *reversed(step.parents))
    groups = [node.hooks for node in nodes if node.hooks] + [hooks for hooks in around if hooks]
    if not groups:
        return ()
    found = (hook for hooks in groups for hook in sorted(hooks, key=lambda each: each.name))
    return tuple(dict.fromkeys(found))


def without_resources(
    steps: Iterable[FlatStep],
    around: Iterable[AbstractSet[HookDefinition]],
    resources: Mapping[str, object],
    seen: set[str],
) -> Iterable[InvalidDefinitionError]:
    """The resources that hooks require and that are not there, each once. `seen` grows."""
    around = list(around)
    for step in steps:
        for hook in hooks_of(step, around):
            yield from missing_for(hook, f"op `{step.key}`", resources, seen)


def missing_for(
    hook: HookDefinition, of: str, resources: Mapping[str, object], seen: set[str]
) -> Iterable[InvalidDefinitionError]:
    """The resources that one hook requires and that are not there."""
    for key in sorted(hook.required_resource_keys):
        if key not in resources and key not in seen:
            seen.add(key)
            who, where = f"hook `{hook.name}` of {of}", Source(*hook.source)
            yield MissingResource(key, who, where, sorted(resources), near_misses(key, resources))
