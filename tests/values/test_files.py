"""Files that are written once."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from opgraph.values.codec import checksum
from opgraph.values.files import FileStore
from opgraph.values.problems import ValueLostError, ValueNotWrittenError

HOSTILE = ["", "/"]
HOSTILE += ["..", "../../x", "a\0b", "x" * 300, "ünï/çödé" * 40, ".hidden", "-rf", "a b\n", "\ud800", "con:|?*", "."]


def read(files, location, data):
    return files.read(location, checksum(data), len(data))


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names(tmp_path, name):
    """Any run id, step, output or mapping key gives a file inside the root, two folders deep, with a harmless name."""
    files = FileStore(tmp_path / "root")
    location = files.write(b"data", name, name, "1", name, name)
    assert read(files, location, b"data") == b"data"
    assert location.isascii()
    assert location.isprintable()
    (made,) = [path for path in everything(tmp_path) if path.is_file()]
    assert made == tmp_path / "root" / location
    assert made.parent.parent == tmp_path / "root"


def test_same_parts_never_collide(tmp_path):
    """Two attempts with one name, or names that look alike once made safe, write two files."""
    files = FileStore(tmp_path)
    locations = [files.write(text.encode(), "run", name) for text in "ab" for name in ("a/b", "a\\b", "A/B")]
    assert len(set(locations)) == 6
    assert [read(files, location, data) for location, data in zip(locations, [b"a"] * 3 + [b"b"] * 3, strict=True)]


@pytest.mark.parametrize("durable", [False, True])
def test_modes(tmp_path, durable):
    """Files and folders belong to their owner alone, whatever the umask."""
    before = os.umask(0)
    try:
        FileStore(tmp_path / "a" / "b").write(b"x", "run", "out", durable=durable)
    finally:
        os.umask(before)
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in everything(tmp_path)}
    assert modes == {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
        (lambda path: path.write_bytes(b"\0" + path.read_bytes()[1:]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "damaged"),
        (lambda path: (path.unlink(), path.mkdir()), "damaged"),
        (lambda path: (path.unlink(), path.parent.rmdir(), path.parent.write_bytes(b"")), "missing"),
    ],
    ids=["gone", "empty", "torn", "flipped", "longer", "folder", "no folder"],
)
def test_harm_is_seen(tmp_path, harm, why):
    """A file that is gone, torn or changed is detected when it is read, and named."""
    files = FileStore(tmp_path)
    location = files.write(b"data" * 100, "run", "out")
    harm(tmp_path / location)
    with pytest.raises(ValueLostError, match=location) as caught:
        read(files, location, b"data" * 100)
    assert caught.value.why == why


@pytest.mark.parametrize("location", ["/etc/passwd", "../x", "a/../../x", "a", "", "a/b/c", "a/..", "a/\0"])
def test_locations_stay_inside(tmp_path, location):
    """A location that the store did not give is refused: it opens nothing outside the root."""
    with pytest.raises(ValueLostError):
        FileStore(tmp_path).read(location, "", 0)
    assert not FileStore(tmp_path).has(location, 0)


@pytest.mark.parametrize("durable", [False, True])
def test_full_disk(tmp_path, durable):
    """A write that the system cuts short says how much it was and where, and leaves no file and no folder."""
    program = f"""
import resource, signal, sys
from opgraph.values.files import FileStore
from opgraph.values.problems import ValueNotWrittenError
files = FileStore({str(tmp_path / "root")!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
files.write(b"fits", "before", "out")
try:
    files.write(b"x" * 5000, "run", "out", durable={durable})
except ValueNotWrittenError as error:
    assert isinstance(error.__cause__, OSError)
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "5000 bytes could not be written below" in done.stdout
    assert "File too large" in done.stdout
    assert [path.parent.name for path in everything(tmp_path) if path.is_file()] == ["before"]
    assert not (tmp_path / "root" / "run").exists()


def test_no_space_left(tmp_path):
    """When the file system is full, the value that was there is intact and nothing of the new one is."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        files = FileStore(small / "root")
        location = files.write(b"old", "run", "out")
        with pytest.raises(ValueNotWrittenError, match="No space left"):
            files.write(b"x" * 200_000, "run", "out")
        assert [path for path in everything(small) if path.is_file()] == [small / "root" / location]
        assert read(files, location, b"old") == b"old"
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_root_that_is_no_folder(tmp_path):
    """A root that is a file is an error that names it."""
    (tmp_path / "root").write_text("")
    with pytest.raises(ValueNotWrittenError, match="root"):
        FileStore(tmp_path / "root").write(b"x", "run", "out")


def test_a_relative_root(tmp_path, monkeypatch):
    """It is taken from the working folder of the moment, and stays there when an op goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    files = FileStore("kept/here")
    location = files.write(b"x", "run-1", "result", durable=True)
    monkeypatch.chdir("/")
    assert read(files, location, b"x") == b"x"
    assert [each.read_bytes() for each in (tmp_path / "kept" / "here").rglob("*") if each.is_file()] == [b"x"]


def test_folders_that_a_clean_up_took(tmp_path):
    """A writer that remembers a folder makes it again when it was cleaned up; removing the last file removes it."""
    files, other = FileStore(tmp_path), FileStore(tmp_path)
    location = files.write(b"1", "run", "out")
    other.remove(location)
    assert everything(tmp_path) == []
    assert read(files, files.write(b"2", "run", "out"), b"2") == b"2"


def test_writers_and_cleaners_at_once(tmp_path):
    """Threads that write and remove in one folder lose nothing and leave nothing half-written."""
    files, failed = FileStore(tmp_path), []

    def work():
        try:
            for n in range(200):
                data = str(n).encode()
                location = files.write(data, "run", "out")
                assert read(files, location, data) == data
                files.remove(location)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert everything(tmp_path) == []
