"""Mistakes in what was declared: one class each, and how they are reported together.

Each is raised where it is seen; while a loader collects, it is kept instead and the declaration goes on with what
makes sense, so that one load shows every mistake.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from keyword import iskeyword
from typing import Final, ParamSpec, TypeVar
from unicodedata import normalize

from opgraph.errors import (
    InvalidDefinitionError,
    InvariantViolationError,
    Mistake,
    Source,
    given_as,
    listed,
    shown,
    together,
)
from opgraph.keys import AssetKey, Meant

P = ParamSpec("P")
R = TypeVar("R")

_collected: ContextVar[list[InvalidDefinitionError] | None] = ContextVar("opgraph_mistakes", default=None)


@contextmanager
def collecting() -> Generator[list[InvalidDefinitionError]]:
    """Keep mistakes in a list instead of raising the first."""
    problems: list[InvalidDefinitionError] = []
    token = _collected.set(problems)
    try:
        yield problems
    finally:
        _collected.reset(token)


@contextmanager
def gathered() -> Generator[None]:
    """Go on after a mistake, and raise all of them together at the end; where someone collects already, leave it to
    them."""
    if _collected.get() is not None:
        yield
        return
    with collecting() as problems:
        try:
            yield
        except InvalidDefinitionError as problem:
            if not problems:
                raise
            problems.append(problem)
    if problems:
        raise together(problems)


def gathering(fn: Callable[P, R]) -> Callable[P, R]:
    """A function within which mistakes are gathered."""

    def gather(*args: P.args, **kwargs: P.kwargs) -> R:
        if _collected.get() is not None:  # as `gathered` does, at once: most are called where a file is loaded
            return fn(*args, **kwargs)
        with gathered():
            return fn(*args, **kwargs)
        raise AssertionError  # `gathered` lets nothing pass in silence

    return gather


def report(problem: InvalidDefinitionError) -> None:
    """Raise a mistake, or keep it where someone collects."""
    problems = _collected.get()
    if problems is None:
        raise problem
    problems.append(problem)


def reported() -> int:
    """How many mistakes are kept so far where someone collects: who counts twice can tell what was said in between."""
    return len(_collected.get() or ())


def owner_of(kind: str, name: object) -> str:
    """Whose mistake it is, for a sentence."""
    return f"{kind} `{name if isinstance(name, str) else shown(name)}`"


class BadName(InvalidDefinitionError):
    """A name with characters that no such name has."""

    def __init__(self, kind: str, name: object, *, where: Source | None) -> None:
        self.kind = kind
        self.name = name
        super().__init__(
            f"the {kind} name {shown(name)} is not valid: a name has ASCII letters, digits and underscores"
            f"{_MORE.get(kind, '')}",
            where=where,
            fix=f"give it a name such as `{_sane(name)}`" if _sane(name) else "write it with ASCII letters",
        )


_MORE: Final = {"asset": ", dots and hyphens", "input": " and begins with no digit"}

# How letters that many names have are written without them.
_ASCII: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "æ": "ae", "œ": "oe", "Æ": "Ae"}
    | dict(zip("àáâãåçèéêëìíîïñòóôõøùúûýÿ", "aaaaaceeeeiiiinooooouuuyy", strict=True))
    | dict(zip("ÀÁÂÃÅÇÈÉÊËÌÍÎÏÑÒÓÔÕØÙÚÛÝ", "AAAAACEEEEIIIINOOOOOUUUY", strict=True))
)


def _sane(name: object) -> str:
    """A valid name that is like this one; empty where it has letters that no ASCII ones stand for."""
    told = normalize("NFC", name).translate(_ASCII) if isinstance(name, str) else shown(name)
    if any(c.isalpha() and not c.isascii() for c in told):
        return ""
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in told).strip("_")[:40]
    if iskeyword(text):
        return f"{text}_"
    return f"_{text}" if not text or text[0].isdigit() else text


class WrongType(Mistake, InvalidDefinitionError, TypeError):
    """A parameter that was given something of a kind that it does not take."""

    owner: str
    parameter: str
    given: object
    takes: str
    says = "`{parameter}` of {owner} is {given:typed}"
    mend = "`{parameter}` takes {takes}"


class NotAFunction(InvalidDefinitionError, TypeError):
    """A decorator on something that is no function."""

    def __init__(self, given: object, *, where: Source | None) -> None:
        self.given = given
        made = hasattr(given, "node_def") or (hasattr(given, "ins") and hasattr(given, "outs"))
        what = (
            f"`{getattr(given, 'name', getattr(given, 'node_name', given))}`, which is decorated already"
            if made
            else given_as(given)
        )
        super().__init__(
            f"a decorator was put on {what}, not on a function",
            where=where,
            fix="use one decorator; an op becomes an asset by `AssetsDefinition.from_op`, a graph by `.from_graph`"
            if made
            else "put it on a function written with `def`; arguments are given by name: `@op(name=...)`",
        )


class KeyTwice(Mistake, InvalidDefinitionError):
    """A key given both whole and in parts."""

    owner: str
    whole: str
    parts: Sequence[str]
    says = (
        "{whole} and {parts:plain} cannot both be set on {owner}: where the {whole} argument is provided, it is the "
        "whole name"
    )
    mend = "keep `{whole}` and put the whole path into it, or leave it out"


class RepeatedDependency(Mistake, InvalidDefinitionError):
    """One asset twice in `deps`."""

    owner: str
    key: AssetKey
    says = "{owner} depends on `{key.text}` twice"
    mend = "name `{key.text}` once"


# -- labels -------------------------------------------------------------------


class BadGroup(InvalidDefinitionError):
    """A group name that is not valid."""

    def __init__(self, owner: str, group: object, *, where: Source | None) -> None:
        self.owner = owner
        self.group = group
        super().__init__(
            f"Empty asset group name was provided, which is not permitted: {owner}"
            if group == ""
            else f"{shown(group)} of {owner} is not a valid asset group name: it has ASCII letters, digits, "
            "underscores and slashes",
            where=where,
            fix="give it a name, or leave `group_name` out: the group is then `default`"
            if group == ""
            else f"name it `{_sane(group)}`"
            if _sane(group)
            else "write it with ASCII letters",
        )


class BadOwner(InvalidDefinitionError):
    """An owner that is no address and no team."""

    def __init__(self, owner: str, given: object, *, where: Source | None) -> None:
        self.owner = owner
        self.given = given
        super().__init__(
            f"Invalid owner {shown(given)} of {owner}: an owner is an e-mail address or `team:name`",
            where=where,
            fix=f"write `team:{_sane(given) or '...'}` if it is a team",
        )


class BadTag(Mistake, InvalidDefinitionError):
    """A tag whose key or value is not valid."""

    owner: str
    key: object
    value: object
    says = (
        "Found invalid tag keys or values on {owner}: {key}: {value}; both are text of letters, digits, `_`, `-` and "
        "`.`, at most 63 of them, the key perhaps with a part and `/` before it"
    )
    mend = "put other text into `metadata`, which holds anything"


class BadKind(Mistake, InvalidDefinitionError):
    """A kind that is not valid."""

    owner: str
    kind: object
    says = "the kind {kind} of {owner} is not valid: a kind is text of letters, digits, `_`, `-` and `.`"
    mend = 'give a set of such words: `kinds={{"table", "duckdb"}}`'


class TooManyKinds(Mistake, InvalidDefinitionError):
    """More than three kinds."""

    owner: str
    kinds: Sequence[str]
    says = "{owner} has {kinds:count} kinds ({kinds}); at most three are allowed"
    mend = "keep three, and put the others into `tags`"


# -- functions ----------------------------------------------------------------


class PositionalRest(Mistake, InvalidDefinitionError):
    """`*args` in a decorated function."""

    owner: str
    says = "{owner} takes `*args`, and an input needs a name"
    mend = (
        "give each input a parameter, or one parameter that takes a list: a list of outputs can be wired to it; in a "
        "decorator, put functools.wraps on the function that takes `*args, **kwargs`"
    )


class WrongContext(Mistake, InvalidDefinitionError):
    """An op whose context is annotated as an asset's."""

    owner: str
    says = "{owner} annotates its context as `AssetExecutionContext`, which only a function that is an asset gets"
    mend = "annotate it as `OpExecutionContext`"


