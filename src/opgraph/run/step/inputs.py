"""What an attempt takes: values of other steps, assets from outside the plan, what the caller gives, configuration and
resources."""

from collections.abc import Iterator, Mapping
from typing import Any

from opgraph.events import Kept, Metadata, Read
from opgraph.plan.model import (
    FromAsset,
    FromCaller,
    FromCollected,
    FromMany,
    FromMapped,
    FromStep,
    InputSource,
    StepInput,
)
from opgraph.run.call.binding import BoundStep
from opgraph.run.captured import Captured
from opgraph.run.mistakes import InputNotGiven
from opgraph.run.resources import Resources
from opgraph.run.step.going import Going
from opgraph.run.store.missing import Lost
from opgraph.run.store.shelf import Shelf
from opgraph.run.store.sources import Found, Sources, put_together
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
        # And by input, what was said of its value when it was made.
        self.told: dict[int, dict[str, Metadata]] = {}

    def load(self, going: Going) -> dict[str, Any]:
        """The arguments of an attempt's function, by name.

        Raises:
            Lost: a value that another step of the plan made is gone.
        """
        bound = going.task.bound
        ins: dict[str, Any] = {}
        if bound.call.injects:
            if bound.config is not None and bound.op.body.config is not None:
                ins["config"] = bound.config.value
            for name in bound.op.body.resources:
                ins[name] = getattr(self._resources, name)
        for each in bound.step.inputs:
            source = each.source
            try:
                if type(source) is FromStep:
                    ins[each.name] = self._from_step(source, each, 0, going)
                elif not each.nothing:
                    ins[each.name] = self._value(source, each, going)
            except Lost:
                raise
            except Exception as error:
                if not hasattr(error, "__opgraph_input__"):
                    Exception.__setattr__(error, "__opgraph_input__", each.name)  # past a class that is frozen
                raise
        return ins

    def _value(self, source: InputSource, each: StepInput, going: Going) -> Any:
        """What an input is whose source is no ordinary step."""
        bound, name, manager = going.task.bound, each.name, each.manager
        if isinstance(source, FromMany):
            return list(self._many(source, each, going))
        if isinstance(source, (FromMapped, FromCollected, FromAsset)):
            return self._one(source, each, 0, going)
        if name in bound.constants:
            return bound.constants[name]
        if isinstance(source, FromCaller) and not (manager and source.name not in self._given):
            return self._from_caller(source, bound, name)
        if manager and name not in bound.call.defaults:
            return self._managers.load_from_outside(bound, name, manager, going.task.attempt)
        return bound.call.defaults[name]

    def _many(self, source: FromMany, each: StepInput, going: Going) -> Iterator[Any]:
        constants = going.task.bound.constants.get(each.name)
        collected = 0
        for i, item in enumerate(source.items):
            if isinstance(item, (FromStep, FromMapped)):
                if self._found(item, each.name, i, going).kept is not None:
                    yield self._one(item, each, i, going)
            elif isinstance(item, (FromCollected, FromAsset, FromCaller)):
                yield self._one(item, each, collected, going)
                collected += isinstance(item, FromCollected)
            else:
                yield constants[i] if constants is not None else None

    def _one(
        self,
        source: FromStep | FromMapped | FromCollected | FromAsset | FromCaller,
        each: StepInput,
        index: int,
        going: Going,
    ) -> Any:
        """What comes from one source. Of a list, `index` says which of its kind it is."""
        if isinstance(source, (FromStep, FromMapped)):
            return self._from_step(source, each, index, going)
        if isinstance(source, FromCollected):
            return self._collected(source, each, index, going)
        task = going.task
        if isinstance(source, FromCaller):
            return self._from_caller(source, task.bound, each.name)
        value, read, told = self._shelf.load_asset(source, task.bound, each.name, each.manager, task.attempt)
        going.reads.append(read)
        if told:
            self._tell(told, source, each, going)
        return value

    def _from_step(self, source: FromStep | FromMapped, each: StepInput, index: int, going: Going) -> Any:
        task = going.task
        if type(source) is FromStep and task.taken is None and not task.bound.step.over:
            assert self._sources is not None
            kept = self._sources.kept(source.step, source.output)  # the ordinary step takes the short way
            if kept is not None:
                if kept.stored.metadata:
                    self._tell(kept.stored.metadata, source, each, going)
                try:
                    value = self._shelf.get(
                        kept, task.bound, each.name, each.manager, task.attempt, self._sources.keys[source.step]
                    )
                except ValueLostError as error:
                    raise Lost(source.step, source.output, error) from error
                return self._noted(value, kept, each.name, going) if kept.stored.asset is not None else value
        found = self._found(source, each.name, index, going)
        value = self._get(found, each, going)
        kept = found.kept
        if kept is not None and kept.stored.metadata:
            self._tell(kept.stored.metadata, source, each, going)
        return (
            self._noted(value, kept, each.name, going) if kept is not None and kept.stored.asset is not None else value
        )

    def _tell(self, told: Metadata, source: InputSource, each: StepInput, going: Going) -> None:
        """Keep what was said of an input's value for the context, unless the value is one of several in a list."""
        if source is each.source:
            self.told.setdefault(going.task.bound.number, {})[each.name] = told

    def _found(self, source: FromStep | FromMapped, name: str, index: int, going: Going) -> Found:
        """Where the value of another step is."""
        task = going.task
        if task.taken is not None:
            return task.taken.one(name, index)
        assert self._sources is not None
        return self._sources.one(task.bound.number, source)

    def _noted(self, value: Any, kept: Kept, name: str, going: Going) -> Any:
        """The value of an asset, and for the record, which version of it that is."""
        stored, metadata = kept.stored, self._managers.told_of_input()
        going.reads.append(Read(name, stored.asset or "", kept.run, kept.seq, stored.data_version, metadata))
        return value

    def _get(self, found: Found, each: StepInput, going: Going) -> Any:
        task = going.task
        try:
            if found.kept is None:
                raise ValueLostError("missing", "", "it was never recorded")
            return self._shelf.get(found.kept, task.bound, each.name, each.manager, task.attempt, found.key)
        except ValueLostError as error:
            raise Lost(found.maker, found.output, error, found.mapping_key) from error

    def _collected(self, source: FromCollected, each: StepInput, index: int, going: Going) -> Any:
        task = going.task
        bound, taken = task.bound, task.taken
        if taken is None:
            assert self._sources is not None
            tree, at = self._sources.tree(bound.number, each.name, index), self._sources.at
        else:
            tree, at = taken.tree(each.name, index), taken.at
        value, without = put_together(tree, source.levels, at, lambda found: self._get(found, each, going))
        if without:
            self.without.setdefault(bound.number, {})[each.name] = tuple(without)
            text = f"input `{each.name}` was collected without what failed: {', '.join(without)}"
            self._said.say(bound.number, task.attempt, "WARNING", "opgraph", text)
        return value

    def _from_caller(self, source: FromCaller, bound: BoundStep, name: str) -> Any:
        if source.name in self._given:
            return self._given[source.name]
        if name in bound.call.defaults:
            return bound.call.defaults[name]
        raise InputNotGiven(source.name, bound.step.key, where=bound.op.source)
