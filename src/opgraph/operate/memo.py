"""Memoization of a plan: which steps are memoized, what each of them depends on, and what is remembered of them."""

import enum
import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePath
from types import FunctionType
from typing import Any, cast

import msgspec

from opgraph.declare.labels import MEMOIZE
from opgraph.declare.settings.env import EnvVar, IntEnvVar
from opgraph.declare.settings.recipe import is_recipe
from opgraph.declare.settings.secrets import MASK, is_secret
from opgraph.errors import InvalidConfigError
from opgraph.events import RunStatus
from opgraph.operate.rehearse import NOT_MEMOIZED, would_run
from opgraph.operate.stored import trouble_with
from opgraph.plan.code import function_hash
from opgraph.plan.memo import memoized, name_of, run_anew
from opgraph.plan.mistakes import WouldRun
from opgraph.plan.model import (
    Decision,
    Do,
    FromAsset,
    FromCaller,
    FromDefault,
    FromMany,
    Memo,
    Plan,
    Step,
    StepInput,
    decode_plan,
)
from opgraph.resolve.assets import Unit
from opgraph.resolve.config import Settings
from opgraph.resolve.flatten import Constant, FlatStep, Many
from opgraph.run.instance import Instance
from opgraph.run.store.lookup import LookUps, version_in
from opgraph.run.store.memo import remember
from opgraph.values.manager import FilesystemIOManager

_UNFINISHED = (RunStatus.STARTED, RunStatus.STARTING, RunStatus.CANCELING)
_OUT = Decision(Do.RUN, "opted out")
_DEAD = 5  # how many runs whose processes died are looked at for values that can be reused


class Reuse(enum.Enum):
    """What a run does with memoized values."""

    DECLARED = ""  # what the ops, assets, job and project say
    ALL = "all"  # every op is memoized that does not say otherwise
    NONE = "none"  # everything runs; what is stored is remembered
    ONLY = "only"  # like ALL, and a plan that would run anything is refused


@dataclass(frozen=True, slots=True)
class Memoizing:
    """What is memoized where nobody said it nearer to the op, and what a run makes of it."""

    default: bool = False
    reuse: Reuse = Reuse.DECLARED


AS_DECLARED = Memoizing()


class _Unknown(Exception):
    """Nothing tells whether a value is the same as another."""


def with_memo(
    plan: Plan,
    nodes: Mapping[str, FlatStep],
    *,
    how: Memoizing,
    instance: Instance,
    settings: Settings,
    resources: Mapping[str, Any],
    run_tags: Mapping[str, str],
    units: Mapping[str, Unit],
    given: Mapping[str, Any],
) -> Plan:
    """The plan with stored values reused for its memoized steps; the plan itself where there are none.

    Args:
        plan: every step is to run.
        nodes: its steps before they were planned, by node.
        how: what is memoized.
        instance: where values are stored.
        settings: the run's configuration.
        resources: by key.
        run_tags: labels of the run.
        units: the definitions of its assets, by name.
        given: the values of inputs that the caller gives.

    Raises:
        WouldRun: only stored values were to be used, and a step would run.
    """
    said = [_said(nodes[step.node], units.get(step.unit), run_tags) for step in plan.steps]
    opted = [how.default if each is None else each for each in said]
    if not any(opted):
        if how.reuse is Reuse.ONLY:
            why = [NOT_MEMOIZED if each is None else _OUT.reason for each in said]
            raise WouldRun([(step.key, each) for step, each in zip(plan.steps, why, strict=True)])
        return plan
    memos = _Memos(plan, instance, settings, resources, units, given)
    steps = list(plan.steps)
    for i, step in enumerate(plan.steps):
        if opted[i]:
            steps[i] = msgspec.structs.replace(step, memo=memos.of(step, nodes[step.node]))
        elif said[i] is False and step.decision.do is Do.RUN:
            steps[i] = msgspec.structs.replace(step, decision=_OUT)
    plan = msgspec.structs.replace(plan, steps=tuple(steps))
    if how.reuse is Reuse.NONE:
        return run_anew(plan)
    catch_up(instance)
    rows = instance.record.memos([name_of(step) for step in plan.steps if step.memo is not None])
    decided = memoized(plan, rows, memos.versions, trouble_with(instance, resources, memo=True))
    if how.reuse is Reuse.ONLY:
        would, perhaps = would_run(decided, LookUps(instance.record, trouble_with(instance, resources, memo=True)))
        if would:
            raise WouldRun(would, perhaps)
    return decided