class NoSuchParameter(Mistake, InvalidDefinitionError):
    """`ins` names what is no parameter."""

    owner: str
    by: str
    name: str
    known: Sequence[str]
    meant = Meant("name", "known")
    says = "{owner} has no parameter `{name}`, which its `{by}` names; its parameters are {known}"
    mend = "{meant}add the parameter, or take the entry out of `{by}`"


class InputTwice(Mistake, InvalidDefinitionError):
    """An input without a value that is also a parameter."""

    owner: str
    name: str
    says = "the input `{name}` of {owner} is `Nothing`, so there is no value for the parameter `{name}`"
    mend = "take the parameter `{name}` out of the function, or give the input another type"


# -- graphs -------------------------------------------------------------------


class UsedAsValue(Mistake, InvalidDefinitionError, InvariantViolationError):
    """A graph's body that looks into a value which does not exist yet."""

    described: str
    doing: str
    says = (
        "{described} was {doing} in a graph's body, where it has no value yet: the body only says what is wired to "
        "what, before anything runs"
    )
    mend = "do this inside an op"


class NoSuchOutput(Mistake, InvalidDefinitionError, AttributeError):
    """An output taken by a name that its node does not have."""

    node: str
    output: str
    outputs: Sequence[str]
    meant = Meant("output", "outputs")
    says = "`{node}` has no output `{output}`; its outputs are {outputs}"
    mend = "{meant}take one of its outputs, or unpack them in their order"


