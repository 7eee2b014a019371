"""Parts of a unit: which ops a selection of its assets needs, which of their outputs, and whether a part is safe to
ask for."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from opgraph.keys import AssetKey
from opgraph.resolve.assets import Unit
from opgraph.resolve.flatten import Many, Origin, StepOut
from opgraph.resolve.mistakes import CannotSubset


@dataclass(frozen=True, slots=True)
class Part:
    """What of a unit runs for some of its assets.

    `needed` has, for each step that runs (in flat order), those of its outputs that the selected assets need, in the
    order of their declaration; `siblings` the unselected assets of the unit that are to be loaded from storage.
    """

    unit: Unit
    selected: frozenset[AssetKey]
    needed: dict[int, tuple[str, ...]]
    siblings: frozenset[AssetKey]

    @property
    def is_subset(self) -> bool:
        """Whether it leaves out an output of the unit, also one that `subset_for` left out before."""
        return len(self.selected) != len(self.unit.definition.node_def.outs)


def part_of(unit: Unit, selected: AbstractSet[AssetKey]) -> Part:
    """The part of a unit that makes the selected assets.

    Goes backwards from the op outputs of the selected assets. Where it meets an asset of the same unit that is not
    selected, it stops: that one is loaded, like any upstream asset.
    """
    needed: dict[int, set[str]] = {}
    siblings: set[AssetKey] = set()
    todo = [unit.at[key] for key in selected if key in unit.at]
    while todo:
        step, output = todo.pop()
        outputs = needed.get(step)
        if outputs is not None:
            outputs.add(output)
            continue  # its inputs are known already
        needed[step] = {output}
        flat = unit.flat.steps[step]
        for name, origin in flat.inputs.items():
            for source in origin_steps(origin):
                key = unit.key_at.get((source.step, source.output))
                if key is None or key in selected:
                    todo.append((source.step, source.output))
                elif not flat.op.ins[name].is_nothing:
                    siblings.add(key)
    in_order = {
        step: tuple([name for name in unit.flat.steps[step].op.outs if name in needed[step]]) for step in sorted(needed)
    }
    return Part(unit, frozenset(selected), in_order, frozenset(siblings))


def origin_steps(origin: Origin) -> list[StepOut]:
    """The step outputs among the sources of one input."""
    if isinstance(origin, StepOut):
        return [origin]
    if isinstance(origin, Many):
        return [item for item in origin.items if isinstance(item, StepOut)]
    return []


def in_the_way(unit: Unit) -> list[str]:
    """The ops that make subsetting unsafe, each with its reason: those with a required asset output together with
    another output that some other asset needs. Running such an op for the other asset makes the first one too."""
    steps, number = unit.flat.steps, {key: i for i, key in enumerate(unit.at)}
    keys = list(number)
    needs: dict[tuple[int, str], int] = {}  # (step, output) -> the assets that need it, as bits
    for (step, output), key in unit.key_at.items():
        needs[step, output] = 1 << number[key]
    for s in range(len(steps) - 1, -1, -1):
        mine = 0
        for output in steps[s].op.outs:
            mine |= needs.get((s, output), 0)
        for origin in steps[s].inputs.values():
            for source in origin_steps(origin):
                if (source.step, source.output) not in unit.key_at:
                    needs[source.step, source.output] = needs.get((source.step, source.output), 0) | mine
    found: list[str] = []
    for (s, output), key in sorted(unit.key_at.items()):
        op = steps[s].op
        if not op.outs[output].is_required:
            continue
        for other in op.outs:
            bits = needs.get((s, other), 0) & ~(1 << number[key]) if other != output else 0
            if bits:
                wanting = next(k for i, k in enumerate(keys) if bits >> i & 1)
                found.append(
                    f"op `{steps[s].key}` always yields `{output}` (asset `{key.text}`), also when only "
                    f"`{other}` is needed (for asset `{wanting.text}`)"
                )
                break
    return found


def check_subset(unit: Unit, selected: AbstractSet[AssetKey]) -> CannotSubset | None:
    """The reason why this part of a unit cannot be asked for; None: it can."""
    missing = [key for key in unit.definition.specs_by_key if key not in selected]
    allowed = unit.definition.can_subset
    if not missing or allowed is True:
        return None
    obstacles = in_the_way(unit)
    if allowed == "auto" and not obstacles:
        return None
    together = list(unit.definition.specs_by_key)
    chosen = [key for key in together if key in selected]
    return CannotSubset(unit.name, chosen, missing, together, obstacles, unit.source, allowed == "auto")
