"""The configuration of a run: what was given, laid over the defaults and through the mappings of jobs and graphs, until
every op has its own; each checked against what its function takes."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from msgspec import Struct

from opgraph.declare.graphs.config_mapping import ConfigMapping
from opgraph.declare.graphs.graph_definition import GraphDefinition
from opgraph.declare.ops.op import OpDefinition
from opgraph.declare.settings.run_config import (
    RunConfig,
    fields_of,
    is_config_type,
    is_dict,
    is_model,
    is_tree,
    loosened,
    plain,
    wrapped,
)
from opgraph.errors import InvalidConfigError
from opgraph.resolve.config_flat import SECTIONS, flat
from opgraph.resolve.config_mistakes import (
    MappingFailed,
    MappingMisfits,
    MisplacedKey,
    MissingKey,
    NotConfigurable,
    UnknownKey,
    UnknownNode,
    UnknownSection,
    WrongType,
    refuse_config,
)
from opgraph.resolve.config_unions import chosen, fields_in, members_of
from opgraph.resolve.config_values import Fitting, bare
from opgraph.resolve.flatten import FlatStep

Tree: TypeAlias = Mapping[str, Any]
Given: TypeAlias = RunConfig | Tree | Sequence[str] | None
Node: TypeAlias = OpDefinition | GraphDefinition

_OF_OP = frozenset({"config", "inputs", "outputs"})
_OF_GRAPH = frozenset({"config", "inputs", "outputs", "ops"})
_NONE: Tree = {}


class OpConfig(Struct, frozen=True):
    """The configuration of one op, ready for its function.

    Attributes:
        value: what the parameter `config` is given: an object of a Config class, or plain data.
        raw: the same as plain data: `context.op_config`.
    """

    value: Any
    raw: Any


class Settings:
    """The configuration of one run.

    Args:
        given: as the caller gave it: a RunConfig, a dict, or flat texts such as `revenue.clean.threshold=0.3`.
        recorded: the configuration of the run that is gone on with, over which `given` is laid.
        roots: what may be configured under `ops`, by name.
        defaults: of the job: what holds where nothing is given, or a mapping that makes the configuration.
        asked: the roots that are run; None: all.
        graph: the job's graph, whose own defaults or mapping hold beneath those of the job.
        owner: whose defaults they are, for messages.

    Raises:
        InvalidConfigError: by `refuse`, every mistake at once.
    """

    def __init__(
        self,
        given: Given,
        roots: Mapping[str, Node],
        *,
        defaults: Any = None,
        recorded: Tree | None = None,
        asked: AbstractSet[str] | None = None,
        graph: GraphDefinition | None = None,
        owner: str = "the job",
    ) -> None:
        self.problems: list[InvalidConfigError] = []
        self._given: dict[str, Any] = {}  # by step key, fitted
        self._bad: set[str] = set()  # keys of steps, and of graphs, whose configuration has problems already
        self.inputs_by_step: dict[str, Tree] = {}
        if isinstance(given, str):
            self.problems.append(WrongType("run_config", "a dict, a RunConfig or a list of texts", given, None))
        elif isinstance(given, Sequence):
            takes = defaults.takes if isinstance(defaults, ConfigMapping) else None
            given = flat(given, roots, takes=takes, problems=self.problems)
        given = None if isinstance(given, str) else given
        if recorded:
            given = laid_over(recorded, given.parts() if isinstance(given, RunConfig) else dict(given or {}))
        self.recorded: dict[str, Any]
        if isinstance(defaults, ConfigMapping):
            result, self.recorded = self._mapped(
                defaults, given.parts() if isinstance(given, RunConfig) else given, "", owner
            )
            before = len(self.problems)
            parts = self._sections(result, roots)
            self._top(roots, parts.get("ops", _NONE), asked, graph)
            self._blame(defaults, "", owner, before, {str(each) for each in self.problems})
        else:
            parts = laid_over(self._sections(defaults, roots), self._sections(given, roots))
            ops = self._top(roots, parts.get("ops", _NONE), asked, graph)
            self.recorded = {
                **({"ops": ops} if ops else {}),
                **{k: plain(v) for k, v in parts.items() if k != "ops" and v},
            }
        self.inputs: Tree = {name: _unwrapped(value) for name, value in parts.get("inputs", _NONE).items()}
        self.execution: Tree = parts.get("execution", _NONE)  # settings of the executor
        settings = self.execution.get("config")
        if settings is not None and not is_tree(settings):
            self.problems.append(WrongType("execution.config", "a dict", settings, None))
        self.resources: Mapping[str, Any] = {
            name: loosened(_flattened(each.get("config", {}))) if is_tree(each) else each
            for name, each in parts.get("resources", _NONE).items()
        }

    # -- what was given ---------------------------------------------------------------

    def _sections(self, given: Any, roots: Mapping[str, Node]) -> dict[str, Any]:
        if given is None:
            return {}
        if isinstance(given, RunConfig):
            return given.parts()
        if not is_tree(given):
            self.problems.append(WrongType("run_config", "a dict or a RunConfig", given, None))
            return {}
        parts: dict[str, Any] = {}
        for name, part in given.items():
            if name not in SECTIONS:
                self.problems.append(UnknownSection(str(name), SECTIONS, roots))
                self._bad.add(str(name))  # of an op or asset it is all that is wrong
            elif part is None:
                continue
            elif not is_tree(part):
                self.problems.append(WrongType(name, "a dict", part, None))
            else:
                section = part
                parts[name] = (
                    {k: wrapped(v) for k, v in section.items()} if name in ("ops", "resources") else dict(section)
                )
        return parts

    def _top(
        self, roots: Mapping[str, Node], given: Tree, asked: AbstractSet[str] | None, graph: GraphDefinition | None
    ) -> dict[str, Any]:
        if graph is None or graph.config is None:
            return self._ops(roots, given, "", asked)
        mapped = isinstance(graph.config, ConfigMapping) and "config" not in roots
        entry = dict(given) if mapped and given.keys() <= {"config", "ops"} else {"ops": given}
        kept = self._graph(graph, entry, "")
        return kept if "config" in kept else kept.get("ops", {})

    def _ops(
        self, nodes: Mapping[str, Node], given: Tree, prefix: str, asked: AbstractSet[str] | None = None
    ) -> dict[str, Any]:
        """Lays the configuration of some nodes down, level by level; returns what to record of it."""
        recorded: dict[str, Any] = {}
        for name in given:
            if name not in nodes:
                self.problems.append(UnknownNode(f"{prefix}{name}", str(name), list(nodes), None))
        for name, node in nodes.items():
            if name not in given and (isinstance(node, OpDefinition) or (asked is not None and name not in asked)):
                continue
            entry = self._entry(given.get(name), node, prefix + name)
            if entry is None:
                continue
            kept = (
                self._graph(node, entry, prefix + name)
                if isinstance(node, GraphDefinition)
                else self._op(node, entry, prefix + name)
            )
            if kept:
                recorded[name] = kept
        return recorded

    def _entry(self, given: Any, node: Node, path: str) -> dict[str, Any] | None:
        """What stands under one node's name, or None where it makes no sense."""
        entry = wrapped(given)
        if entry is None:
            return {}
        if not is_tree(entry):
            self.problems.append(WrongType(path, "a dict", given, node.source))
            self._bad.add(path)
            return None
        entry = dict(entry)
        graph = isinstance(node, GraphDefinition)
        for key in [key for key in entry if key not in (_OF_GRAPH if graph else _OF_OP)]:
            known = node.nodes if isinstance(node, GraphDefinition) else fields_in(node.config_type)
            self.problems.append(MisplacedKey(path, str(key), graph=graph, known=known, where=node.source))
            self._bad.add(path)
            del entry[key]
        if entry.get("ops") is not None and not is_tree(entry["ops"]):
            self.problems.append(WrongType(f"{path}.ops", "a dict", entry.pop("ops"), node.source))
            self._bad.add(path)
        return entry

    def _op(self, op: OpDefinition, entry: dict[str, Any], path: str) -> dict[str, Any]:
        recorded = self._inputs(op, entry.get("inputs"), path)
        if "config" not in entry:
            return recorded
        if not op.takes_config and not op.body.takes_context:
            what = f"the function of `{op.name}` takes neither `config` nor a context"
            self.problems.append(
                NotConfigurable(path, what, op.source, "leave it out, or give the function a parameter `config`")
            )
            return {}
        fitting = Fitting(op.source)
        fitted = fitting.fit(settled(entry["config"], op.config_type), op.config_type, path)
        fitting.made(fitted, op.config_type, path)
        if fitting.problems:
            self.problems += fitting.problems
            self._bad.add(path)
        self._given[path] = fitted
        return {**recorded, "config": plain(fitted)}

    def _inputs(self, op: OpDefinition, given: Any, path: str) -> dict[str, Any]:
        """Values for inputs of an op that nothing else provides."""
        if not is_tree(given):
            return {}
        for name in given:
            if name not in op.ins:
                self.problems.append(UnknownKey(f"{path}.{name}", str(name), list(op.ins), op.source))
        self.inputs_by_step[path] = {name: _unwrapped(value) for name, value in given.items()}
        return {"inputs": plain(given)}

    def _graph(self, graph: GraphDefinition, entry: dict[str, Any], path: str) -> dict[str, Any]:
        recorded: dict[str, Any] = {}
        inner = {name: node.definition for name, node in graph.nodes.items()}
        ops: Tree = entry.get("ops") or {}
        mapped: Tree = {}
        if isinstance(graph.config, ConfigMapping):
            given = settled(entry.get("config"), graph.config.takes)
            result, recorded = self._mapped(graph.config, given, path, path or graph.name)
            recorded = {"config": recorded} if given is not None else {}
            mapped = _of_graph(result, inner)
            ops = laid_over(mapped, _wrapped_all(ops))
        elif "config" in entry:
            self.problems.append(
                NotConfigurable(
                    path,
                    f"the graph `{graph.name}` has no config mapping",
                    graph.source,
                    f'configure its ops: `{{"ops": {{"{next(iter(inner), "op")}": {{"config": …}}}}}}`',
                )
            )
        elif graph.config:
            ops = laid_over(_of_graph(graph.config, inner), _wrapped_all(ops))
        before, below = len(self.problems), f"{path}." if path else ""
        kept = self._ops(inner, ops, below)
        if isinstance(graph.config, ConfigMapping) and len(self.problems) > before:
            found, self.problems = self.problems, []
            self._ops(inner, mapped, below)  # what is wrong with that alone is not the caller's mistake
            own, self.problems = {str(each) for each in self.problems}, found
            self._blame(graph.config, path, path or graph.name, before, own)
        if kept and not isinstance(graph.config, ConfigMapping):
            recorded["ops"] = kept
        elif entry.get("ops"):
            recorded["ops"] = plain(_wrapped_all(entry["ops"]))
        return recorded

    def _mapped(self, mapping: ConfigMapping, given: Any, path: str, owner: str) -> tuple[Any, Any]:
        """What a mapping makes of what it was given, and what to record of that."""
        fitting = Fitting(mapping.source)
        fitted = fitting.fit(given if given is not None else {}, mapping.takes, owner)
        made = fitting.made(fitted, mapping.takes, owner)
        kept = plain(fitted)
        if fitting.problems:
            self.problems += fitting.problems
            self._bad.add(path)
            return {}, kept
        try:
            result = mapping.config_fn(made)
        except Exception as error:
            failed = MappingFailed(owner, f"raised {type(error).__name__}: {error}", mapping.source)
            raise failed from error
        if result is None or isinstance(result, RunConfig) or is_tree(result):
            return result, kept
        self.problems.append(MappingFailed(owner, f"returned a {type(result).__name__}", mapping.source))
        self._bad.add(path)
        return {}, kept

    def _blame(self, mapping: ConfigMapping, path: str, owner: str, before: int, own: AbstractSet[str]) -> None:
        """Say of a mapping's own mistakes, among those from some number on, that they are its."""
        for place, each in enumerate(self.problems[before:], before):
            if str(each) in own and not isinstance(each, (MappingMisfits, MissingKey)):
                self.problems[place] = MappingMisfits(owner, each, mapping.source)
                self._bad.add(path)

    # -- what it comes to -------------------------------------------------------------

    def refuse(self, steps: Iterable[FlatStep]) -> None:
        """Raise every mistake there is, also settings without a default that these steps need and were not given.

        Raises:
            InvalidConfigError: one, or an InvalidConfigsError with all.
        """
        problems = list(self.problems)
        for step in steps:
            key = step.key
            if step.op.takes_config and key not in self._given and not self._is_bad(key):
                fitting = self._fitted(step, reading=False)[0]
                problems += fitting.problems
        refuse_config(problems)

    def _is_bad(self, key: str) -> bool:
        return any(each in ("", key) or key.startswith(f"{each}.") for each in self._bad)

    def _fitted(self, step: FlatStep, *, reading: bool) -> tuple[Fitting, Any, Any]:
        path, kind = step.key, step.op.config_type
        fitting = Fitting(step.op.source, reading=reading)
        value = self._given.get(step.key, nothing_given(kind))
        fitted = fitting.fit(value, kind, path)
        return fitting, fitted, fitting.made(fitted, kind, path)

    def shown(self, step: FlatStep) -> Any:
        """The configuration of a step as a plan has it: with defaults, references by name, secrets masked."""
        if not self.concerns(step):
            return None
        _, fitted, made = self._fitted(step, reading=False)
        return plain(fields_of(made) if is_model(made) else fitted)

    def concerns(self, step: FlatStep) -> bool:
        """Whether a step has any configuration."""
        return step.op.takes_config or step.key in self._given

    def of(self, steps: Sequence[FlatStep]) -> dict[str, OpConfig]:
        """The configuration of those of some steps that have any, by key; environment variables are read now.

        Raises:
            InvalidConfigError: a variable is not set, or what it holds does not fit.
        """
        problems: list[InvalidConfigError] = []
        found: dict[str, OpConfig] = {}
        for step in steps:
            if self.concerns(step):
                fitting, fitted, made = self._fitted(step, reading=True)
                problems += fitting.problems
                found[step.key] = OpConfig(made, fields_of(made) if is_model(made) else fitted)
        refuse_config(problems)
        return found