class AliasTwice(Mistake, InvalidDefinitionError):
    """Two nodes of a graph under one alias."""

    owner: str
    alias: str
    says = "{owner} already has a node `{alias}`"
    mend = "use another alias, or none: then a number is added"


class TwoDefinitions(Mistake, InvalidDefinitionError):
    """Two different definitions of one name in a graph."""

    owner: str
    name: str
    first: Source | None
    second: Source | None
    says = "{owner} uses two different definitions that are both named `{name}`: of {first} and of {second}"
    mend = "rename one of them; an alias does not help, because the name stands for the code"


class NotAnOutput(InvalidDefinitionError):
    """All outputs of a node given where one is expected."""

    def __init__(self, user: str, given: str, outputs: Sequence[str], *, where: Source | None) -> None:
        self.user = user
        self.given = given
        self.outputs = tuple(outputs)
        super().__init__(
            f"{user} was given {given}, and takes one",
            where=where,
            fix=f"give one of them by name ({', '.join(f'`.{name}`' for name in outputs)}), or a list of some",
        )


class Uncalled(Mistake, InvalidDefinitionError):
    """An op or a graph given itself, instead of what it returns."""

    user: str
    name: str
    says = "{user} was given `{name}` itself, not what it returns"
    mend = "did you forget parentheses? Write `{name}()`"


class FanInOfOther(Mistake, InvalidDefinitionError):
    """A list of outputs with something else in it."""

    user: str
    place: int
    given: object
    says = "{user} was given a list whose item {place} is {given:typed}, not an output of a node"
    mend = "make the value in an op, or give the input a default; a list in a graph's body holds outputs only"


class TooManyArguments(Mistake, InvalidDefinitionError):
    """More arguments than inputs."""

    name: str
    count: int
    ins: Sequence[str]
    says = "`{name}` was given {count} arguments and has {ins:count} input{ins:s}: {ins}"
    mend = "leave out what is too many"


class UnknownInput(Mistake, InvalidDefinitionError):
    """An argument that is no input."""

    name: str
    given: str
    ins: Sequence[str]
    meant = Meant("given", "ins")
    says = "`{name}` has no input `{given}`; its inputs are {ins}"
    mend = "{meant}give one of its inputs"


class WiredTwice(Mistake, InvalidDefinitionError):
    """An input given by position and by name."""

    name: str
    given: str
    says = "the input `{given}` of `{name}` was given twice: by position and by name"
    mend = "give it once"


