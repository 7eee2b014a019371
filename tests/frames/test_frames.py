"""I/O managers for tables: each kind of table goes in and comes out, with its columns and rows as metadata."""

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

import opgraph as og

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pytest.importorskip("duckdb")

from opgraph.frames import CSVIOManager, DuckDBIOManager, JSONIOManager, ParquetIOManager  # noqa: E402

ROWS = [{"n": 1, "word": "one"}, {"n": 2, "word": "two"}]
MAKERS = {
    "pandas": lambda: pd.DataFrame(ROWS),
    "polars": lambda: pl.DataFrame(ROWS),
    "lazy": lambda: pl.LazyFrame(ROWS),
    "arrow": lambda: pa.Table.from_pylist(ROWS),
    "rows": lambda: list(ROWS),
}
TYPES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame, "arrow": pa.Table, "rows": list}


def rows_of(table):
    """A table of any kind as a list of dicts."""
    if isinstance(table, pd.DataFrame):
        return table.to_dict("records")
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    return (
        table if isinstance(table, list) else table.to_dicts() if isinstance(table, pl.DataFrame) else table.to_pylist()
    )


@pytest.fixture(params=["parquet", "csv", "json", "duckdb", "memory", "url"])
def manager(request, tmp_path):
    """Each of the managers, and Parquet at two kinds of URLs."""
    base = str(tmp_path / "base")
    match request.param:
        case "parquet":
            return ParquetIOManager(base_path=base)
        case "csv":
            return CSVIOManager(base_path=base)
        case "json":
            return JSONIOManager(base_path=base)
        case "duckdb":
            return DuckDBIOManager(database=str(tmp_path / "lake.duckdb"))
        case "memory":
            pytest.importorskip("fsspec")
            return ParquetIOManager(base_path=f"memory://{tmp_path.name}")
        case _:
            pytest.importorskip("fsspec")
            return ParquetIOManager(base_path=f"file://{base}")


@pytest.mark.parametrize("kind", MAKERS)
def test_tables_come_back_as_they_were_stored(manager, kind):
    """Without an annotation an input is loaded as the kind that was stored."""

    @og.asset(key_prefix=["raw", "deep"])
    def table():
        return MAKERS[kind]()

    @og.asset(ins={"table": og.AssetIn(key_prefix=["raw", "deep"])})
    def seen(table):
        assert isinstance(table, TYPES[kind])
        assert rows_of(table) == ROWS
        return table

    assert og.materialize([table, seen], resources={"io_manager": manager}).success


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow"])
def test_tables_come_back_as_they_are_annotated(manager, kind):
    """An input's annotation says which kind is loaded, also inside a union with None."""
    wanted = TYPES[kind]

    @og.asset
    def table():
        return MAKERS["polars" if kind == "pandas" else "pandas"]()

    def seen(table):
        assert isinstance(table, wanted)
        assert rows_of(table) == ROWS
        return table

    seen.__annotations__["table"] = wanted | None
    assert og.materialize([table, og.asset(seen)], resources={"io_manager": manager}).success


@pytest.mark.parametrize("annotation", [list[dict], list[dict[str, Any]], list[Mapping[str, Any]] | None])
def test_rows_for_an_input_that_takes_a_list_of_dicts(manager, annotation):
    """An input annotated as a list of dicts is given the rows of what was stored as another kind."""

    @og.asset
    def table():
        return MAKERS["pandas"]()

    def seen(table):
        assert table == ROWS
        return table

    seen.__annotations__["table"] = annotation
    assert og.materialize([table, og.asset(seen)], resources={"io_manager": manager}).success


def test_columns_and_rows_are_metadata(manager):
    """The columns with their types, and the number of rows, are kept with the materialization."""

    @og.asset
    def table():
        return MAKERS["polars"]()

    result = og.materialize([table], resources={"io_manager": manager})
    metadata = result.asset_materializations_for_node("table")[0].metadata
    assert metadata["dagster/row_count"].value == 2
    columns = metadata["dagster/column_schema"].value.columns
    assert [column.name for column in columns] == ["n", "word"]
    assert columns[0].type == "int64"


def test_intermediates_and_subsets(manager):
    """Values between ops are stored too, and a later run loads what an earlier one stored."""

    @og.op
    def make():
        return MAKERS["polars"]()

    @og.op
    def double(table):
        return pl.concat([table, table])

    @og.graph_asset
    def table():
        return double(make())

    @og.asset
    def count(table: pd.DataFrame):
        return [{"count": len(table)}]

    resources = {"io_manager": manager}
    with og.Instance.ephemeral() as instance:
        og.materialize([table, count], resources=resources, instance=instance, selection=[table])
        result = og.materialize([table, count], resources=resources, instance=instance, selection=[count])
        assert result.output_for_node("count") == [{"count": 4}]