def with_memo_of_all(plan: Plan, instance: Instance, resources: Mapping[str, Any]) -> Plan:
    """A plan that goes on from an earlier run, with what any run stored reused for its memoized steps that would run.

    Args:
        plan: with what the earlier run stored reused.
        instance: where values are stored.
        resources: by key.
    """
    names = [name_of(step) for step in plan.steps if step.memo is not None and step.decision.do is Do.RUN]
    if not names:
        return plan
    catch_up(instance)
    rows, versions = instance.record.memos(names), _versions(plan, instance)
    return memoized(plan, rows, versions, trouble_with(instance, resources, memo=True), goes_on=True)


def catch_up(instance: Instance) -> None:
    """Remember what runs stored whose process died before it could."""
    for row in instance.record.runs(status=_UNFINISHED, limit=_DEAD):
        if not instance.record.alive(row.run_id):
            note(instance, row.run_id)


def note(instance: Instance, run_id: str) -> None:
    """Remember what the memoized steps of a run stored."""
    row = instance.record.run(run_id)
    if row is not None and row.plan:
        remember(instance.record, run_id, decode_plan(row.plan))


def _said(flat: FlatStep, unit: Unit | None, run_tags: Mapping[str, str]) -> bool | None:
    """What was said nearest to the op: of its call, itself, the graphs around it, the asset, the job or run; None:
    nothing was."""
    for tags in _tags(flat, unit, run_tags):
        said = tags.get(MEMOIZE) if tags else None
        if said is not None:
            return said.lower() == "true"
    return None