# Parameters that seldom mean an input.
_MEANT: Final = {
    **dict.fromkeys(("ctx", "_ctx", "cntx"), "if it is the context, name it `context`"),
    **dict.fromkeys(("cfg", "conf", "configuration"), "if it is the configuration, name it `config`"),
    "self": "if it is a method, make it a function",
}


def otherwise_meant(parameter: str) -> str:
    """What is to be done, for a sentence, if a parameter was not meant as an input; empty where that is unlikely."""
    return f"; {_MEANT[parameter]}" if parameter in _MEANT else ""


class InputMissing(InvalidDefinitionError):
    """An input that nothing is wired to and that has no default."""

    def __init__(self, name: str, given: str, description: str | None, *, where: Source | None) -> None:
        self.name = name
        self.input = given
        self.description = description
        about = f" ({description})" if description else ""
        super().__init__(
            f"nothing provides the input `{given}`{about} of `{name}`",
            where=where,
            fix=f"give `{name}` an output or an input of the graph for `{given}`, or give the parameter a default"
            + otherwise_meant(given),
        )


class UnusedInput(Mistake, InvalidDefinitionError):
    """An input of a graph that nothing in it takes."""

    owner: str
    name: str
    says = "{owner} has an unmapped input: nothing in its body uses `{name}`"
    mend = "give it to an op of the graph, or take the parameter `{name}` out"


class GraphTakesContext(InvalidDefinitionError):
    """A graph's body that takes a context, or configuration, or a resource."""

    def __init__(self, owner: str, name: str, *, what: str = "context", where: Source) -> None:
        self.owner, self.name, self.what_it_is = owner, name, what
        super().__init__(
            f"{owner} takes a parameter `{name}`: a graph's body has no {what}, because it does not run in a run",
            where=where,
            fix=f"take the {what} in the ops that need it",
        )


class ReturnedOther(Mistake, InvalidDefinitionError):
    """A graph that returns what is no output of a node."""

    owner: str
    given: object
    says = "{owner} returns {given:typed}, which is not an output of one of its nodes"
    mend = "return what an op or a graph returned: one output, a tuple, or a dict of them by name"


class ReturnedUncalled(Mistake, InvalidDefinitionError):
    """A graph that returns an op instead of its output."""

    owner: str
    name: str
    says = "{owner} returns `{name}` itself, not what it returns"
    mend = "did you forget parentheses? Write `return {name}()`"


class UnknownOutput(Mistake, InvalidDefinitionError):
    """A graph that returns an output it does not declare."""

    owner: str
    name: str
    outs: Sequence[str]
    meant = Meant("name", "outs")
    says = "{owner} returns an output `{name}`, and declares {outs}"
    mend = "{meant}declare it, or return it under a declared name"


class OutputsMissing(InvalidDefinitionError):
    """A graph that does not return all the outputs it declares."""

    def __init__(self, owner: str, names: Sequence[str], *, where: Source) -> None:
        self.owner = owner
        self.names = tuple(names)
        super().__init__(
            f"{owner} declares {listed(names)} as output{'s' if len(names) > 1 else ''} and does not return "
            f"{'them' if len(names) > 1 else 'it'}",
            where=where,
            fix="return a dict with every declared output, or take what is missing out of the declaration",
        )


class WrongCount(InvalidDefinitionError):
    """A tuple of another length than there are outputs."""

    def __init__(self, owner: str, count: int, outs: Sequence[str], *, where: Source) -> None:
        self.owner = owner
        self.count = count
        self.outs = tuple(outs)
        super().__init__(
            f"{owner} returns {count} output{'s' if count != 1 else ''} and declares {len(outs)}: {listed(outs)}",
            where=where,
            fix="return as many as are declared, in their order, or a dict of them by name",
        )


class OutputsUnnamed(Mistake, InvalidDefinitionError):
    """A graph that returns several outputs under one name, and declares none."""

    owner: str
    name: str
    says = "{owner} returns two outputs that are both named `{name}`"
    mend = "name them: `out={{...}}` on the graph, and return a dict by these names"