def config_of(op: OpDefinition, given: Any, path: str) -> OpConfig:
    """The configuration for a direct call of an op; None: nothing was given.

    Raises:
        InvalidConfigError: it does not fit what the function takes.
    """
    kind = op.config_type
    if is_model(given) and isinstance(given, kind if isinstance(kind, type) else object):
        value = loosened(given)
    else:
        value = nothing_given(kind) if given is None else given
    fitting = Fitting(op.source, reading=True)
    fitted = fitting.fit(value, kind, path)
    made = fitting.made(fitted, kind, path)
    refuse_config(fitting.problems)
    return OpConfig(made, fields_of(made) if is_model(made) else fitted)


@dataclass(frozen=True, slots=True)
class Layers:
    """Settings from two places. How they are mixed depends on their type."""

    below: Any
    above: Any


def laid_over(below: Tree, above: Tree) -> dict[str, Any]:
    """Two trees as one; where both have a value that is no dict, the upper one holds."""
    made = dict(below)
    for key, value in above.items():
        other = made.get(key)
        if key == "config" and other is not None:
            made[key] = Layers(other, value)
        elif not is_tree(value) or not is_tree(other):
            made[key] = value
        else:
            made[key] = laid_over(other, value)
    return made


def settled(value: Any, kind: Any) -> Any:
    """The layers of some settings as one: Config classes are mixed field by field, everything else is replaced."""
    if not isinstance(value, Layers):
        return value
    return _mixed(settled(value.below, kind), settled(value.above, kind), kind)


