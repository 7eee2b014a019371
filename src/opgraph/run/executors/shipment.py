"""What another process needs to make the attempts of a run: the definitions, and the source of the project's modules.

Functions that can be imported go by name, all others with their code; each finds its globals in its own module, which
the other host makes from the source that is shipped. So both run the same code, and classes keep their names.
"""

import importlib
import importlib.util
import io
import marshal
import pickle
import sys
import sysconfig
import traceback
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import msgspec
from msgspec import Struct

from opgraph.declare.settings.secrets import remember
from opgraph.plan.code import function_hash
from opgraph.run.executors.mistakes import NotShippable
from opgraph.run.executors.wire import Ready
from opgraph.run.failure import error_info
from opgraph.run.step.attempt import Attempts

_OURS = __name__.partition(".")[0]


class Source(Struct, frozen=True, array_like=True):
    """A module of the project: its name, the file as the driver calls it, the folder of its submodules if it is a
    package, and its text."""

    name: str
    file: str
    folder: str
    text: bytes


class Shipment(Struct, frozen=True, array_like=True):
    """All that goes to a host, once a run.

    Attributes:
        version: of Python, `major.minor`: code does not travel from one to another.
        path: where the driver looks for modules.
        modules: the project's.
        attempts: pickled.
        storage: the folder of values.
        witness: a file in it, which proves that the host sees the same folder.
        secrets: text that must not be kept.
        codes: the hashes of the steps' functions, without values: a constant may be another in each process, as one
            that is set to the time or to a folder of the process's own.
    """

    version: str
    path: list[str]
    modules: list[Source]
    attempts: bytes
    storage: str
    witness: str
    secrets: Sequence[str]
    codes: list[str]


def python_version() -> str:
    """`3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def shipment_of(attempts: Attempts, storage: str, witness: str, secrets: Sequence[str] = ()) -> bytes:
    """A run, packed.

    Raises:
        NotShippable: something that its steps hold cannot be pickled.
    """
    try:
        data = _pickled((attempts, _classes_of_main()))
    except Exception as error:
        raise NotShippable(*_to_blame(attempts), error) from error
    path = [each for each in sys.path if each]
    shipment = Shipment(python_version(), path, _modules(), data, storage, witness, secrets, _codes(attempts))
    return msgspec.msgpack.encode(shipment)


def load(data: bytes) -> Attempts | Ready:
    """The attempts that were packed, in another process; or why they cannot be made there.

    The shipped modules can be imported from here on.
    """
    shipment = msgspec.msgpack.decode(data, type=Shipment)
    if shipment.version != python_version():
        return Ready(f"it has Python {python_version()}, and the run was started with {shipment.version}")
    if not (Path(shipment.storage) / shipment.witness).exists():
        return Ready(f"it does not see the folder of values, {shipment.storage}: share it between the hosts")
    for each in shipment.secrets:
        remember(each)
    try:
        attempts = _unpickled(shipment)
    except BaseException as error:  # noqa: BLE001 - user modules are loaded: whatever they raise, the driver is told
        traceback.print_exc()  # the whole story, in the worker's log
        info = error_info(error)
        where = next((f" ({each.file}:{each.line})" for each in reversed(info.frames) if each.own), "")
        return Ready(f"{info.told}{where}")
    attempts.said.key_of = attempts.key_of
    codes = zip(attempts.steps, _codes(attempts), shipment.codes, strict=True)
    changed = {bound.op.name for bound, here, there in codes if here != there}
    return Ready(f"it has other code of {', '.join(sorted(changed))}", sorted(changed)) if changed else attempts


def _codes(attempts: Attempts) -> list[str]:
    found = {bound.op.body.fn: "" for bound in attempts.steps}
    for fn in found:
        found[fn] = function_hash(fn, values=False)
    return [found[bound.op.body.fn] for bound in attempts.steps]


# -- pickling -----------------------------------------------------------------------


def _pickled(value: Any) -> bytes:
    pickler: Any = pickle.Pickler  # does without what the main file or a notebook defines
    if find_spec("cloudpickle") is not None:
        import cloudpickle  # comes with the extra `dask`; it has no types

        pickler = cloudpickle.Pickler

    class Packer(pickler):
        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is FunctionType and _has_module(obj) and not _is_found(obj):
                return _reduced(obj)
            if pickler is not pickle.Pickler:
                return pickler.reducer_override(self, obj)
            if type(obj) is CodeType:
                return marshal.loads, (marshal.dumps(obj),)
            return (importlib.import_module, (obj.__name__,)) if type(obj) is ModuleType else NotImplemented

    out = io.BytesIO()
    packer: Any = Packer(out, 5)
    packer.dump(value)
    return out.getvalue()


def _classes_of_main() -> dict[str, type]:
    """Classes of a script or notebook: values of them are stored by the class's name."""
    found = {name: each for name, each in vars(sys.modules["__main__"]).items() if isinstance(each, type)}
    return {name: each for name, each in found.items() if each.__module__ == "__main__" and _goes(each)}


def _to_blame(attempts: Attempts) -> tuple[str, str]:
    """The part that cannot be pickled, in the user's words, and where it is."""
    for bound in attempts.steps:
        for what in (bound.op.body.fn, bound.constants):
            if not _goes(what):
                return f"the function of op `{bound.op.name}`", str(bound.op.source or "")
    resources: Mapping[str, Any] = attempts.shelf.given
    for key, given in resources.items():
        if not _goes(given):
            return f"resource `{key}`", ""
    return "a definition", ""


