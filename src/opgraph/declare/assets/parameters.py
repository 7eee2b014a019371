"""What `help`, `inspect` and notebooks show of functions whose parameters `attributes` lists: each by its name, with
what it is for."""

import re
from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any, Final

from opgraph.declare.unsupported import NOT_YET

# What each parameter is for. A test holds these and the lists in `attributes` equal.
WORDS: Final[dict[str, str]] = {
    "name": "its name, by default the function's.",
    "ins": "an `AssetIn` or key by argument, where its name does not say which asset it is.",
    "deps": "upstream assets that are no arguments: keys, specs or definitions.",
    "description": "for people, Markdown; by default the docstring.",
    "config_schema": "what its configuration must look like, as Python types; a parameter `config` says more.",
    "required_resource_keys": "the resources that it uses, as `context.resources.<key>`.",
    "resource_defs": "objects by resource key that it brings with it.",
    "hooks": "what is called when its steps end.",
    "partitions_def": "its partitions.",
    "op_tags": "labels of its steps.",
    "group_name": "the group that it is shown in.",
    "backfill_policy": "how many partitions a run makes.",
    "retry_policy": "how often a failed step is tried again.",
    "code_version": "stands for the code: a new one means a new value.",
    "check_specs": "the checks that its function makes.",
    "compute_kind": "the old name of a single entry of `kinds`.",
    "pool": "the pool whose limit holds for its steps.",
    "key": 'its key, as `"a/b"` or a list of parts; not together with `name` or `key_prefix`.',
    "key_prefix": "what stands before the name in the key.",
    "memoize": "whether stored values are reused while code, configuration and inputs are the same.",
    "metadata": "facts for people and for the I/O manager.",
    "tags": "labels of the asset.",
    "owners": "e-mail addresses, or `team:name`.",
    "kinds": "what it is (`table`, `duckdb`): at most three.",
    "io_manager_def": "the I/O manager that stores it, itself; not together with `io_manager_key`.",
    "io_manager_key": "the resource that stores it, by default `io_manager`.",
    "dagster_type": "the type of its value.",
    "output_required": "False where the function may end without making it.",
    "automation_condition": "when it is made by itself.",
    "freshness_policy": "how old it may become.",
    "is_virtual": "whether it has no value of its own.",
    "outs": "an `AssetOut` by output, where I/O managers store the values.",
    "specs": "an `AssetSpec` for each asset, where the function stores the values itself.",
    "internal_asset_deps": "by output, the keys that it depends on, where it is not all that comes in.",
    "can_subset": 'whether a part of the assets may be asked for; "auto": where that is safe.',
    "config": "what its ops are configured with: a dict, a RunConfig, or a ConfigMapping.",
    "keys_by_input_name": "the asset that an input is, by default the one of its name.",
    "keys_by_output_name": "the key of the asset that an output is, by default its name.",
    "group_names_by_output_name": "groups by output.",
    "descriptions_by_output_name": "descriptions by output.",
    "metadata_by_output_name": "metadata by output.",
    "tags_by_output_name": "labels by output.",
    "owners_by_output_name": "owners by output.",
    "code_versions_by_output_name": "code versions by output.",
    "automation_conditions_by_output_name": "automation conditions by output.",
    "partition_mappings": "which partitions an input is made from.",
    "hook_defs": "what is called when its steps end.",
}
_DEFAULTS: Final[dict[str, object]] = {"can_subset": False, "is_virtual": False, "output_required": True}
# What a docstring says instead of them: the indent of `**attributes`, and all up to the next empty line.
_LEFT_OUT: Final = re.compile(r"^( *)\*\*attributes:.*?(?=\n\s*\n)", re.MULTILINE | re.DOTALL)


def list_parameters(owner: str, function: Callable[..., Any], known: type) -> None:
    """Make a function that takes `**attributes` show them one by one, in its signature and its docstring.

    Args:
        owner: what it is called where something is not supported yet.
        function: the function.
        known: the TypedDict of what it takes.
    """
    own = [each for each in signature(function).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    names = known.__annotations__
    told = (
        Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=annotation)
        for name, annotation in names.items()
    )
    setattr(  # noqa: B010 - type checkers know of no signatures of functions
        function, "__signature__", Signature([*own, *told], return_annotation=function.__annotations__["return"])
    )
    lines = [f"{name}: {'not supported yet.' if name in NOT_YET[owner] else WORDS[name]}" for name in names]
    if function.__doc__:  # `python -OO` leaves none
        function.__doc__ = _LEFT_OUT.sub(
            lambda found: "\n".join(found[1] + line for line in lines), function.__doc__, count=1
        )
