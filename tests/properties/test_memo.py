"""A memoized run gives what a full run gives, for random programs, random edits and random selections."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from adapter import facts
from hypothesis import given, settings
from hypothesis import strategies as st
from program_tree import External, Op, Program, bodies
from programs import Built, Writer, build
from reference_model import makeable

import opgraph
from opgraph.errors import InvalidSubsetError
from opgraph.events import OutputStored, StepReused, StepSucceeded, Stored
from opgraph.operate.execute import RunOutcome, materialize

Edits = dict[str, int]  # by op: 0 as it was, an odd number other values, an even one other code with the same values


def edition(program: Program, edits: Edits) -> Built:
    """The program with the code of some ops edited."""

    def edit(source: str) -> str:
        for name, number in edits.items():
            if number % 2:
                source = source.replace(f'mix("{name}.', f'mix("{name}~{number}.')
            elif number:
                source = re.sub(rf"(def {name}\(context[^\n]*\n)", rf"\1    str({number})\n", source)
        return source

    return build(program, opgraph, facts, edit)


def outcome_of(built: Built, selection: str, instance: Any, **how: Any) -> dict[str, Any]:
    """How a run ended, and the values of the assets that came or were reused."""
    defs = opgraph.Definitions(assets=built.assets)
    try:
        outcome = materialize(defs, selection, instance=instance, **how)
    except InvalidSubsetError:
        return {"status": "refused"}
    found: dict[str, Any] = {"status": outcome.status}
    if outcome.success:
        came = assets_of(outcome, instance)
        found |= {k: defs.load_asset_value(opgraph.AssetKey(k.split("/")), instance=instance) for k in came}
    return found


def assets_of(outcome: RunOutcome, instance: Any) -> list[str]:
    stored: list[Stored] = []
    for _, fact in instance.record.facts(outcome.run_id):
        if isinstance(fact, StepSucceeded):
            stored += fact.outputs
        elif isinstance(fact, OutputStored):
            stored.append(fact.stored)
        elif isinstance(fact, StepReused):
            stored += [kept.stored for kept in fact.kept]
    return sorted(each.asset for each in stored if each.asset in outcome.plan.selection)


@settings(max_examples=80, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_memoized_run_gives_what_a_full_run_gives(random: Random) -> None:
    """Whatever was edited, taken back and selected before: values and status are those of a run of everything, and
    a second run runs nothing."""
    program = Writer(random).program()
    ops = [body.name for body in bodies(program) if isinstance(body, Op)]
    keys = ["/".join(key) for key in makeable(program)]
    editions: list[Edits] = [{}]
    with opgraph.Instance.ephemeral() as instance:
        for _ in range(4):
            roll = random.random()
            if roll < 0.5 and ops:
                editions.append({**editions[-1], random.choice(ops): random.randint(1, 4)})
            elif roll < 0.8:
                editions.append(random.choice(editions))  # an edit is taken back
            # What is not selected would be loaded as some earlier run left it, so everything upstream is selected.
            chosen = random.sample(keys, random.randint(1, len(keys)))
            selection = " or ".join(f'*key:"{key}"' for key in chosen)
            built = edition(program, editions[-1])
            reused = outcome_of(built, selection, instance, memoize=True)
            with opgraph.Instance.ephemeral() as fresh:
                assert reused == outcome_of(edition(program, editions[-1]), selection, fresh)
            before = len(built.calls)
            again = outcome_of(built, selection, instance, memoize=True)
            assert again == reused
            if not any(isinstance(each, External) for each in program.assets):  # nothing tells what version that is
                assert len(built.calls) == before