def test_files_are_never_overwritten(tmp_path):
    """Each materialization is a file of its own, and the last one is current."""
    manager = ParquetIOManager(base_path=str(tmp_path))
    numbers = iter([[1], [2]])

    @og.asset
    def table():
        return pl.DataFrame({"n": next(numbers)})

    with og.Instance.ephemeral() as instance:
        for _ in range(2):
            og.materialize([table], resources={"io_manager": manager}, instance=instance)
        defs = og.Definitions(assets=[table], resources={"io_manager": manager})
        assert defs.load_asset_value("table", instance=instance)["n"].to_list() == [2]
    assert len(list((tmp_path / "table").iterdir())) == 2


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_lost_file_is_noticed(tmp_path, harm):
    """A file that is gone, or not as it was written, is an error that says so."""
    manager = ParquetIOManager(base_path=str(tmp_path))
    out = og.build_output_context(asset_key="table", run_id="run")
    manager.handle_output(out, MAKERS["arrow"]())
    (path,) = (tmp_path / "table").iterdir()
    path.unlink() if harm == "missing" else path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(og.Error, match=harm):
        manager.load_input(og.build_input_context(asset_key="table", upstream_output=out))


def test_files_that_others_wrote(tmp_path):
    """An external asset is loaded from the path that its key names."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "sales.csv").write_text("n,word\n1,one\n2,two\n")

    @og.asset(ins={"sales": og.AssetIn(key_prefix="raw")})
    def seen(sales: pd.DataFrame):
        return sales

    manager = CSVIOManager(base_path=str(tmp_path))
    result = og.materialize([og.AssetSpec("raw/sales"), seen], resources={"io_manager": manager})
    assert rows_of(result.output_for_node("seen")) == ROWS


def test_plain_values_as_json(tmp_path):
    """Plain values are stored as JSON and come back equal; others are refused by name."""

    @og.asset
    def report():
        return {"rows": 3, "names": ["a", "ä"], "none": None}

    manager = JSONIOManager(base_path=str(tmp_path), indent=2)
    result = og.materialize([report], resources={"io_manager": manager})
    assert result.output_for_node("report") == {"rows": 3, "names": ["a", "ä"], "none": None}

    @og.asset
    def wrong():
        return {"when": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}

    with pytest.raises(og.Error, match="cannot be stored"):
        og.materialize([wrong], resources={"io_manager": manager})
    with pytest.raises(og.Error, match="cannot be stored: 'utf-8' codec can't encode"):
        stored_and_loaded(manager, {"half a letter": "\ud800"})


def test_a_file_of_another_encoding(tmp_path):
    """Of a CSV file that is not in UTF-8 the texts that have other letters are bytes."""
    (tmp_path / "names.csv").write_bytes("name,n\nJosé,1\n".encode("latin-1"))
    found = CSVIOManager(base_path=str(tmp_path)).load_input(og.build_input_context(asset_key="names"))
    assert found.to_pylist() == [{"name": "José".encode("latin-1"), "n": 1}]


def test_long_texts_of_csv(tmp_path):
    """A text of several lines comes back, however large the file is."""
    rows = [{"text": "a line\n" * 40, "n": n} for n in range(6000)]
    assert stored_and_loaded(CSVIOManager(base_path=str(tmp_path)), rows) == rows


@pytest.mark.parametrize("value", [3, None, "text", [1, 2]])
def test_what_is_no_table(tmp_path, value):
    """A value that is no table is refused with what would be one."""

    @og.asset
    def wrong():
        return value

    with pytest.raises(og.Error, match="ParquetIOManager stores tables, and asset `wrong` is of type"):
        og.materialize([wrong], resources={"io_manager": ParquetIOManager(base_path=str(tmp_path))})


def stored_and_loaded(manager, value):
    """What comes back of a value."""

    @og.asset
    def table():
        return value

    return og.materialize([table], resources={"io_manager": manager}).asset_value("table")


def test_rows_with_different_keys(manager):
    """No value is lost where the rows of a list have different keys; a missing one is null."""
    found = stored_and_loaded(manager, [{"a": 1}, {"b": "x"}])
    assert [{"a": row.get("a"), "b": row.get("b")} for row in found] == [{"a": 1, "b": None}, {"a": None, "b": "x"}]


@pytest.mark.parametrize("make", [list, pl.DataFrame, pd.DataFrame])
def test_tables_without_columns(manager, make):
    """An empty table comes back empty; DuckDB, which has no such tables, says so."""
    if isinstance(manager, DuckDBIOManager):
        with pytest.raises(og.Error, match="it has no columns"):
            stored_and_loaded(manager, make())
    else:
        assert len(stored_and_loaded(manager, make())) == 0


def test_nulls_and_empty_texts_of_csv(tmp_path):
    """They are told apart."""
    rows = [{"word": "x", "n": 1}, {"word": "", "n": None}, {"word": None, "n": 3}, {"word": "NA", "n": 4}]
    assert stored_and_loaded(CSVIOManager(base_path=str(tmp_path)), rows) == rows


def test_types_of_csv(tmp_path):
    """Columns come back with the types that they had, whatever their text looks like."""
    rome = dt.timezone(dt.timedelta(hours=1))
    table = pa.table(
        {
            "code": ["007", "08", None],
            "whole": pa.array([1.0, 2.0, None]),
            "small": pa.array([1, 2, 3], pa.int8()),
            "day": pa.array([dt.date(2024, 1, 1), None, None]),
            "at": pa.array([dt.datetime(2024, 1, 1, tzinfo=rome)] * 3, pa.timestamp("us", "+01:00")),
            "flag": [True, None, False],
            "none": pa.array([None, None, None], pa.string()),
            "price": pa.array([Decimal("1.50"), None, Decimal(2)], pa.decimal128(10, 2)),
        }
    )
    found = stored_and_loaded(CSVIOManager(base_path=str(tmp_path)), table)
    assert found.schema.equals(table.schema)
    assert found.equals(table)
    frame = pl.DataFrame({"code,\n": ["007"], "kind": ["08"]}, schema_overrides={"kind": pl.Categorical})
    again = stored_and_loaded(CSVIOManager(base_path=str(tmp_path), delimiter=";"), frame)
    assert again.equals(frame.cast(pl.String))
    nulls = [{"n": 1.0}, {"n": None}]
    assert stored_and_loaded(CSVIOManager(base_path=str(tmp_path)), nulls) == nulls


def test_durations_of_duckdb(tmp_path):
    """They come back as durations, for every library."""
    frame = pl.DataFrame({"took": [dt.timedelta(seconds=3), None], "n": [1, 2]})
    assert stored_and_loaded(DuckDBIOManager(database=str(tmp_path / "lake.duckdb")), frame).equals(frame)


def test_time_zones_of_duckdb(tmp_path):
    """A column of moments comes back in its time zone, of which DuckDB keeps nothing."""
    at = pa.array([dt.datetime(2024, 7, 1, tzinfo=dt.UTC)], pa.timestamp("us", "Europe/Paris"))
    table = pa.table({"price": pa.array([1], pa.decimal128(9, 2)), "at": at, "plain": at.cast(pa.timestamp("us"))})
    assert stored_and_loaded(DuckDBIOManager(database=str(tmp_path / "lake.duckdb")), table).equals(table)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (lambda: pd.DataFrame({"o": [1, "a"]}), "Conversion failed for column o"),
        (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "Duplicate column names"),
        (lambda: pl.DataFrame({"a": [1], "A": [2]}), "two are `a`"),
        (lambda: pl.DataFrame({"": [1]}), "a column has no name"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, table, reason):
    """What would be lost or renamed is refused, and it is said why."""
    with pytest.raises(og.Error, match=f"DuckDBIOManager cannot store the table of asset `table`: .*{reason}"):
        stored_and_loaded(DuckDBIOManager(database=str(tmp_path / "lake.duckdb")), table())


def test_two_columns_of_one_name(manager):
    """They are refused, for only one of them would come back."""
    with pytest.raises(og.Error, match="cannot store the table of asset `table`: two columns are `a`"):
        stored_and_loaded(manager, pa.table([[1], [2]], names=["a", "a"]))


def test_text_that_cannot_be_written(tmp_path):
    """It is said what it has."""
    with pytest.raises(og.Error, match=r"table of asset `table`: 'utf-8' codec can't encode character '\\ud800'"):
        stored_and_loaded(ParquetIOManager(base_path=str(tmp_path)), [{"word": "\ud800"}])


def test_a_database_that_is_not_to_be_opened(tmp_path):
    """Only for another process is waited, and not where a path has the word `lock` in it."""
    manager = DuckDBIOManager(database=str(tmp_path / "blocks" / "missing" / "lake.duckdb"))
    began = time.monotonic()
    with pytest.raises(Exception, match="Cannot open file"):
        stored_and_loaded(manager, MAKERS["arrow"]())
    assert time.monotonic() - began < manager.wait / 3


def test_what_is_stored_is_loaded_where_either_will_do(manager):
    """Of the classes of a union the one that was stored is loaded."""

    @og.asset
    def table():
        return MAKERS["polars"]()

    @og.asset
    def seen(table: pd.DataFrame | pl.DataFrame):
        assert isinstance(table, pl.DataFrame)
        return table

    assert og.materialize([table, seen], resources={"io_manager": manager}).success


SEVERAL = """
import polars as pl
from opgraph import Definitions, asset
from opgraph.frames import DuckDBIOManager


