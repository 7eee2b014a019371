"""What an attempt takes: values of other steps, assets from outside the plan, what the caller gives, configuration and
resources."""

from collections.abc import Iterator, Mapping
from typing import Any

from opgraph.events import Kept, Read
from opgraph.plan.model import FromAsset, FromCaller, FromCollected, FromMany, FromMapped, FromStep, InputSource
from opgraph.run.binding import BoundStep
from opgraph.run.captured import Captured
from opgraph.run.going import Going
from opgraph.run.missing import Lost
from opgraph.run.mistakes import InputNotGiven
from opgraph.run.resources import Resources
from opgraph.run.shelf import Shelf
from opgraph.run.sources import Found, Sources, put_together
from opgraph.values.problems import ValueLostError


class Inputs:
    """Loads the inputs of one run's attempts. Several threads may use it at once.

    Args:
        shelf: values.
        resources: those of the run.
        said: what the steps say.
        sources: where the values of other steps are, for tasks that do not bring it; None: all bring it.
        given: values for inputs that the caller provides.
    """

    def __init__(
        self, shelf: Shelf, resources: Resources, said: Captured, sources: Sources | None, given: Mapping[str, Any]
    ) -> None:
        self._shelf, self._managers, self._resources, self._said = shelf, shelf.managers, resources, said
        self._sources, self._given = sources, given
        # Of the steps under way: by input, the mapping keys that failed.
        self.without: dict[int, dict[str, tuple[str, ...]]] = {}

    def load(self, bound: BoundStep, going: Going) -> dict[str, Any]:
        """The arguments of an attempt's function, by name.

        Raises:
            Lost: a value that another step of the plan made is gone.
        """
        ins: dict[str, Any] = {}
        if bound.call.injects:
            if bound.config is not None and bound.op.body.config is not None:
                ins["config"] = bound.config.value
            for name in bound.op.body.resources:
                ins[name] = getattr(self._resources, name)
        for each in bound.step.inputs:
            source = each.source
            name = each.name
            try:
                if type(source) is FromStep:
                    ins[name] = self._from_step(source, bound, name, 0, each.manager, going)
                elif each.nothing:
                    continue
                elif type(source) is FromMapped:
                    ins[name] = self._from_step(source, bound, name, 0, each.manager, going)
                elif type(source) is FromCollected:
                    ins[name] = self._collected(source, bound, name, 0, each.manager, going)
                elif type(source) is FromMany:
                    ins[name] = list(self._many(source, bound, name, each.manager, going))
                else:
                    self._other(source, bound, name, each.manager, going, ins)
            except Lost:
                raise
            except Exception as error:
                if not hasattr(error, "__opgraph_input__"):
                    Exception.__setattr__(error, "__opgraph_input__", name)  # past a class that is frozen
                raise
        return ins

    def _from_step(
        self, source: FromStep | FromMapped, bound: BoundStep, name: str, index: int, manager: str, going: Going
    ) -> Any:
        taken = going.task.taken
        if taken is None:
            assert self._sources is not None
            if type(source) is FromStep and not bound.step.over:  # the ordinary step takes the short way
                kept = self._sources.kept(source.step, source.output)
                if kept is None:
                    raise Lost(source.step, source.output, ValueLostError("missing", "", "it was never recorded"))
                try:
                    value = self._shelf.get(
                        kept, bound, name, manager, going.task.attempt, self._sources.keys[source.step]
                    )
                except ValueLostError as error:
                    raise Lost(source.step, source.output, error) from error
                return self._noted(value, kept, name, going) if kept.stored.asset is not None else value
            found = self._sources.one(bound.number, source)
        else:
            found = taken.one(name, index)
        value = self._get(found, bound, name, manager, going)
        kept = found.kept
        return self._noted(value, kept, name, going) if kept is not None and kept.stored.asset is not None else value

    def _noted(self, value: Any, kept: Kept, name: str, going: Going) -> Any:
        """The value of an asset, and for the record, which version of it that is."""
        stored, metadata = kept.stored, self._managers.told_of_input()
        going.reads.append(Read(name, stored.asset or "", kept.run, kept.seq, stored.data_version, metadata))
        return value

    def _get(self, found: Found, bound: BoundStep, name: str, manager: str, going: Going) -> Any:
        if found.kept is None:
            cause = ValueLostError("missing", "", "it was never recorded")
            raise Lost(found.maker, found.output, cause, found.mapping_key)
        try:
            return self._shelf.get(found.kept, bound, name, manager, going.task.attempt, found.key)
        except ValueLostError as error:
            raise Lost(found.maker, found.output, error, found.mapping_key) from error

    def _collected(
        self, source: FromCollected, bound: BoundStep, name: str, index: int, manager: str, going: Going
    ) -> Any:
        taken = going.task.taken
        if taken is None:
            assert self._sources is not None
            tree, at = self._sources.tree(bound.number, name, index), self._sources.at
        else:
            tree, at = taken.tree(name, index), taken.at

        def load(found: Found) -> Any:
            return self._get(found, bound, name, manager, going)

        value, without = put_together(tree, source.levels, at, load)
        if without:
            self.without.setdefault(bound.number, {})[name] = tuple(without)
            text = f"input `{name}` was collected without what failed: {', '.join(without)}"
            self._said.say(bound.number, going.task.attempt, "WARNING", "opgraph", text)
        return value

    def _many(self, source: FromMany, bound: BoundStep, name: str, manager: str, going: Going) -> Iterator[Any]:
        constants = bound.constants.get(name)
        collected = 0
        for i, item in enumerate(source.items):
            if isinstance(item, (FromStep, FromMapped)):
                if self._came(item, bound, name, i, going):
                    yield self._from_step(item, bound, name, i, manager, going)
            elif isinstance(item, FromCollected):
                yield self._collected(item, bound, name, collected, manager, going)
                collected += 1
            elif isinstance(item, FromAsset):
                value, read = self._shelf.load_asset(item, bound, name, manager, going.task.attempt)
                going.reads.append(read)
                yield value
            elif isinstance(item, FromCaller):
                yield self._from_caller(item, bound, name)
            else:
                yield constants[i] if constants is not None else None

    def _came(self, item: FromStep | FromMapped, bound: BoundStep, name: str, i: int, going: Going) -> bool:
        taken = going.task.taken
        if taken is not None:
            return taken.one(name, i).kept is not None
        assert self._sources is not None
        return self._sources.one(bound.number, item).kept is not None

    def _other(
        self,
        source: InputSource,
        bound: BoundStep,
        name: str,
        manager: str,
        going: Going,
        ins: dict[str, Any],
    ) -> None:
        if isinstance(source, FromAsset):
            ins[name], read = self._shelf.load_asset(source, bound, name, manager, going.task.attempt)
            going.reads.append(read)
        elif name in bound.constants:
            ins[name] = bound.constants[name]
        elif isinstance(source, FromCaller) and not (manager and source.name not in self._given):
            ins[name] = self._from_caller(source, bound, name)
        elif manager and name not in bound.call.defaults:
            ins[name] = self._managers.load_from_outside(bound, name, manager, going.task.attempt)
        else:
            ins[name] = bound.call.defaults[name]

    def _from_caller(self, source: FromCaller, bound: BoundStep, name: str) -> Any:
        if source.name in self._given:
            return self._given[source.name]
        if name in bound.call.defaults:
            return bound.call.defaults[name]
        raise InputNotGiven(source.name, bound.step.key, where=bound.op.source)