def _tags(flat: FlatStep, unit: Unit | None, run_tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = [flat.op.tags] if flat.node is None else [flat.node.tags, flat.op.tags]
    for node in reversed(flat.parents):
        found += (node.tags, node.definition.tags)
    if unit is not None:
        definition = unit.definition
        found += (definition.op_tags, definition.node_def.tags)
    found.append(run_tags)
    return found


class _Memos:
    """What the steps of one plan depend on."""

    def __init__(
        self,
        plan: Plan,
        instance: Instance,
        settings: Settings,
        resources: Mapping[str, Any],
        units: Mapping[str, Unit],
        given: Mapping[str, Any],
    ) -> None:
        self._settings, self._resources, self._units, self._given = settings, resources, units, given
        self._known: dict[str, str] = {}  # what a resource is, by key
        self._made = {output.asset for step in plan.steps for output in step.outputs if output.asset is not None}
        self._named = {name: self._deps(unit) for name, unit in units.items()}
        self.versions = _versions(plan, instance, {name for named in self._named.values() for name in named})

    def _deps(self, unit: Unit) -> list[str]:
        """The assets that a definition only names, and that this plan does not make."""
        found = {dep.text for key in unit.definition.specs_by_key for dep in unit.only_named(key)}
        return sorted(found - self._made)

    def of(self, step: Step, flat: FlatStep) -> Memo:
        """What one step depends on."""
        unknown = ""
        constants: dict[str, str] = {}
        for each in step.inputs:
            try:
                found = self._constant(each, flat)
            except _Unknown:
                unknown = each.name
                continue
            if found is not None:
                constants[each.name] = found
        named = self._named.get(step.unit, ())
        after = {asset: self.versions[asset] for asset in named if asset in self.versions}
        if len(after) < len(named):
            unknown = next(asset for asset in named if asset not in after)
        try:
            config = self._config(flat)
        except (InvalidConfigError, _Unknown):
            config, unknown = "", "config"
        outs = [flat.op.outs[o.name].code_version or "" for o in step.outputs]
        given = f"{step.code_version}" if step.code_version else step.code
        code = digest([given, *outs]) if any(outs) else given
        return Memo(code, config, self._managers(step), self._of_resources(flat), constants, after, unknown)

    def _config(self, flat: FlatStep) -> str:
        if not self._settings.concerns(flat):
            return ""
        found = self._settings.of([flat]).get(flat.key)
        return digest(found.raw) if found is not None else ""

    def _managers(self, step: Step) -> str:
        keys = [o.io_manager for o in step.outputs if o.stored] + [i.manager for i in step.inputs if i.manager]
        found = {key: self._resource(key) for key in dict.fromkeys(keys)}
        return "" if not any(found.values()) else digest(found)

    def _of_resources(self, flat: FlatStep) -> dict[str, str]:
        return {key: self._resource(key) for key in sorted(flat.op.required_resource_keys)}

    def _resource(self, key: str) -> str:
        if key not in self._known:
            launch = self._settings.resources.get(key)
            what = [_identity(self._resources.get(key)), *([digest(_shown(launch))] if launch else [])]
            self._known[key] = digest(what) if any(what) else ""
        return self._known[key]

    def _constant(self, each: StepInput, flat: FlatStep) -> str | None:
        """The hash of an input's value where it is a constant; None where a step or asset gives it."""
        source, origin = each.source, flat.inputs[each.name]
        if isinstance(source, FromMany):
            items = origin.items if isinstance(origin, Many) else ()
            values = [item.value for item in items if isinstance(item, Constant)]
            return digest(values) if values else None
        if isinstance(source, FromCaller) and source.name in self._given:
            return digest(self._given[source.name])
        if isinstance(source, (FromDefault, FromCaller)):
            if isinstance(origin, Constant):
                return digest(origin.value)
            declared = flat.op.ins[each.name]
            if not declared.has_default_value:
                raise _Unknown
            return digest(declared.default_value)
        return None


def _versions(plan: Plan, instance: Instance, assets: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """The versions of these assets and of those that the plan loads; without those of which nothing is recorded."""
    found = set(assets)
    for step in plan.steps:
        found.update(_assets_of(step))
    return {asset: version for asset in sorted(found) if (version := version_in(instance.record, asset)) is not None}


def _assets_of(step: Step) -> list[str]:
    found: list[str] = []
    for each in step.inputs:
        items: Sequence[Any] = each.source.items if isinstance(each.source, FromMany) else (each.source,)
        found += [item.asset for item in items if isinstance(item, FromAsset)]
    return found


def digest(value: Any) -> str:
    """A hash of a value: 16 hexadecimal digits, the same for equal plain data.

    Raises:
        _Unknown: it can't be turned into bytes.
    """
    try:
        data = _encode(value)
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError):
        data = _pickled(value)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _hook(value: Any) -> Any:
    if is_secret(value):
        return MASK  # another password is no other result
    if isinstance(value, FunctionType):
        return function_hash(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return [type(value).__qualname__, _pickled(value)]


_encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder(enc_hook=_hook, order="deterministic").encode


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        raise _Unknown from error


def _identity(given: Any) -> str:  # whatever users put among the resources
    """What a resource or I/O manager is: its class with the code of that, and its settings; empty: our own store."""
    if given is None or _is_own(given):
        return ""
    cls = _class_of(given)
    version = getattr(given, "version", None)
    said = [version] if isinstance(version, str) else []
    if hasattr(cls, "opgraph_fields"):
        found: tuple[type[Any], Mapping[str, Any]] = given.opgraph_fields()
        made, fields = found
        return digest([_class(made), {name: _shown(value) for name, value in sorted(fields.items())}, *said])
    if hasattr(cls, "resource_fn"):
        function = given.resource_fn
        code = function_hash(function) if isinstance(function, FunctionType) else _class(_class_of(function))
        return digest([code, _shown(getattr(given, "_config", None)), *said])
    own = cast("Mapping[str, Any]", getattr(given, "__dict__", {}))
    settings = {name: str(value) for name, value in sorted(own.items()) if isinstance(value, (str, bool, PurePath))}
    return digest([_class(cls), settings])


def _class_of(value: object) -> type[Any]:
    return type(value)  # not its `__class__`: a mock names another's


def _is_own(given: Any) -> bool:
    return type(given) is FilesystemIOManager and given.base_dir is None


def _model_fields(value: Any) -> list[str] | None:
    fields = getattr(_class_of(value), "model_fields", None)
    return sorted(fields) if fields is not None else None


def _class(cls: type[Any]) -> str:
    """A class by name, with its code where it is the user's."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    return name if cls.__module__.partition(".")[0] == "opgraph" else f"{name} {function_hash(cls)}"


def _shown(value: Any) -> Any:
    """A setting as what it comes to: environment variables read, inner resources by what they are, secrets masked."""
    if isinstance(value, (EnvVar, IntEnvVar)):
        return value.get_value()
    if is_recipe(value):
        return _identity(value)
    if isinstance(value, Mapping):
        return {str(name): _shown(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_shown(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    fields = _model_fields(value)
    if fields is not None:
        return {name: _shown(getattr(value, name)) for name in fields}
    return value