def made(name):
    @asset(name=name)
    def table():
        return pl.DataFrame({"n": [1, 2]})

    return table


@asset
def seen(t0: pl.DataFrame, t7: list[dict]):
    return t0


tables = [made(f"t{i}") for i in range(8)]
defs = Definitions(assets=[*tables, seen], resources={"io_manager": DuckDBIOManager(database="lake.duckdb")})
"""


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_duckdb_and_several_workers(tmp_path, executor):
    """Threads and processes wait for one another where they store into one database at once."""
    (tmp_path / "definitions.py").write_text(SEVERAL, encoding="utf-8")
    command = [sys.executable, "-m", "opgraph", "materialize", "-f", "definitions.py", "--executor", executor]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "9 assets materialized" in done.stdout, done.stdout + done.stderr


def test_nothing_there(tmp_path):
    """Of a value that nobody made it is said where it was looked for."""

    @og.asset
    def seen(raw):
        return raw

    for manager, place in [
        (ParquetIOManager(base_path=str(tmp_path)), "raw.parquet"),
        (DuckDBIOManager(database=str(tmp_path / "lake.duckdb")), "main.raw in "),
    ]:
        with pytest.raises(og.Error, match=f"there is no .*{place}"):
            og.materialize([og.AssetSpec("raw"), seen], resources={"io_manager": manager})


def test_duckdb_tables_are_there_for_others(tmp_path):
    """Assets are tables of a database that anyone can ask; names are quoted."""
    import duckdb

    database = str(tmp_path / "lake.duckdb")

    @og.asset(key=["raw", "my table"])
    def table():
        return MAKERS["pandas"]()

    og.materialize([table], resources={"io_manager": DuckDBIOManager(database=database)})
    with duckdb.connect(database) as connection:
        assert connection.execute('SELECT sum(n) FROM raw."my table"').fetchall() == [(3,)]


def test_an_unknown_scheme(tmp_path):
    """A URL of a scheme that nothing reads is an error that says what to install."""
    pytest.importorskip("fsspec")

    @og.asset
    def table():
        return MAKERS["pandas"]()

    with pytest.raises(og.InvalidConfigError, match="nosuch://"):
        og.materialize([table], resources={"io_manager": ParquetIOManager(base_path="nosuch://bucket")})


def test_s3(s3, monkeypatch):
    """The same at an S3 server, whose credentials are environment variables."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
        monkeypatch.setenv(f"TEST_S3_{name}", "test-secret-value")
    options = {
        "key": og.EnvVar("TEST_S3_ACCESS_KEY_ID"),
        "secret": og.EnvVar("TEST_S3_SECRET_ACCESS_KEY"),
        "endpoint_url": s3.meta.endpoint_url,
        "client_kwargs": {"region_name": "us-east-1"},
        "skip_instance_cache": True,
    }
    s3.create_bucket(Bucket="lake")
    manager = ParquetIOManager(base_path="s3://lake/tables", storage_options=options)

    @og.asset
    def table():
        return MAKERS["polars"]()

    @og.asset
    def seen(table: pd.DataFrame):
        return table

    result = og.materialize([table, seen], resources={"io_manager": manager})
    assert rows_of(result.output_for_node("seen")) == ROWS
    path = result.asset_materializations_for_node("table")[0].metadata["path"].value
    assert path.startswith("s3://lake/tables/table/")


def test_s3_without_the_bucket(s3):
    """A mistyped bucket is not made."""
    s3.create_bucket(Bucket="lake")

    @og.asset
    def table():
        return MAKERS["polars"]()

    class Texts(og.UPathIOManager):
        def dump_to_path(self, context, obj, path):
            path.write_text(str(obj))

        def load_from_path(self, context, path):
            return path.read_text()

    with pytest.raises(og.Error, match="could not be written below s3://laek"):
        og.materialize([table], resources={"io_manager": ParquetIOManager(base_path="s3://laek/tables")})
    with pytest.raises(Exception, match="bucket"):
        og.materialize([table], resources={"io_manager": Texts("s3://laek/texts")})
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["lake"]
