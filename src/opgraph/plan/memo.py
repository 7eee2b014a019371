"""Which stored values stand for a step because all that it depends on is the same: memoization as one decision a step.

A step's fingerprint is made of parts, each a hash or a data version under a name: its code, its configuration, its I/O
managers, its resources, the constants among its inputs, and the versions of the values that it is given. The last are
known when a plan is made only where everything upstream is reused; elsewhere the run decides.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from opgraph.events import Kept
from opgraph.plan.model import (
    Decision,
    Do,
    FromAsset,
    FromCollected,
    FromMany,
    FromMapped,
    FromStep,
    Memo,
    Plan,
    Role,
    Step,
    StepInput,
)
from opgraph.plan.reuse import Trouble, run_what_is_lost, upstream
from opgraph.record.rows import Memoized

Rows = Mapping[str, Sequence[Memoized]]
Versions = Mapping[str, str]

_ORDER = ("code", "config", "managers", "resource", "constant", "input", "after", "key")
_INPUT = ("constant", "input", "after")
ABSENT = "-"  # stands for an output that was not yielded, in a list of outputs


def name_of(step: Step) -> str:
    """What a step is remembered by: the definition it belongs to and its key."""
    return f"{step.unit}:{step.key}"


def fan_of(name: str) -> str:
    """What the mapping keys of a mapped step are remembered by, whose name, or that of its template, this is."""
    return f"{name.partition('[')[0]}[]"


def version_of(kept: Kept) -> str:
    """The data version of a stored value; where it has none, its address, which no other value has."""
    stored = kept.stored
    return stored.data_version or address(kept.run, kept.seq, stored.asset or stored.output)


def address(run: str, seq: int, name: str) -> str:
    """The version of a value that has none: where it is recorded, and its asset's or output's name."""
    return f"{run}/{seq}/{name}"


def parts_of(memo: Memo, inputs: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a fingerprint is made of, by name; without inputs, all but their versions."""
    parts = {"code": memo.code, "config": memo.config, "managers": memo.managers}
    parts.update((f"resource {key}", version) for key, version in memo.resources.items())
    parts.update((f"constant {name}", version) for name, version in memo.constants.items())
    parts.update((f"after {asset}", version) for asset, version in memo.after.items())
    parts.update(inputs or {})
    return parts


def fingerprint(parts: Mapping[str, str]) -> str:
    """The hash of parts: 32 hexadecimal digits."""
    return hashlib.blake2b(msgspec.msgpack.encode(sorted(parts.items())), digest_size=16).hexdigest()


def input_parts(
    step: Step,
    where: Callable[[FromStep | FromMapped], Kept | None],
    asset: Callable[[str, str], str | None],
    keys: Sequence[Step],
    gathered: Callable[[str, int], str],
) -> dict[str, str] | str:
    """The versions of what a step is given and of what it comes after; or the name of an input that has none.

    Args:
        step: the step.
        where: the address of a step's output, or of one value of it; None where it did not come.
        asset: the version of an asset that is loaded for an input; None where it is not known.
        keys: the steps of the plan.
        gathered: the version of what an input collects; of a list, of the first such item of it, the second, …
    """
    parts: dict[str, str] = {}
    for each in step.inputs:
        source, name = each.source, ("after " if each.nothing else "input ") + each.name
        if isinstance(source, (FromStep, FromMapped)):
            kept = where(source)
            if kept is None:
                return each.name
            parts[name] = version_of(kept)
        elif isinstance(source, FromCollected):
            parts[name] = gathered(each.name, 0)
        elif isinstance(source, FromAsset):
            version = asset(each.name, source.asset)
            if version is None:
                return each.name
            parts[name] = version
        elif isinstance(source, FromMany):
            versions = _list_version(each.name, source, where, asset, gathered)
            if versions is None:
                return each.name
            parts[name] = versions
    for edge in step.after:
        kept = where(edge)
        if kept is None:
            return keys[edge.step].key
        parts[f"after {kept.stored.asset or f'{keys[edge.step].key}.{edge.output}'}"] = version_of(kept)
    return parts


def _list_version(
    name: str,
    source: FromMany,
    where: Callable[[FromStep | FromMapped], Kept | None],
    asset: Callable[[str, str], str | None],
    gathered: Callable[[str, int], str],
) -> str | None:
    versions: list[str | None] = []
    collected = 0
    for item in source.items:
        if isinstance(item, (FromStep, FromMapped)):
            kept = where(item)
            versions.append(ABSENT if kept is None else version_of(kept))
        elif isinstance(item, FromCollected):
            versions.append(gathered(name, collected))
            collected += 1
        elif isinstance(item, FromAsset):
            versions.append(asset(name, item.asset))
    return None if None in versions else ",".join(filter(None, versions))


def wanted_of(step: Step, row: Memoized) -> tuple[Kept, ...] | str:
    """The values for the outputs that a step is asked for; or the name of one that was not asked for then."""
    found: list[Kept] = []
    for output in step.outputs:
        if output.role not in (Role.SELECTED, Role.NEEDED):
            continue
        kept = [each for each in row.kept if each.stored.output == output.name]
        if not kept and (output.name not in row.absent or (output.required and not output.dynamic)):
            return output.name
        found += kept
    return tuple(found)


