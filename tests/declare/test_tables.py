"""Metadata values of a class each, tables among them, and how facts keep them."""

import datetime as dt

import pytest

import opgraph as og
from opgraph.declare.metadata import from_wire, to_wire

SCHEMA = og.TableSchema(
    [
        og.TableColumn("city", description="where", constraints=og.TableColumnConstraints(nullable=False)),
        og.TableColumn("delay", "int", tags={"unit": "min"}),
    ],
    og.TableConstraints(["one row a day"]),
)
VALUES = [
    og.TextMetadataValue("x"),
    og.UrlMetadataValue("https://example.org"),
    og.PathMetadataValue("/a"),
    og.NotebookMetadataValue("a.ipynb"),
    og.JsonMetadataValue({"a": [1]}),
    og.MarkdownMetadataValue("**x**"),
    og.FloatMetadataValue(1.5),
    og.IntMetadataValue(2),
    og.BoolMetadataValue(True),
    og.TimestampMetadataValue(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    og.DagsterRunMetadataValue("r"),
    og.DagsterAssetMetadataValue("a/b"),
    og.DagsterJobMetadataValue("j"),
    og.NullMetadataValue(),
    og.TableMetadataValue([og.TableRecord({"city": "Bern", "delay": None})], SCHEMA),
    og.TableSchemaMetadataValue(SCHEMA),
    og.TableColumnLineageMetadataValue(og.TableColumnLineage({"city": [og.TableColumnDep("raw/x", "place")]})),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.kind)
def test_kept_and_read_again(value):
    """A metadata value is the same after facts kept it, and of the same class."""
    again = from_wire(to_wire(value))
    assert again == value
    assert type(again) is type(value)


def test_members():
    """A value is read by the name that it has in Dagster."""
    assert og.MetadataValue.text("x").text == "x"
    assert og.MetadataValue.md("x").md_str == "x"
    assert og.MetadataValue.json([1]).data == [1]
    assert og.MetadataValue.url("u").url == "u"
    assert og.MetadataValue.path("p").path == "p"
    assert og.MetadataValue.asset(og.AssetKey("a")).asset_key == og.AssetKey("a")
    assert og.MetadataValue.table_schema(SCHEMA).schema is SCHEMA


def test_a_schema_is_inferred_from_the_first_row():
    """A table without a schema has the columns of its first row."""
    table = og.MetadataValue.table([og.TableRecord({"a": "x", "b": 1, "c": 1.5, "d": True})])
    assert [(column.name, column.type) for column in table.schema.columns] == [
        ("a", "string"),
        ("b", "int"),
        ("c", "float"),
        ("d", "bool"),
    ]
    with pytest.raises(og.InvalidDefinitionError, match="column `a`"):
        og.TableRecord({"a": object()})


def test_raw_tables_are_metadata():
    """A schema or a lineage stands for its metadata value."""

    @og.asset(metadata={"dagster/column_schema": SCHEMA})
    def table(context):
        context.add_output_metadata({"schema": SCHEMA})

    found = og.materialize([table]).asset_materializations_for_node("table")[0].metadata["schema"]
    assert found == og.TableSchemaMetadataValue(SCHEMA)


@pytest.mark.parametrize(
    "make",
    [
        lambda: og.TableSchema(["city"]),
        lambda: og.TableSchema(og.TableColumn("city")),
        lambda: og.TableColumn("city", int),
        lambda: og.TableColumnDep("raw", 3),
    ],
)
def test_what_no_column_is(make):
    """A schema of something else than columns, and a column whose name or type is no text, are mistakes with a line."""
    with pytest.raises(og.InvalidDefinitionError, match="of a `Table") as caught:
        make()
    assert caught.value.where.file == __file__
