"""The command line as a person uses it: the real program in a directory of its own."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OPGRAPH = Path(sys.executable).parent / "opgraph"

SLOW = """\
import os, time
from opgraph import asset, graph_asset, op

@asset
def numbers():
    return [1, 2, 3]

@op
def double(rows):
    return [2 * row for row in rows]

@op
def wait(rows):
    print("in wait", flush=True)
    if os.environ.get("KILL"):
        os.kill(os.getpid(), 9)
    until = time.monotonic() + (60 if os.environ.get("SLOW") else 0.3)
    while time.monotonic() < until:
        time.sleep(0.01)
    if os.environ.get("FAIL"):
        raise ValueError("not this time")
    return rows

@op
def total(rows):
    return sum(rows)

@graph_asset
def sums(numbers):
    return total(wait(double(numbers)))
"""


@pytest.fixture
def opgraph(tmp_path):
    """Runs the program in the test's directory."""

    def run(*words, code=0, **environment):
        done = subprocess.run(
            [OPGRAPH, *map(str, words)],
            cwd=tmp_path,
            env=environment_of(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    (tmp_path / "pyproject.toml").write_text('[tool.opgraph]\nfile = "flow.py"\n')
    (tmp_path / "flow.py").write_text(SLOW)
    return run


def environment_of(more):
    kept = {name: value for name, value in os.environ.items() if name not in ("OPGRAPH_HOME", "NO_COLOR")}
    return {**kept, "TERM": "xterm-256color", **more}


class Terminal:
    """The program on a terminal of its own, 100 by 24."""

    def __init__(self, folder, *words, **environment):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(OPGRAPH, [str(OPGRAPH), *words], environment_of({"COLUMNS": "100", "LINES": "24", **environment}))

    def read_until(self, pattern="", seconds=60):
        """Everything until a text comes, or the end."""
        deadline = time.monotonic() + seconds
        while not (pattern and re.search(pattern, self.text)):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"nothing more came, and no {pattern!r}: {self.text}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # Linux says so when the other end has closed
                data = b""
            if not data:
                break
            self.text += data.decode(errors="replace")
        return self.text

    def type(self, keys):
        os.write(self.fd, keys)

    def code(self):
        """The exit code, when the program has ended."""
        self.read_until()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def plainly(text):
    """What was written, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def runs(opgraph):
    return json.loads(opgraph("runs", "--json"))


def test_a_new_project_runs_at_once(tmp_path, opgraph):
    """`opgraph init` makes a project that lists, plans, runs, shows its value and passes its own tests."""
    folder = tmp_path / "shop"
    opgraph("init", "shop")
    done = [
        subprocess.run(
            [OPGRAPH, *words], cwd=folder, env=environment_of({}), capture_output=True, text=True, check=True
        ).stdout
        for words in (["list"], ["plan"], ["materialize"], ["show", "best_customers", "--value"], ["lineage", "orders"])
    ]
    assert "2 assets materialized" in done[2]
    assert done[3] == "[('ada', 42), ('cyd', 25)]\n"
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder],
        cwd=folder,
        env=environment_of({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in tests.stdout, tests.stdout


def test_a_directory_with_something_in_it_is_left_alone(tmp_path, opgraph):
    """`opgraph init` refuses, names what is in the way, and changes nothing."""
    before = sorted(tmp_path.iterdir())
    done = subprocess.run([OPGRAPH, "init"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "flow.py, pyproject.toml" in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_fail_fix_resume(tmp_path, opgraph):
    """A run fails, its message gives a command, and that command runs only what is left."""
    text = opgraph("materialize", code=1, FAIL="1")
    words = next(line for line in text.splitlines() if "opgraph resume" in line).split()
    opgraph(*words[1:])
    last = runs(opgraph)[0]
    counts = json.loads(opgraph("show", last["run_id"], "--json"))["counts"]
    assert (last["status"], counts) == ("SUCCESS", {"succeeded": 2, "reused": 2})
    assert opgraph("show", "sums", "--value") == "12\n"


def test_a_killed_run_is_noticed_and_goes_on_under_its_id(opgraph):
    """After `kill -9` the run is dead at once, nothing seems to go on, and `resume` takes up the same run."""
    opgraph("materialize", code=-signal.SIGKILL, KILL="1")
    (dead,) = runs(opgraph)
    assert dead["status"] == "DIED"
    counts = json.loads(opgraph("show", dead["run_id"], "--json"))["counts"]
    assert counts["interrupted"] == 1
    assert "running" not in counts
    opgraph("resume")
    (alive,) = runs(opgraph)
    assert (alive["run_id"], alive["status"], alive["epoch"]) == (dead["run_id"], "SUCCESS", 2)


def test_edited_code_makes_a_new_run(tmp_path, opgraph):
    """A dead run whose code was edited is gone on with by a new run that has it as its parent."""
    opgraph("materialize", code=-signal.SIGKILL, KILL="1")
    (tmp_path / "flow.py").write_text(SLOW.replace("return sum(rows)", "return 100 + sum(rows)"))
    opgraph("resume")
    new, old = runs(opgraph)
    assert (new["parent"], new["status"], old["status"]) == (old["run_id"], "SUCCESS", "FAILURE")
    assert opgraph("show", "sums", "--value") == "112\n"


def test_the_live_tree(tmp_path, opgraph):
    """On a terminal the run is drawn while it goes, in colours, and the last picture stays."""
    terminal = Terminal(tmp_path, "materialize")
    terminal.read_until(r"[0-9] of 4 ops")
    assert terminal.code() == 0
    assert "\x1b[32m✓" in terminal.text
    assert "━" in terminal.text
    last = plainly(terminal.text)
    last = last[last.rindex("✓ numbers") :]
    names = [line.split()[1] for line in last.splitlines() if line.lstrip().startswith("✓")]
    assert names[:5] == ["numbers", "sums", "double", "wait", "total"]
    assert "2 assets materialized in" in last
    assert "in wait" not in last


def test_no_color(tmp_path, opgraph):
    """With NO_COLOR set the live tree has no colours."""
    terminal = Terminal(tmp_path, "materialize", NO_COLOR="1")
    assert terminal.code() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.text)


def test_ctrl_c_cancels_and_the_run_can_be_resumed(tmp_path, opgraph):
    """Ctrl-C ends the run as CANCELED with code 130, says how to go on, and that works."""
    terminal = Terminal(tmp_path, "materialize", SLOW="1")
    terminal.read_until(r"2 of 4 ops")
    terminal.type(b"\x03")
    assert terminal.code() == 130
    (run,) = runs(opgraph)
    assert run["status"] == "CANCELED"
    assert f"opgraph resume {run['run_id']}" in plainly(terminal.text)
    opgraph("resume")
    assert runs(opgraph)[0]["status"] == "SUCCESS"


STUBBORN = """\
import time
from opgraph import asset

@asset
def first():
    return 1

@asset
def stubborn(first):
    for _ in range(600):
        try:
            time.sleep(0.1)
        except KeyboardInterrupt:
            pass
"""


def test_ctrl_c_again_and_again(tmp_path, opgraph):
    """Where an op does not let itself be stopped, the last line says what is waited for from the first Ctrl-C on, a
    second one says what a third does, which leaves at once with code 130; the run is DIED then, and can be resumed."""
    (tmp_path / "flow.py").write_text(STUBBORN)
    terminal = Terminal(tmp_path, "materialize")
    terminal.read_until(r"1 of 2 ops")
    terminal.type(b"\x03")
    terminal.read_until("stopping: waiting for stubborn to end")
    terminal.type(b"\x03")
    terminal.read_until("(?s)(still waiting for stubborn to end; once more leaves at once.*){2}")  # in each picture
    terminal.type(b"\x03")
    assert terminal.code() == 130
    (run,) = runs(opgraph)
    assert f"run {run['run_id']} has no end in its record, and can be resumed" in plainly(terminal.text)
    assert run["status"] == "DIED"
    (tmp_path / "flow.py").write_text(STUBBORN.replace("600", "0"))
    assert "1 reused" in opgraph("resume")


def test_a_run_that_cannot_be_cancelled(tmp_path, opgraph):
    """Where an op does not let itself be stopped, `opgraph cancel` says which, and what ends the run at once; it can be
    resumed then."""
    (tmp_path / "flow.py").write_text(STUBBORN)
    terminal = Terminal(tmp_path, "materialize")
    terminal.read_until(r"1 of 2 ops")
    (run,) = runs(opgraph)
    said = opgraph("cancel", run["run_id"], "--wait", "0.5", code=1)
    assert f"run {run['run_id'][:8]} was asked to stop, and waits for stubborn to end" in said
    os.kill(int(said.split("kill -9 ")[1].split("`")[0]), signal.SIGKILL)
    terminal.code()
    (tmp_path / "flow.py").write_text(STUBBORN.replace("600", "0"))
    assert "1 reused" in opgraph("resume")


def test_a_reader_that_goes_away(tmp_path, opgraph):
    """`opgraph runs | head` ends quietly."""
    opgraph("materialize")
    command = f'"{OPGRAPH}" list | true; "{OPGRAPH}" show sums --json | head -c 5'
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment_of({}), capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_a_run_outlives_who_reads_its_lines(tmp_path, opgraph):
    """When the reader of `opgraph materialize` goes away, the run still ends well."""
    subprocess.run(
        ["sh", "-c", f'"{OPGRAPH}" materialize | head -n 1'], cwd=tmp_path, env=environment_of({}), check=True
    )
    for _ in range(100):  # the shell waits for `head`, not for us
        if runs(opgraph)[0]["status"] == "SUCCESS":
            break
        time.sleep(0.1)
    assert runs(opgraph)[0]["status"] == "SUCCESS"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", ["list", "list --json", "runs --json", "show sums --value"])
def test_a_full_disk_is_one_line(tmp_path, opgraph, words):
    """Where the output cannot be written, one line says so, the code is 74, and no file of details is written."""
    opgraph("materialize")
    done = subprocess.run(
        ["sh", "-c", f'"{OPGRAPH}" {words} > /dev/full'],
        cwd=tmp_path, env=environment_of({"TMPDIR": str(tmp_path)}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 74
    assert done.stderr == "✗ the output cannot be written: No space left on device\n"
    assert not list(tmp_path.glob("opgraph-error-*"))


def test_version_imports_nothing(tmp_path):
    """`opgraph --version` loads neither click nor rich nor msgspec."""
    code = (
        "import sys; sys.argv = ['opgraph', '--version']\n"
        "from opgraph.show.cli.main import main\n"
        "main()\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'click', 'rich', 'msgspec'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"opgraph \d+\.\d+\.\d+\n\[\]\n", done.stdout)


def test_python_m_opgraph():
    """`python -m opgraph` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "opgraph", "list", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: opgraph list")


@pytest.mark.parametrize("command", ["list", "plan", "runs", "materialize"])
def test_plain_commands_load_no_rich(tmp_path, opgraph, command):
    """Where there is no terminal, rich and the frame libraries are never imported."""
    code = (
        f"import sys; sys.argv = ['opgraph', {command!r}]\n"
        "from opgraph.show.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'rich', 'pydantic', 'polars', 'pandas', 'fastapi'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment_of({}), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
