"""Every use that the property tests make of the package's running and planning API, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from program_tree import Key, Program, Request
from programs import Built, build
from reference_model import Called, Outcome, Output

import opgraph


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan says, as its JSON has it."""

    runs: frozenset[str]
    roles: Mapping[Output, str]
    certain: frozenset[Key]
    may: frozenset[Key]


@dataclass(slots=True)
class Session:
    """A program made real, with the storage and the record that its runs share."""

    built: Built
    assets: dict[Key, object] = field(default_factory=dict[Key, object])  # stored, by asset
    intermediates: dict[Output, object] = field(default_factory=dict[Output, object])  # stored in this run
    written: list[Key] = field(default_factory=list[Key])  # assets stored in this run
    loaded: set[Key] = field(default_factory=set[Key])  # assets loaded in this run
    instance: Any = None
    definitions: Any = None


def open_session(program: Program) -> Session:
    session = Session(build(program, opgraph, facts))
    session.instance = opgraph.Instance.ephemeral()
    session.definitions = opgraph.Definitions(
        assets=session.built.assets, resources={"io_manager": manager(opgraph.IOManager, session)}
    )
    return session


def facts(context: Any) -> tuple[str, frozenset[str], bool]:
    """What an op's function can see of where it runs: step key, selected_output_names, is_subset."""
    inner = getattr(context, "op_execution_context", context)
    return str(context.op_handle), frozenset(inner.selected_output_names), bool(inner.is_subset)


def manager(base: type, session: Session) -> Any:
    """An I/O manager over the session's dicts. It knows an asset by its key, an intermediate by step and output."""

    class Recording(base):
        def handle_output(self, context: Any, obj: object) -> None:
            if context.has_asset_key:
                session.assets[tuple(context.asset_key.path)] = obj
                session.written.append(tuple(context.asset_key.path))
            else:
                session.intermediates[context.step_key, context.name] = obj

        def load_input(self, context: Any) -> object:
            made_by = context if context.upstream_output is None else context.upstream_output
            if not made_by.has_asset_key:
                return session.intermediates[made_by.step_key, made_by.name]
            key = tuple(made_by.asset_key.path)
            value = session.assets[key]
            session.loaded.add(key)
            return value

    return Recording()


def asset_keys(keys: Any) -> list[Any]:
    return [opgraph.AssetKey(list(key)) for key in sorted(keys)]


def plan(session: Session, request: Request) -> Planned:
    """The plan of the request, read from its JSON. Raises InvalidSubsetError where the selection splits too much."""
    from opgraph.operate import planning

    made = planning.plan(session.definitions, asset_keys(request.selection), instance=session.instance).to_json()
    running = [step for step in made["steps"] if step["decision"] == "run"]
    return Planned(
        runs=frozenset(step["key"] for step in running),
        roles={(step["key"], output["name"]): output["role"] for step in running for output in step["outputs"]},
        certain=frozenset(tuple(_name(entry).split("/")) for entry in made["besides"]["certain"]),
        may=frozenset(tuple(_name(entry).split("/")) for entry in made["besides"]["may"]),
    )


def _name(entry: Any) -> str:
    return entry if isinstance(entry, str) else entry["asset"]


def execute(session: Session, request: Request) -> Any:
    return opgraph.materialize(
        session.built.assets,
        selection=asset_keys(request.selection),
        instance=session.instance,
        resources={"io_manager": manager(opgraph.IOManager, session)},
        unselected=request.policy,
        raise_on_error=False,
    )


def run(session: Session, request: Request, era: str, start: Callable[[Session, Request], Any] = execute) -> Outcome:
    """Runs the request and tells what happened. What refuses to run raises the package's own error."""
    built = session.built
    built.era, built.off = era, request.off
    built.calls.clear()
    built.given.clear()
    session.intermediates.clear()
    session.written.clear()
    session.loaded.clear()
    result = start(session, request)
    seen = Outcome()
    for event in result.all_events:
        kind = event.event_type_value
        if kind == "STEP_START":
            seen.order.append(event.step_key)
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED"):
            {"STEP_SUCCESS": seen.succeeded, "STEP_FAILURE": seen.failed, "STEP_SKIPPED": seen.skipped}[kind].add(
                event.step_key
            )
        elif kind == "ASSET_MATERIALIZATION":
            key = tuple(event.asset_key.path)
            (seen.asked if key in request.selection else seen.besides)[key] = session.assets[key]
    seen.called = [Called(step, tuple(arguments), names, partial) for (step, names, partial), arguments in built.calls]
    seen.kept = dict(session.intermediates)
    return seen


def given_outputs(session: Session) -> set[Output]:
    """The outputs that the functions of the last run gave: each gives all of its own before the next is called."""
    steps = [step for (step, _, _), _ in session.built.calls]
    return {(steps[i], tag.rpartition(".")[2] if "." in tag else "result") for i, tag in session.built.given}
