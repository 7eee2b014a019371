"""Mistakes in what several assets of one function depend on."""

from collections.abc import Mapping

from opgraph.errors import InvalidDefinitionError, Mistake, Source
from opgraph.keys import AssetKey


class DepsBesideSpecs(Mistake, InvalidDefinitionError):
    """Dependencies of a function whose assets are specs, which have their own."""

    owner: str
    argument: str
    says = "Can not pass {argument} and specs to {owner}: it would not be known which asset depends on what"
    mend = 'specify deps on the AssetSpecs directly: `AssetSpec("a", deps=["b"])`'


class InputsOfNoOutput(InvalidDefinitionError):
    """Inputs that `internal_asset_deps` says no asset depends on."""

    def __init__(self, owner: str, inputs: Mapping[str, AssetKey], *, where: Source) -> None:
        self.owner, self.inputs = owner, dict(inputs)
        shown = ", ".join(f"`{name}` (asset `{key.text}`)" for name, key in inputs.items())
        super().__init__(
            f"by its `internal_asset_deps` no asset of {owner} depends on what it takes, and inputs must be associated "
            f"with an output: {shown}",
            where=where,
            fix="add them to `internal_asset_deps` for the outputs that are made from them, or take the parameters out",
        )


class InputsOfNoSpec(InvalidDefinitionError):
    """Inputs of a function whose assets are specs, none of which depends on them."""

    def __init__(self, owner: str, inputs: Mapping[str, AssetKey], *, where: Source) -> None:
        self.owner, self.inputs = owner, dict(inputs)
        shown = ", ".join(f"`{name}` (asset `{key.text}`)" for name, key in inputs.items())
        super().__init__(
            f"{owner} has inputs, by name or specified as AssetIns, that none of its specs depends on: {shown}",
            where=where,
            fix="add them to the `deps` of the specs that are made from them, or take the parameters out",
        )
