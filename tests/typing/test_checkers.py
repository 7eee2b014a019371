"""What type checkers say of users' code."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAYS = re.compile(r"\s*# (pyright|mypy) says: (.*)")
STRICT, PLAIN = ("good.py", "bad.py"), ("untyped.py",)


def expected(checker):
    """By file and line, what a checker is to say."""
    found = {}
    for name in STRICT + PLAIN:
        waiting = []
        for number, line in enumerate((HERE / name).read_text(encoding="utf-8").splitlines(), 1):
            says = SAYS.match(line)
            if says:
                waiting += [says[2]] if says[1] == checker else []
            elif waiting:
                found[name, number] = waiting
                waiting = []
    return found


def compare(checker, said):
    """What was said that nobody expected, and what was expected and not said."""
    wanted = expected(checker)
    unexpected = [f"{at}: {texts}" for at, texts in said.items() if at not in wanted]
    unsaid = [
        f"{at}: {text!r} is not in {said.get(at)}"
        for at, texts in wanted.items()
        for text in texts
        if not any(text in each for each in said.get(at, ()))
    ]
    assert unexpected + unsaid == []


def pyright(folder, mode, names):
    """What pyright says of copies of these files."""
    config = {
        "typeCheckingMode": mode,
        "pythonVersion": "3.11",
        "reportUnusedExpression": False,
        "reportUnusedVariable": False,
        "reportUnknownVariableType": mode == "strict" and names == ("good.py",),
    }
    folder.mkdir()
    for name in names:
        shutil.copy(HERE / name, folder)
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    command = ["pyright", "-p", str(folder), "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    said = {}
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        if "decorator" not in each["message"]:  # "Untyped function decorator": follows from the one before it
            at = Path(each["file"]).name, each["range"]["start"]["line"] + 1
            said.setdefault(at, []).append(each["message"].replace("\u00a0", " "))
    return said


def mypy(folder, names, *options):
    """What mypy says of these files."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        *options,
        "--cache-dir",
        str(folder),
        "--no-pretty",
        "--show-column-numbers",
    ]
    done = subprocess.run([*command, *names], cwd=HERE, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    said = {}
    for line in done.stdout.splitlines():
        found = re.match(r"(\w+\.py):(\d+):\d+: error: (.*)", line)
        follows = re.search(r"Untyped decorator|Returning Any", line)  # from the error before it
        if found and not follows:
            said.setdefault((found[1], int(found[2])), []).append(found[3])
    return said


def test_pyright(tmp_path):
    """Strict pyright finds nothing in what users write, the mistakes on their lines, and nothing in untyped code."""
    said = pyright(tmp_path / "good", "strict", ("good.py",)) | pyright(tmp_path / "bad", "strict", ("bad.py",))
    compare("pyright", said | pyright(tmp_path / "plain", "standard", PLAIN))


def test_mypy(tmp_path_factory):
    """Strict mypy finds nothing in what users write, the mistakes on their lines, and nothing in untyped code."""
    folder = tmp_path_factory.mktemp("mypy")
    compare("mypy", mypy(folder, STRICT, "--strict") | mypy(folder, PLAIN, "--check-untyped-defs"))


def test_the_good_examples_run():
    """Dagster #28342, #33251: what type checkers accept here is also what runs: `from __future__ import annotations`
    included."""
    done = subprocess.run(
        [sys.executable, "good.py"], cwd=HERE, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["nothing of the kind"])
def test_an_expectation_that_is_not_met_is_found(text):
    """A message that no checker gives is a difference."""
    with pytest.raises(AssertionError):
        compare("pyright", {("bad.py", 1): [text]})
