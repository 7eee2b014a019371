"""Names of Dagster's that opgraph does without: who asks for one is told what to write instead."""

from opgraph.errors import Error, Mistake

_INSTEAD: dict[str, tuple[str, ...]] = {
    "write plain Python types, as `config_schema={'path': str}`, or a `Config` class, whose fields have defaults": (
        "Array",
        "BoolSource",
        "ConfigSchema",
        "EnumValue",
        "Field",
        "IntSource",
        "Map",
        "Noneable",
        "Permissive",
        "Selector",
        "Shape",
        "StringSource",
        "config_from_files",
        "config_from_pkg_resources",
        "config_from_yaml_strings",
        "configured",
    ),
    "annotate with the Python class itself, and check values in the op": (
        "DagsterType",
        "DagsterTypeLoader",
        "PythonObjectDagsterType",
        "TypeCheck",
        "check_dagster_type",
        "dagster_type_loader",
        "make_python_type_usable_as_dagster_type",
        "usable_as_dagster_type",
    ),
    "gather everything in `Definitions`": ("RepositoryData", "RepositoryDefinition", "repository"),
    "use `context.log` and Python's `logging`, whose handlers get what steps log": (
        "DagsterLogManager",
        "InitLoggerContext",
        "JsonLogFormatter",
        "LoggerDefinition",
        "build_init_logger_context",
        "colored_console_logger",
        "json_console_logger",
    ),
    "write it as a function that returns `Definitions`, with `@definitions` and `load_from_defs_folder`": (
        "Component",
        "ComponentLoadContext",
        "ComponentTree",
        "ComponentTypeSpec",
        "DefsFolderComponent",
        "Model",
        "Resolvable",
        "Resolver",
        "ResolvedAssetSpec",
        "build_component_defs",
        "build_defs_for_component",
        "component_defs",
        "load_defs",
    ),
    "start the process in the op, with `subprocess`; what it prints is kept with the step": (
        "PipesClient",
        "PipesClientCompletedInvocation",
        "PipesContextInjector",
        "PipesEnvContextInjector",
        "PipesExecutionResult",
        "PipesFileContextInjector",
        "PipesFileMessageReader",
        "PipesMessageReader",
        "PipesSession",
        "PipesSubprocessClient",
        "PipesTempFileContextInjector",
        "PipesTempFileMessageReader",
        "open_pipes_session",
    ),
    "leave it out: every definition knows its file and line, and `opgraph show ASSET` and the web UI tell them": (
        "AnchorBasedFilePathMapping",
        "link_code_references_to_git",
        "with_source_code_references",
    ),
}
INSTEAD: dict[str, str] = {name: remedy for remedy, names in _INSTEAD.items() for name in names}


class NotPlanned(Mistake, ImportError):
    """A name of Dagster's was imported that opgraph does without."""

    missing: str
    remedy: str
    says = "opgraph does without `{missing}`"
    mend = "{remedy}"
    at_caller = True


class NotPlannedName(Mistake, AttributeError):
    """The same, of a name that is asked for without `from opgraph import`: `hasattr` says that it is not there."""

    missing: str
    remedy: str
    says = NotPlanned.says
    mend = NotPlanned.mend
    at_caller = True


def refusal(name: str, *, imported: bool) -> Error | None:
    """What tells what to write instead of a name; None: it is none of these."""
    if name not in INSTEAD:
        return None
    return (NotPlanned if imported else NotPlannedName)(name, INSTEAD[name])
