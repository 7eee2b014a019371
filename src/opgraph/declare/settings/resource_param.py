"""How a parameter says that it is a resource."""

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

T = TypeVar("T")


class ResourceMark:
    """Says of an annotation that the parameter is a resource."""

    def __repr__(self) -> str:
        return "ResourceParam"


_MARK: Final = ResourceMark()

if TYPE_CHECKING:
    ResourceParam = Annotated[T, _MARK]
else:

    class ResourceParam:
        """Says that a parameter is a resource, where its type alone does not: `db: ResourceParam[Engine]`."""

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, _MARK]


def is_resource_annotation(annotation: Any) -> bool:
    """Whether a parameter with this annotation, evaluated, is a resource."""
    if annotation is ResourceParam or getattr(annotation, "opgraph_is_resource", False) is True:
        return True
    return any(isinstance(each, ResourceMark) for each in getattr(annotation, "__metadata__", ()))
