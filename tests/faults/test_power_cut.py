"""The power goes in the middle of a run, and any part of what was not synced is lost (R2).

A child makes the run and notes what it writes: files and folders at the functions of `os`, and what SQLite appends to
its log between two statements. SQLite's own word is taken for one thing: that a commit under `synchronous = full` syncs
the log. From the notes any state is made that a disk may be in after a cut: what was synced is there, and of the rest
each piece is there, or not, or torn.
"""

import json
import os
import shutil
import sqlite3
import warnings
from pathlib import Path
from random import Random

import pytest

from opgraph import AssetOut, Definitions, graph_multi_asset, op
from opgraph.events import StepSucceeded
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.run.instance import Instance
from opgraph.values.problems import ValueLostError

STATES = 2_000 if os.environ.get("OPGRAPH_SOAK") else 200
PARTS = 2
WIDE = 80_000  # bytes: more than is kept inline, as is its half
SECTOR = 512
HERE: dict[str, Path] = {}


@op
def read():
    return int((HERE["folder"] / "version").read_text())


@op
def widen(version):
    return bytes([version]) * WIDE


@op
def half(wide):
    return wide[: WIDE // 2]


@op
def conclude(table):
    return {"size": len(table), "version": table[0]}


@graph_multi_asset(outs={"table": AssetOut(), "report": AssetOut()})
def both():
    table = half(widen(read()))
    return {"table": table, "report": conclude(table)}


DEFS = Definitions(assets=[both])


def expected(version):
    return {"table": bytes([version]) * (WIDE // 2), "report": {"size": WIDE // 2, "version": version}}


class Notes:
    """Of everything that this process writes below a home, in order."""

    def __init__(self, home):
        self.home = str(home)
        self.wal = home / "record.db-wal"
        self.seen = 0  # bytes of SQLite's log
        self.full = self.committing = False
        self.paths: dict[int, str] = {}
        self.events: list[list[object]] = []

    def install(self):
        for name in ("open", "write", "fsync", "rename", "mkdir", "unlink", "rmdir"):
            setattr(os, name, getattr(self, name)(getattr(os, name)))
        connect = sqlite3.connect

        def connected(*args, **options):
            connection = connect(*args, **options)
            connection.set_trace_callback(self.statement)
            return connection

        sqlite3.connect = connected

    def note(self, *event):
        if str(event[1]).startswith(self.home):
            self.events.append([event[0], os.path.relpath(event[1], self.home), *event[2:]])

    def open(self, call):
        def function(path, flags, *args, **options):
            descriptor = call(path, flags, *args, **options)
            self.paths[descriptor] = os.fspath(path)
            if flags & os.O_CREAT:
                self.note("create", path)
            return descriptor

        return function

    def write(self, call):
        def function(descriptor, data):
            written = call(descriptor, data)
            self.note("write", self.paths.get(descriptor, ""), bytes(data[:written]).hex())
            return written

        return function

    def fsync(self, call):
        def function(descriptor):
            call(descriptor)
            self.note("fsync", self.paths[descriptor])

        return function

    def rename(self, call):
        def function(old, new):
            call(old, new)
            self.note("rename", old, os.path.relpath(new, self.home))

        return function

    def mkdir(self, call):
        def function(path, *args, **options):
            call(path, *args, **options)
            self.note("mkdir", path)

        return function

    def unlink(self, call):
        def function(path, *args, **options):
            call(path, *args, **options)
            self.note("unlink", path)

        return function

    rmdir = unlink

    def statement(self, text):
        self.look()
        text = text.lower()
        if "synchronous" in text:
            self.full = "full" in text
        self.committing = text.startswith("commit")

    def look(self):
        """What the statement before this one has appended to SQLite's log."""
        data = self.wal.read_bytes()[self.seen :] if self.wal.exists() else b""
        if data:
            self.events.append(["log", "record.db-wal", data.hex()])
            self.seen += len(data)
        if self.committing and self.full:
            self.events.append(["logsync", "record.db-wal"])
        self.committing = False


def noted(folder):
    """What one run writes, in a child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        try:
            notes = Notes(folder / "home")
            notes.install()
            instance = Instance(folder / "home")
            materialize(DEFS, instance=instance, listeners=[lambda _, fact: told(notes, fact)])
            notes.look()
            (folder / "events").write_text(json.dumps(notes.events))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return json.loads((folder / "events").read_text())


def told(notes, fact):
    """Whoever listens knows now that these assets are stored."""
    if isinstance(fact, StepSucceeded):
        notes.look()
        notes.events += [["told", stored.asset] for stored in fact.outputs if stored.asset]


class Disk:
    """What may be left of some events after a power cut."""

    def __init__(self, events, random):
        self.random = random
        self.data: dict[str, bytes] = {}  # by the name under which a file was made
        self.synced: dict[str, int] = {}  # bytes of it
        self.named: dict[str, list[tuple[str, bool]]] = {}  # the names that it had, and whether that is sure
        self.folders: dict[str, bool] = {}
        self.now: dict[str, str] = {}  # by today's name
        self.wal, self.sure = b"", 0
        for kind, path, *more in events:
            getattr(self, kind)(path, *more)

    def create(self, path):
        self.now[path] = path
        self.data[path], self.synced[path], self.named[path] = b"", 0, [(path, False)]

    def write(self, path, data):
        self.data[self.now[path]] += bytes.fromhex(data)

    def fsync(self, path):
        if path in self.now:
            self.synced[self.now[path]] = len(self.data[self.now[path]])
            return
        self.folders = {name: sure or str(Path(name).parent) == path for name, sure in self.folders.items()}
        for names in self.named.values():
            if str(Path(names[-1][0]).parent) == path:
                names[:] = [(names[-1][0], True)]

    def rename(self, old, new):
        self.now[new] = self.now.pop(old)
        self.named[self.now[new]].append((new, False))

    def mkdir(self, path):
        self.folders[path] = False

    def unlink(self, path):
        made = self.now.pop(path, None)
        if made is not None:
            self.named[made].append(("", False))
        self.folders.pop(path, None)

    def log(self, _path, data):
        self.wal += bytes.fromhex(data)

    def logsync(self, _path):
        self.sure = len(self.wal)

    def told(self, _asset):
        """Nothing is written."""

    def leave(self, home):
        """Make one state of many below a copy of what was there before."""
        chance = self.random.random
        for folder, sure in self.folders.items():
            if (sure or chance() < 0.5) and (home / folder).parent.is_dir():
                (home / folder).mkdir()
        for made, names in self.named.items():
            certain = [name for name, sure in names if sure]
            name = self.random.choice([*([""] if not certain else []), *(name for name, _ in names)])
            if name and (home / name).parent.is_dir():
                (home / name).write_bytes(self.torn(self.data[made], self.synced[made]))
        left = self.torn(self.wal, self.sure)
        if left:
            (home / "record.db-wal").write_bytes(left)

    def torn(self, data, sure):
        """The bytes that are sure to be there, and of the others some, or others."""
        rest, how = data[sure:], self.random.random()
        if how < 0.3:
            rest = b""
        elif how < 0.5:
            rest = rest[: self.random.randint(0, len(rest))]
        elif how < 0.8:
            sectors = [rest[i : i + SECTOR] for i in range(0, len(rest), SECTOR)]
            rest = b"".join(bytes(len(each)) if self.random.random() < 0.3 else each for each in sectors)
        return data[:sure] + rest


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A home that holds version 1 of both assets, and what a run that makes version 2 writes there."""
    folder = tmp_path_factory.mktemp("power")
    HERE["folder"] = folder / "first"
    HERE["folder"].mkdir()
    (folder / "first" / "version").write_text("1")
    with Instance(folder / "first" / "home") as instance:
        materialize(DEFS, instance=instance)
    (folder / "first" / "version").write_text("2")
    shutil.copytree(folder / "first", folder / "again")
    HERE["folder"] = folder / "again"
    return folder / "first", noted(folder / "again")


@pytest.mark.figure("R2")
@pytest.mark.timeout(1200 if STATES > 1_000 else 120)
@pytest.mark.parametrize("part", range(PARTS))
def test_after_a_power_cut_no_asset_is_lost(tmp_path, first, counted, part):
    """Whatever was not synced: an asset that anybody was told of is there, no value is torn, the older values stay, and
    the run is resumed, making again the intermediates that are gone."""
    before, events = first
    HERE["folder"] = tmp_path
    (tmp_path / "version").write_text("2")
    home, lost, kept = tmp_path / "home", 0, 0
    for number in range(STATES // PARTS):
        random = Random(f"{part} {number}")
        at = random.randint(1, len(events))
        shutil.copytree(before / "home", home, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
        Disk(events[:at], random).leave(home)
        known = {path for kind, path, *_ in events[:at] if kind == "told"}
        try:
            with Instance(home) as instance:
                rows = instance.record.runs()
                for asset in ("table", "report"):
                    value = load_asset_value(DEFS, asset, instance=instance)
                    assert value == expected(2)[asset] or (asset not in known and value == expected(1)[asset])
                    kept += asset in known
                if len(rows) == 2 and instance.record.run(rows[0].run_id).status.is_final is False:
                    lost += intermediates_lost(instance, rows[0].run_id)
                    outcome = resume(DEFS, rows[0].run_id, instance=instance)
                    assert (outcome.resumed, outcome.success) == ("same", True)
                elif len(rows) == 1:
                    assert materialize(DEFS, instance=instance).success
                for asset in ("table", "report"):
                    assert load_asset_value(DEFS, asset, instance=instance) == expected(2)[asset]
                    old = load_asset_value(DEFS, asset, instance=instance, run_id=rows[-1].run_id)
                    assert old == expected(1)[asset]
        except BaseException as error:
            error.add_note(f"state {part} {number}, cut after {at} of {len(events)}: {events[at - 1][:2]}")
            raise
        shutil.rmtree(home)
    assert lost, "the states are such that intermediates are lost"
    assert kept
    counted(STATES // PARTS)


def intermediates_lost(instance, run_id):
    """How many recorded intermediates are gone; those that are there are whole."""
    lost = 0
    for seq, fact in instance.record.facts(run_id):
        for stored in fact.outputs if isinstance(fact, StepSucceeded) else ():
            if stored.asset is None:
                try:
                    value = instance.intermediates.get(stored, instance.record.value(run_id, seq))
                    assert value in (2, bytes([2]) * WIDE)
                except ValueLostError:
                    lost += 1
    return lost
