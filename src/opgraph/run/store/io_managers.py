"""I/O managers as classes with settings, and the contexts that tests hand to any I/O manager."""

from typing import Any

from opgraph.declare.settings.configurable import ConfigurableResource
from opgraph.values.manager import IOManager


class ConfigurableIOManager(ConfigurableResource[Any], IOManager):
    """An I/O manager as a class: subclass it, with a field for each setting, `handle_output` and `load_input`.

    It is a ConfigurableResource: fields may be `EnvVar`s and other resources, and it may set itself up once a run.

    Example:
        >>> class Texts(ConfigurableIOManager):
        ...     folder: str
        ...
        ...     def handle_output(self, context, obj):
        ...         Path(self.folder, "-".join(context.get_identifier())).write_text(obj)
        ...
        ...     def load_input(self, context):
        ...         return Path(self.folder, "-".join(context.get_identifier())).read_text()
        >>> defs = Definitions(assets=[text], resources={"io_manager": Texts(folder="texts")})
    """
