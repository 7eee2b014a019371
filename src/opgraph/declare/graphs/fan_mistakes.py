"""Mistakes in fan-outs: one class each."""

from opgraph.errors import InvalidDefinitionError, Mistake, Source


class NotUnpacked(Mistake, InvalidDefinitionError):
    """A fan-out given to something that takes one value."""

    user: str
    given: str
    says = "{user} was given {given}, which is a fan-out. Dynamic output must be unpacked by invoking map or collect"
    mend = "`.map(op)` makes a step for each of its values, `.collect()` gives all of them as a list"


class OutOfItsMap(Mistake, InvalidDefinitionError):
    """One value of a fan-out used outside the `map` that gave it."""

    user: str
    fan: str
    says = (
        'Problematic dependency on dynamic output "{fan}": {user} was given one of its values outside the `map` that '
        "this value belongs to"
    )
    mend = "use it inside the function that is given to `map`, or collect what that function returns"


class TwoFanOuts(InvalidDefinitionError):
    """A node mapped over two fan-outs of which neither is inside the other."""

    def __init__(self, node: str, key: str, first: str, second: str, *, where: Source | None) -> None:
        self.node, self.key, self.fans = node, key, (first, second)
        super().__init__(
            f'`{node}` cannot be downstream of more than one dynamic output: it is mapped over "{first}" and, by its '
            f'input `{key}`, over "{second}", and neither is inside the other',
            where=where,
            fix="collect one of them: `.collect()`; or yield the pairs from one op",
        )


class CollectsItsOwn(InvalidDefinitionError):
    """A node that is mapped over a fan-out and collects it."""

    def __init__(self, node: str, fan: str, *, collected_first: bool, where: Source | None) -> None:
        self.node, self.fan = node, fan
        what = (
            f'cannot be both downstream of dynamic output "{fan}" and of its collect'
            if collected_first
            else f'cannot both collect over dynamic output "{fan}" and be mapped over it'
        )
        super().__init__(
            f"`{node}` {what}: each of its steps would wait for all values, and so for more than its own",
            where=where,
            fix="put an op between that takes what is collected, and give the mapped op what that one returns",
        )


class CollectedAlready(Mistake, InvalidDefinitionError):
    """`map` or `collect` of what was collected."""

    described: str
    method: str
    says = "{described} are collected, a list, which has no `{method}`"
    mend = "map before you collect: `.map(op).collect()`; or give the list to an op, which may yield its items again"


class NothingToUnpack(Mistake, InvalidDefinitionError):
    """`map` or `collect` of what is no fan-out."""

    described: str
    method: str
    says = "{described} is no fan-out, so it has no `{method}`"
    mend = "declare the output with `DynamicOut()` and yield a `DynamicOutput` for each value, or use it as it is"
