"""What runs log goes to the handlers that the program gave to `logging`, and to those of the instance."""

import io
import logging
import subprocess
import sys

import pytest

import opgraph as og


class Kept(logging.Handler):
    """Keeps what it gets."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@og.op
def speaks(context) -> None:
    context.log.debug("a detail")
    context.log.info("%d rows", 3, extra={"table": "orders"})
    context.log.error("none left")


@og.job
def talk():
    speaks()


@pytest.fixture
def kept():
    """A handler of the root logger."""
    handler, root = Kept(), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def test_handlers_of_the_program_get_what_steps_log(kept):
    """A record says who spoke, in which step and run, what `extra` gave, and the user's own line."""
    result = talk.execute_in_process()
    assert [record.getMessage() for record in kept.records] == ["3 rows", "none left"]
    first = kept.records[0]
    assert (first.name, first.levelname, first.filename, first.funcName) == (
        "opgraph",
        "INFO",
        "test_logs.py",
        "speaks",
    )
    assert (first.run_id, first.job_name, first.step_key, first.table) == (result.run_id, "talk", "speaks", "orders")


def test_handlers_get_no_secrets(kept, monkeypatch, capsys):
    """A secret that an op logs is masked in what handlers get and in what is shown."""
    monkeypatch.setenv("PASSWORD", "hunter2-hunter2")

    @og.op
    def tells(context):
        context.log.info("it is %s", og.EnvVar("PASSWORD").get_value())

    @og.job
    def indiscreet():
        tells()

    indiscreet.execute_in_process()
    assert len(kept.records) == 1
    assert "hunter2" not in kept.records[0].getMessage() + capsys.readouterr().err


def test_tracebacks_that_handlers_get_have_no_secrets(kept, monkeypatch):
    """Nor is a secret in a traceback, an `extra` or the exception that a handler gets; without one they are whole."""
    monkeypatch.setenv("PASSWORD", "hunter2-hunter2")

    @og.op
    def tells(context):
        password = og.EnvVar("PASSWORD").get_value()
        for said in (f"no access with {password}", "no access"):
            try:
                raise PermissionError(said)
            except PermissionError:
                context.log.exception("refused", extra={"url": f"db://{password}@host"})

    @og.job
    def indiscreet():
        tells()

    indiscreet.execute_in_process()
    secret, plain = kept.records
    text = logging.Formatter().format(secret)
    assert "PermissionError: no access with **********" in text
    assert "hunter2" not in text + secret.url + repr(secret.__dict__)
    assert secret.exc_info is None
    assert plain.exc_info[0] is PermissionError
    assert plain.step_key == "tells"


def test_a_line_is_kept_once(kept):
    """What a handler gets is not kept with the step a second time."""
    with og.Instance.ephemeral() as instance:
        run_id = talk.execute_in_process(instance=instance).run_id
        assert [line.text for _, line in instance.record.logs(run_id)] == ["a detail", "3 rows", "none left"]


def test_what_a_handler_prints_is_not_the_steps(capsys):
    """A handler that prints, prints for the program."""

    class Prints(logging.Handler):
        def emit(self, record):
            print("printed", record.getMessage())

    handler = Prints()
    logging.getLogger("opgraph").addHandler(handler)
    try:
        with og.Instance.ephemeral() as instance:
            run_id = talk.execute_in_process(instance=instance).run_id
            assert "STDOUT" not in {line.level for _, line in instance.record.logs(run_id)}
    finally:
        logging.getLogger("opgraph").removeHandler(handler)
    assert capsys.readouterr().out == "printed 3 rows\nprinted none left\n"


def test_the_level_of_the_logger(kept):
    """`logging.getLogger("opgraph").setLevel` says what handlers get and what is shown."""
    logger = logging.getLogger("opgraph")
    before = logger.level
    try:
        for level, texts in (("ERROR", ["none left"]), ("DEBUG", ["a detail", "3 rows", "none left"])):
            logger.setLevel(level)
            talk.execute_in_process()
            assert [record.getMessage() for record in kept.records] == texts
            kept.records.clear()
    finally:
        logger.setLevel(before)


def test_a_direct_call_logs_too(kept):
    """In a call outside of a run `context.log` goes to the same handlers."""
    speaks(og.build_op_context())
    assert [record.getMessage() for record in kept.records] == ["3 rows", "none left"]


_PROGRAM = """
import logging, sys, opgraph as og
@og.op
def speaks(context): context.log.info("hello")
@og.job
def talk(): speaks()
if "--basic" in sys.argv:
    logging.basicConfig(format="[%(name)s] %(message)s")
talk.execute_in_process()
"""


def test_a_line_is_shown_once():
    """Without a handler that writes to the terminal, a line is shown on stderr; with one, that one shows it."""
    for args, shown in (((), "INFO hello\n"), (("--basic",), "[opgraph] hello\n")):
        done = subprocess.run([sys.executable, "-c", _PROGRAM, *args], check=True, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("", shown)


def test_handlers_of_an_instance():
    """`python_logs` gives the runs of an instance handlers of their own, with formats and filters."""
    stream = io.StringIO()
    logs = {
        "managed_python_loggers": ["library"],
        "handler_config": {
            "handlers": {
                "one": {"class": "logging.StreamHandler", "stream": stream, "formatter": "short", "filters": ["errors"]}
            },
            "formatters": {"short": {"format": "%(step_key)s %(levelname)s %(message)s"}},
            "filters": {"errors": {"()": lambda: lambda record: record.levelno >= logging.ERROR}},
        },
    }

    @og.job
    def both():
        speaks()
        uses_a_library()

    with og.Instance(python_logs=logs) as instance:
        both.execute_in_process(instance=instance)
    both.execute_in_process()
    assert stream.getvalue() == "speaks ERROR none left\nuses_a_library ERROR library's\n"


@og.op
def uses_a_library() -> None:
    logging.getLogger("library.part").error("library's")
    logging.getLogger("other").error("other's")


def test_what_an_instance_keeps_of_logs():
    """Below `python_log_level`, what `context.log` says is dropped."""
    with og.Instance(python_logs={"python_log_level": "error"}) as instance:
        run_id = talk.execute_in_process(instance=instance).run_id
        assert [line.text for _, line in instance.record.logs(run_id)] == ["none left"]


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ({"log_level": "INFO"}, "no setting `log_level`"),
        ({"python_log_level": "LOUD"}, "`LOUD` is no level"),
        ({"handler_config": {"loggers": {}}}, "`handler_config` has `loggers`"),
        ({"handler_config": {"handlers": {"a": {"class": "logging.Nothing"}}}}, "`a` of the handlers cannot be made"),
    ],
)
def test_settings_that_cannot_be_read(logs, said):
    """Wrong settings are refused when the instance is made, with the name of the part that is wrong."""
    with pytest.raises(og.InvalidConfigError, match=said):
        og.Instance(python_logs=logs)