def _mixed(below: Any, above: Any, kind: Any) -> Any:
    if not is_tree(below) or not is_tree(above):
        return above
    kind, _ = bare(kind)
    members = members_of(kind)
    if members:
        kind, below, above = chosen(below, above, members)
        if kind is None:
            return above
    fields = fields_in(kind)
    made = dict(below)
    for key, value in above.items():
        inner = fields.get(key)
        mixes = key in made and (is_config_type(inner) or is_dict(inner) or members_of(inner))
        made[key] = _mixed(made[key], value, inner) if mixes else value
    return made


def nothing_given(kind: Any) -> Any:
    """What stands for configuration that was not given: no settings, where settings are taken."""
    return {} if kind is None or is_dict(kind) or is_config_type(kind) or _is_dict(kind) else None


def _is_dict(kind: Any) -> bool:
    origin = getattr(kind, "__origin__", kind)
    return kind is Any or origin is dict or origin is Mapping


def _wrapped_all(ops: Tree) -> dict[str, Any]:
    return {name: wrapped(value) for name, value in ops.items()}


def _of_graph(result: Any, nodes: Mapping[str, Any]) -> Tree:
    """The configuration of a graph's ops, which may also stand under `ops` as that of a job's does."""
    if isinstance(result, RunConfig):
        return result.parts()["ops"]
    tree: Tree = dict(result or {})
    if set(tree) == {"ops"} and "ops" not in nodes:
        tree = tree["ops"]
    return _wrapped_all(tree)


def _flattened(value: Any) -> Any:
    """Layers of untyped settings as one."""
    return laid_over(_flattened(value.below), _flattened(value.above)) if isinstance(value, Layers) else value


def _unwrapped(value: Any) -> Any:
    """An input's value, which may stand alone or as `{"value": …}`."""
    given = value if is_tree(value) else _NONE
    return given["value"] if set(given) == {"value"} else value
