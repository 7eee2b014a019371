"""Tables as metadata: their columns, some of their rows, and where columns come from."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from opgraph.declare.accepted import expect
from opgraph.declare.frozen import Compared
from opgraph.errors import InvalidDefinitionError, Mistake
from opgraph.keys import AssetKey, CoercibleToAssetKey


class BadRecord(Mistake, InvalidDefinitionError):
    """A row of a table with a value that is no plain one."""

    column: str
    value: object
    says = "the column `{column}` of a TableRecord has a value of type {value:type}"
    mend = "give text, numbers, True, False or None"
    at_caller = True


class TableColumnConstraints(Compared):
    """What holds for the values of a column.

    Args:
        nullable: whether a value may be missing.
        unique: whether no value comes twice.
        other: anything else, in words.
    """

    __slots__ = ("nullable", "other", "unique")

    nullable: bool
    unique: bool
    other: Sequence[str]

    def __init__(self, nullable: bool = True, unique: bool = False, other: Sequence[str] | None = None) -> None:
        self.settle(nullable=nullable, unique=unique, other=list(other or ()))


class TableConstraints(Compared):
    """What holds for a table as a whole, in words.

    Example:
        >>> TableConstraints(other=["one row a day"]).other
        ['one row a day']
    """

    __slots__ = ("other",)

    other: Sequence[str]

    def __init__(self, other: Sequence[str]) -> None:
        self.settle(other=list(other))


class TableColumn(Compared):
    """A column.

    Args:
        name: its name.
        type: the type of its values, in any words.
        description: for people, Markdown.
        constraints: what holds for its values.
        tags: labels.
    """

    __slots__ = ("constraints", "description", "name", "tags", "type")

    name: str
    type: str
    description: str | None
    constraints: TableColumnConstraints
    tags: Mapping[str, str]

    def __init__(
        self,
        name: str,
        type: str = "string",  # noqa: A002 - the name that the column's type has in Dagster
        description: str | None = None,
        constraints: TableColumnConstraints | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        expect("a `TableColumn`", name=name, type=type)
        self.settle(
            name=name,
            type=type,
            description=description,
            constraints=constraints or TableColumnConstraints(),
            tags=dict(tags or {}),
        )


class TableSchema(Compared):
    """The columns of a table.

    Args:
        columns: in order.
        constraints: what holds for the table as a whole.

    Example:
        >>> TableSchema.from_name_type_dict({"city": "string", "delay": "int"}).columns[1].type
        'int'
    """

    __slots__ = ("columns", "constraints")

    columns: Sequence[TableColumn]
    constraints: TableConstraints

    def __init__(self, columns: Sequence[TableColumn], constraints: TableConstraints | None = None) -> None:
        expect("a `TableSchema`", columns=columns)
        self.settle(columns=list(columns), constraints=constraints or TableConstraints(()))

    @staticmethod
    def from_name_type_dict(name_type_dict: Mapping[str, str]) -> "TableSchema":
        """A schema from the types by column."""
        return TableSchema([TableColumn(name, given) for name, given in name_type_dict.items()])


class TableRecord(Compared):
    """A row: plain values by column.

    Raises:
        InvalidDefinitionError: a value is no text, number, True, False or None.
    """

    __slots__ = ("data",)

    data: Mapping[str, Any]

    def __init__(self, data: Mapping[str, Any]) -> None:
        for column, value in data.items():
            if value is not None and not isinstance(value, (str, int, float, bool)):
                raise BadRecord(column, value)
        self.settle(data=dict(data))


class TableColumnDep(Compared):
    """A column of an upstream asset."""

    __slots__ = ("asset_key", "column_name")

    asset_key: AssetKey
    column_name: str

    def __init__(self, asset_key: CoercibleToAssetKey, column_name: str) -> None:
        expect("a `TableColumnDep`", column_name=column_name)
        self.settle(asset_key=AssetKey.from_coercible(asset_key), column_name=column_name)

    def __hash__(self) -> int:
        return hash((self.asset_key, self.column_name))


class TableColumnLineage(Compared):
    """For each column those that it is made from.

    Example:
        >>> TableColumnLineage({"total": [TableColumnDep("raw/orders", "price")]})
    """

    __slots__ = ("deps_by_column",)

    deps_by_column: Mapping[str, Sequence[TableColumnDep]]

    def __init__(self, deps_by_column: Mapping[str, Sequence[TableColumnDep]]) -> None:
        self.settle(deps_by_column={name: list(deps) for name, deps in deps_by_column.items()})


_TYPES: Mapping[object, str] = {bool: "bool", int: "int", float: "float"}


def inferred(records: Sequence[TableRecord]) -> TableSchema:
    """The schema that rows show: the columns of the first, with the types of its values."""
    first: Mapping[str, Any] = records[0].data if records else {}
    return TableSchema([TableColumn(name, _TYPES.get(_class_of(value), "string")) for name, value in first.items()])


def _class_of(value: object) -> object:
    return type(value)


# -- as facts keep them: JSON ---------------------------------------------------------


def schema_to_json(schema: TableSchema) -> dict[str, Any]:
    """A schema as JSON."""
    return {
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "description": column.description,
                "nullable": column.constraints.nullable,
                "unique": column.constraints.unique,
                "other": list(column.constraints.other),
                "tags": dict(column.tags),
            }
            for column in schema.columns
        ],
        "other": list(schema.constraints.other),
    }


def schema_from_json(data: Mapping[str, Any]) -> TableSchema:
    """The schema that `schema_to_json` wrote."""
    return TableSchema(
        [
            TableColumn(
                column["name"],
                column["type"],
                column["description"],
                TableColumnConstraints(column["nullable"], column["unique"], column["other"]),
                column["tags"],
            )
            for column in cast("list[dict[str, Any]]", data["columns"])
        ],
        TableConstraints(data["other"]),
    )


def lineage_to_json(lineage: TableColumnLineage) -> dict[str, Any]:
    """A lineage as JSON."""
    return {
        name: [[dep.asset_key.text, dep.column_name] for dep in deps] for name, deps in lineage.deps_by_column.items()
    }


def lineage_from_json(data: Mapping[str, Sequence[Sequence[str]]]) -> TableColumnLineage:
    """The lineage that `lineage_to_json` wrote."""
    return TableColumnLineage(
        {name: [TableColumnDep(key, column) for key, column in deps] for name, deps in data.items()}
    )
