"""The disk is full, or fails, at any write of a run (R12)."""

import errno
import json
import os
import resource
import shutil
import signal
import sqlite3
from random import Random

import pytest
from report import DEFS, expected
from seam import UNLIMITED, Seam, in_child

from opgraph.errors import Error
from opgraph.operate.api import load_asset_value
from opgraph.operate.execute import materialize, resume
from opgraph.run.instance import Instance

SOAK = bool(os.environ.get("OPGRAPH_SOAK"))
POINTS = 1_000 if SOAK else 60
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


class Failing(Seam):
    """Fails at one write, or from there on. A write of SQLite's own hits the limit of a file's size, after some bytes.

    Args:
        lasting: whether all later ones fail too.
    """

    def __init__(self, home, at, how, error, *, lasting):
        super().__init__(home, at, how)
        self.error, self.lasting = error, lasting

    def watched(self, name, call):
        def function(*args, **options):
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR):
                return call(*args, **options)
            if self.arrive(f"os.{name}") and name not in ("unlink", "rmdir"):
                if name == "write":
                    call(args[0], args[1][: len(args[1]) // 2])
                raise OSError(self.error, os.strerror(self.error))
            return call(*args, **options)

        return function

    def statement(self, text):
        if text.split(None, 1)[0].lower() == "select":
            return
        resource.setrlimit(resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        if self.arrive("sql"):
            self.limit(self.database.with_name("record.db-wal"), self.how)

    def arrive(self, point):
        number = len(self.points)
        self.points.append(point)
        return number == self.at or (self.lasting and self.at >= 0 and number > self.at)


def attempt(folder, seam):
    """What the child saw: how the run ended, or the error that was raised."""

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        seam.install()
        told = ""
        try:
            instance = Instance(folder / "home")
            try:
                told = materialize(DEFS, instance=instance).status.value
            finally:
                instance.close()
        except Error as error:
            told = f"{type(error).__name__}: {error}"
        except (OSError, sqlite3.Error) as error:
            told = f"raw {type(error).__name__}: {error}"
        seam.at, seam.lasting = -1, False
        resource.setrlimit(resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        (folder / "told").write_text(json.dumps([told, seam.points]))

    in_child(folder, work)
    return json.loads((folder / "told").read_text())


@pytest.mark.figure("R12")
@pytest.mark.timeout(3600 if SOAK else 110)
def test_a_disk_that_is_full_or_fails_costs_one_run(folders, counted):
    """At random writes, once or from there on: the run fails or an error of ours says so, the older value is whole, no
    half-written file is left, and once there is room the run is resumed."""
    folder = folders()
    told, points = attempt(folder, Failing(folder / "home", -1, 0, 0, lasting=False))
    assert told == "SUCCESS"
    random, seen = Random(12), {"SUCCESS": 0, "FAILURE": 0, "raised": 0}
    for _ in range(POINTS):
        folder = folders()
        at, lasting, error = random.randrange(len(points)), random.random() < 0.5, random.choice(ERRORS)
        size = random.choice([0, 0, 1, 900, 2048, 5000])
        told, _ = attempt(folder, Failing(folder / "home", at, size, error, lasting=lasting))
        try:
            assert not told.startswith("raw"), told
            if told not in seen:
                assert any(word in told for word in ("record", "space", "disk", "error", "quota", "written")), told
            seen[told if told in seen else "raised"] += 1
            check(folder)
        except BaseException as problem:
            problem.add_note(f"at {at} ({points[at]}), size {size}, {errno.errorcode[error]}, {lasting=}, told {told}")
            raise
        shutil.rmtree(folder)
    assert seen["FAILURE"]
    assert seen["raised"]
    counted(POINTS)


def check(folder):
    with Instance(folder / "home") as instance:
        rows = instance.record.runs()
        value = load_asset_value(DEFS, "report", instance=instance)
        assert value in (expected(1)["report.conclude"], expected(2)["report.conclude"])
        old = load_asset_value(DEFS, "report", instance=instance, run_id=rows[-1].run_id)
        assert old == expected(1)["report.conclude"]
        if len(rows) == 1:
            assert materialize(DEFS, instance=instance).success
        elif instance.record.run(rows[0].run_id).status.value != "SUCCESS":
            assert resume(DEFS, rows[0].run_id, instance=instance).success
        assert load_asset_value(DEFS, "report", instance=instance) == expected(2)["report.conclude"]
    assert not list((folder / "home").rglob("*.part"))