def _goes(value: Any) -> bool:
    try:
        _pickled(value)
    except Exception:  # noqa: BLE001 - whatever a user's object raises when it is pickled
        return False
    return True


def _has_module(fn: FunctionType) -> bool:
    module = sys.modules.get(fn.__module__ or "")
    return module is not None and fn.__module__ != "__main__" and fn.__globals__ is vars(module)


def _is_found(fn: FunctionType) -> bool:
    """Whether a function is what its module has under its name: a decorated one is not."""
    found: Any = sys.modules[fn.__module__]
    for name in fn.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is fn


_State = tuple[str, Any, Any, dict[str, Any], dict[str, Any], str | None, tuple[tuple[Any, ...], ...]]


def _reduced(fn: FunctionType) -> tuple[Any, ...]:
    cells = fn.__closure__ or ()
    state: _State = (
        fn.__qualname__,
        fn.__defaults__,
        fn.__kwdefaults__,
        fn.__annotations__,
        vars(fn),
        fn.__doc__,
        tuple(_inside(cell) for cell in cells),
    )
    # Names that no source can define are put into a module by who loads it: pytest does so for its assertions.
    added = {
        name: found.__name__
        for name in fn.__code__.co_names
        if not name.isidentifier() and isinstance(found := fn.__globals__.get(name), ModuleType)
    }
    # The state comes later: a function may be found in its own closure.
    return _function, (fn.__code__, fn.__module__, fn.__name__, len(cells), added), state, None, None, _fill


def _inside(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _function(code: CodeType, module: str, name: str, cells: int, added: Mapping[str, str]) -> FunctionType:
    names = vars(importlib.import_module(module))
    for each, other in added.items():
        names.setdefault(each, importlib.import_module(other))
    return FunctionType(code, names, name, None, tuple(CellType() for _ in range(cells)))


def _fill(fn: FunctionType, state: _State) -> None:
    fn.__qualname__, fn.__defaults__, fn.__kwdefaults__, fn.__annotations__, own, fn.__doc__, cells = state
    vars(fn).update(own)
    for cell, inside in zip(fn.__closure__ or (), cells, strict=True):
        if inside:
            cell.cell_contents = inside[0]


# -- modules ------------------------------------------------------------------------


def _modules() -> list[Source]:
    """The modules that this process has loaded and that no library or package index brought."""
    installed = tuple({*sysconfig.get_paths().values(), str(Path(sys.prefix).resolve())})
    found: list[Source] = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in (_OURS, "__main__", "__mp_main__") or not isinstance(file, str):
            continue
        if not file.endswith(".py") or file.startswith(installed) or "site-packages" in file:
            continue
        try:
            text = Path(file).read_bytes()
        except OSError:  # it is gone, or inside an archive: the other host must have it
            continue
        folder = str(Path(file).parent) if hasattr(module, "__path__") else ""
        found.append(Source(name, file, folder, text))
    return found


class _Shipped(MetaPathFinder):
    """Finds the modules that were shipped, before any that happen to be on the host."""

    def __init__(self, modules: Mapping[str, Source]) -> None:
        self.modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder`."""
        del path, target
        source = self.modules.get(fullname)
        if source is None:
            return None
        spec = ModuleSpec(fullname, _Loader(source), origin=source.file, is_package=bool(source.folder))
        spec.has_location = True
        if source.folder:
            spec.submodule_search_locations = [source.folder]
        return spec


class _Around(MetaPathFinder):
    """Finds the packages around shipped modules, where nothing else does."""

    def __init__(self, shipped: _Shipped) -> None:
        self._names = {name.rpartition(".")[0] for name in shipped.modules}
        self._names |= {name[:at] for name in self._names for at, char in enumerate(name) if char == "."}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder`."""
        del path, target
        return ModuleSpec(fullname, None, is_package=True) if fullname in self._names else None


class _Loader(InspectLoader):
    def __init__(self, source: Source) -> None:
        self._source = source

    def get_source(self, fullname: str) -> str:
        """The text, for tracebacks too: the host may not have the file."""
        del fullname
        return importlib.util.decode_source(self._source.text)

    def get_code(self, fullname: str) -> CodeType:
        """Compiled under the name that the driver's file has."""
        del fullname
        return compile(self._source.text, self._source.file, "exec", dont_inherit=True)

    def is_package(self, fullname: str) -> bool:
        """See `InspectLoader`."""
        del fullname
        return bool(self._source.folder)


def _unpickled(shipment: Shipment) -> Attempts:
    sys.path += [each for each in shipment.path if each not in sys.path]
    shipped = _Shipped({each.name: each for each in shipment.modules})
    sys.meta_path.insert(0, shipped)
    sys.meta_path.append(_Around(shipped))
    made, classes = pickle.loads(shipment.attempts)
    assert isinstance(made, Attempts)
    _mains.append(sys.modules["__main__"])
    sys.modules["__main__"] = main = ModuleType("__main__")
    vars(main).update(classes)
    return made


_mains: list[ModuleType] = []  # the one that runs must not be collected