def memoized(plan: Plan, rows: Rows, versions: Versions, trouble: Trouble, *, goes_on: bool = False) -> Plan:
    """The plan with stored values reused, or to be decided on by the run, for its memoized steps that were to run.

    Args:
        plan: the plan; its steps say what they depend on (`Step.memo`).
        rows: what is remembered of its steps, by `name_of`, the last used first.
        versions: the versions of the assets that it loads; those that are not known are left out.
        trouble: tells why a stored value cannot be loaded.
        goes_on: whether it goes on from an earlier run: then what was asked for runs.
    """
    decisions = [step.decision for step in plan.steps]

    def where(source: FromStep | FromMapped) -> Kept | None:
        return next((kept for kept in decisions[source.step].kept if kept.stored.output == source.output), None)

    for i, step in enumerate(plan.steps):
        if step.memo is None or decisions[i].do is not Do.RUN or (goes_on and decisions[i].why == "asked"):
            continue
        if step.memo.unknown:
            decisions[i] = Decision(Do.RUN, "input unknown", step.memo.unknown)
            continue
        unsure = {s.step for s in upstream(step) if decisions[s.step].do in (Do.RUN, Do.DECIDE)}
        if _is_skipped(step, where, unsure):
            decisions[i] = Decision(Do.SKIP, "skipped")
            continue
        known = rows.get(name_of(step), ())
        if unsure or step.over or any(map(_collects, step.inputs)):
            decisions[i] = _may_be(step, step.memo, known)
            continue
        inputs = input_parts(step, where, lambda _, asset: versions.get(asset), plan.steps, _not_asked)
        if isinstance(inputs, str):
            decisions[i] = Decision(Do.RUN, "input unknown", inputs)
        else:
            decisions[i] = _decided(step, parts_of(step.memo, inputs), known, trouble)
        if goes_on and decisions[i].do is Do.RUN:
            decisions[i] = step.decision  # what became of it in the earlier run says more
    run_what_is_lost(plan.steps, decisions, trouble)
    steps = tuple(
        step if step.decision is decision else msgspec.structs.replace(step, decision=decision)
        for step, decision in zip(plan.steps, decisions, strict=True)
    )
    reused = {step.key for step in steps if step.decision.do is Do.REUSE}
    return msgspec.structs.replace(plan, steps=steps, besides=tuple(b for b in plan.besides if b.step not in reused))


def run_anew(plan: Plan) -> Plan:
    """The plan with nothing reused, and memoized steps saying so."""
    anew = Decision(Do.RUN, "no reuse")
    steps = tuple(
        step if step.memo is None or step.decision.do is not Do.RUN else msgspec.structs.replace(step, decision=anew)
        for step in plan.steps
    )
    return msgspec.structs.replace(plan, steps=steps)


def _collects(given: StepInput) -> bool:
    items = given.source.items if isinstance(given.source, FromMany) else (given.source,)
    return any(isinstance(item, FromCollected) for item in items)


def _not_asked(name: str, index: int) -> str:
    raise AssertionError(f"whether what is collected for {name!r} ({index}) is the same is decided by the run")


def _is_skipped(step: Step, where: Callable[[FromStep | FromMapped], Kept | None], unsure: set[int]) -> bool:
    """Whether an output that a step needs is known not to come."""

    def gone(source: FromStep) -> bool:
        return source.step not in unsure and where(source) is None

    if any(map(gone, step.after)):
        return True
    for each in step.inputs:
        if isinstance(each.source, FromStep) and gone(each.source):
            return True
        if isinstance(each.source, FromMany):
            items = each.source.items
            if items and all(isinstance(item, FromStep) and gone(item) for item in items):
                return True
    return False


def _may_be(step: Step, memo: Memo, rows: Sequence[Memoized]) -> Decision:
    """The decision about a step whose inputs are not known: whether there is anything that could be reused."""
    own = parts_of(memo)
    same = [row for row in rows if all(row.parts.get(name) == part for name, part in own.items())]
    if not same:
        return changed(own, rows, only=own.keys())
    if not step.over and all(isinstance(wanted_of(step, row), str) for row in same):
        return Decision(Do.RUN, "output not stored", str(wanted_of(step, same[0])))
    return Decision(Do.DECIDE, "depends", fingerprint=fingerprint(own))


def _decided(step: Step, parts: dict[str, str], rows: Sequence[Memoized], trouble: Trouble) -> Decision:
    mark = fingerprint(parts)
    row = next((row for row in rows if row.fingerprint == mark), None)
    if row is None:
        return changed(parts, rows)
    kept = wanted_of(step, row)
    if isinstance(kept, str):
        return Decision(Do.RUN, "output not stored", kept)
    for each in kept:
        if each.stored.asset is not None and (why := trouble(each)):
            return Decision(Do.RUN, why, f"output `{each.stored.output}`")
    return Decision(Do.REUSE, "same", kept=kept, fingerprint=mark)


def changed(parts: Mapping[str, str], rows: Sequence[Memoized], *, only: Iterable[str] | None = None) -> Decision:
    """What has changed since the values were stored that differ least."""
    if not rows:
        return Decision(Do.RUN, "never run")

    def differing(row: Memoized) -> list[str]:
        names = parts.keys() if only is not None else parts.keys() | row.parts.keys()
        found = [name for name in names if parts.get(name) != row.parts.get(name)]
        return sorted(found, key=lambda name: (_ORDER.index(name.partition(" ")[0]), name))

    first = min(map(differing, rows), key=len)
    if not first:
        return Decision(Do.RUN, "never run")
    kind, _, name = first[0].partition(" ")
    if kind in _INPUT:
        return Decision(Do.RUN, "input changed", name)
    if kind == "resource":
        return Decision(Do.RUN, "resource changed", name)
    return Decision(Do.RUN, {"code": "code changed", "config": "config changed"}.get(kind, "manager changed"))
