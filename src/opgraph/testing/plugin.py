"""The pytest plugin: fixtures for tests of pipelines. pytest loads it where opgraph is installed.

It imports nothing of opgraph before a fixture is used, so that a test session that uses none starts as fast as ever.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from opgraph.run.instance import Instance
    from opgraph.run.results import ExecuteInProcessResult
    from opgraph.testing.plans import PlanAssertion


@pytest.fixture
def opgraph_instance(tmp_path: Path) -> "Iterator[Instance]":
    """An instance of this test's own, on disk; `Instance.get()` gives it too."""
    from opgraph.testing.home import temporary_instance

    with temporary_instance(tmp_path / ".opgraph") as instance:
        yield instance


@pytest.fixture
def opgraph_run(opgraph_instance: "Instance") -> "Callable[..., ExecuteInProcessResult]":
    """`opgraph.testing.run`, in this test's own instance."""
    from opgraph.testing.given import run

    return partial(run, instance=opgraph_instance)


@pytest.fixture
def opgraph_pretend(opgraph_instance: "Instance") -> "Callable[..., str]":
    """`opgraph.testing.pretend`, in this test's own instance."""
    from opgraph.testing.given import pretend

    return partial(pretend, opgraph_instance)


@pytest.fixture
def opgraph_plan(opgraph_instance: "Instance") -> "Callable[..., PlanAssertion]":
    """`opgraph.testing.assert_plan`, with what is recorded in this test's own instance."""
    from opgraph.testing.plans import assert_plan

    return partial(assert_plan, instance=opgraph_instance)
