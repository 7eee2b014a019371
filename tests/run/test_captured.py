"""What ops say: printed, logged, or by `context.log`."""

import gc
import io
import logging
import sys
import threading

import pytest

from opgraph.run import captured
from opgraph.run.captured import LINE_LIMIT, Captured, StepLog


def lines(said, *fields):
    return [tuple(getattr(line, field) for field in fields or ("level", "text")) for line in said.drain()]


def while_running(test):
    """Give a test a Captured that is installed while it runs; a fixture would come before pytest's own capturing."""

    def run():
        with Captured() as said:
            test(said)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@while_running
def test_everything_is_kept_in_order(said):
    """Printing, standard logging and context.log are kept in one order, with step, attempt, level and logger."""
    token = said.enter(3, 2)
    print("out")
    print("err", file=sys.stderr)
    logging.getLogger("mine").info("by %s", "logging")
    StepLog(said, 3, 2).warning("by %s", "context")
    said.leave(token)
    assert lines(said, "step", "attempt", "level", "logger", "text") == [
        (3, 2, "STDOUT", "", "out"),
        (3, 2, "STDERR", "", "err"),
        (3, 2, "INFO", "mine", "by logging"),
        (3, 2, "WARNING", "opgraph", "by context"),
    ]
    assert lines(said) == []


@while_running
def test_lines_end_where_they_end(said):
    """Pieces make one line; what is left without an end is kept when the step ends."""
    token = said.enter(0, 1)
    print("a", "b", end="")
    print("c\nd\n\ne", end="")
    assert lines(said) == [("STDOUT", "a bc"), ("STDOUT", "d"), ("STDOUT", "")]
    said.leave(token)
    assert lines(said) == [("STDOUT", "e")]


@while_running
def test_nobody_speaks(said):
    """What is printed outside of steps goes where it always went, and is not kept."""
    print("between")
    assert lines(said) == []


def test_forwarding(capsys):
    """With `forward`, lines are kept and shown as well; without, they are only kept."""
    for forward in (False, True):
        with Captured(forward=forward) as said:
            token = said.enter(0, 1)
            print("hello")
            StepLog(said, 0, 1).info("logged")
            said.leave(token)
            assert len(said.drain()) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == (("hello\n", "INFO logged\n") if forward else ("", ""))


def test_everything_is_as_before():
    """After the run, the streams, the root logger, its level and its handlers are as they were, nested runs too."""
    root = logging.getLogger()
    handlers = [(handler, list(handler.filters)) for handler in root.handlers]
    before = (sys.stdout, sys.stderr, root.level)
    with Captured(), Captured():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr, root.level) == before
    assert [(handler, list(handler.filters)) for handler in root.handlers] == handlers


@while_running
def test_other_handlers_hear_what_they_heard(said):
    """While we listen to INFO, a handler that was there before hears only what the levels let through before."""
    heard = []

    class Other(logging.Handler):
        def emit(self, record):
            heard.append(record.getMessage())

    other, chatty = Other(), logging.getLogger("chatty")
    logging.getLogger().addHandler(other)
    chatty.setLevel(logging.DEBUG)
    try:
        with Captured() as inner:  # the outer one is installed; the handler came later and hears all
            token = inner.enter(0, 1)
            logging.getLogger("quiet").debug("debug")
            chatty.debug("chatty debug")
            inner.leave(token)
            assert lines(inner) == [("DEBUG", "chatty debug")]
    finally:
        logging.getLogger().removeHandler(other)
        chatty.setLevel(logging.NOTSET)
    assert heard == ["chatty debug"]


def test_a_handler_that_was_there_before():
    """A handler from before the run goes on hearing warnings, and INFO only of loggers that were set to it."""
    heard = []

    class Other(logging.Handler):
        def emit(self, record):
            heard.append(record.getMessage())

    root, other, chatty = logging.getLogger(), Other(), logging.getLogger("chatty.one")
    before = root.level
    root.setLevel(logging.WARNING)
    root.addHandler(other)
    logging.getLogger("chatty").setLevel(logging.INFO)
    try:
        with Captured() as said:
            token = said.enter(0, 1)
            logging.getLogger("quiet").info("not heard before")
            logging.getLogger("quiet").warning("warning")
            chatty.info("chatty")
            said.leave(token)
            assert [text for _, text in lines(said)] == ["not heard before", "warning", "chatty"]
    finally:
        logging.getLogger("chatty").setLevel(logging.NOTSET)
        root.removeHandler(other)
        root.setLevel(before)
    assert heard == ["warning", "chatty"]


def test_nested_runs():
    """A run inside an op keeps its own lines; afterwards the outer step speaks again."""
    with Captured() as outer:
        token = outer.enter(0, 1)
        print("outer")
        with Captured() as inner:
            inner_token = inner.enter(5, 1)
            print("inner")
            inner.leave(inner_token)
            assert lines(inner, "step", "text") == [(5, "inner")]
        print("outer again")
        outer.leave(token)
        assert lines(outer, "step", "text") == [(0, "outer"), (0, "outer again")]


@while_running
def test_threads_speak_for_themselves(said):
    """Steps in different threads do not mix, not even within a line."""
    barrier = threading.Barrier(4)

    def work(step):
        token = said.enter(step, 1)
        barrier.wait()
        for n in range(100):
            print(step, n)
        said.leave(token)

    threads = [threading.Thread(target=work, args=(step,)) for step in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = lines(said, "step", "text")
    for step in range(4):
        assert [text for which, text in kept if which == step] == [f"{step} {n}" for n in range(100)]


def test_head_and_tail():
    """A step that says too much keeps its head and tail; in the place of the cut it says how much was left out, and
    why. The next is whole."""
    with Captured(limit=20_000) as said:
        token = said.enter(0, 1)
        for n in range(10_000):
            print(n)
        said.leave(token)
        texts = [text for _, text in lines(said)]
        assert texts[0] == "0"
        assert texts[-1] == "9999"
        assert 100 < len(texts) < 250
        (gap,) = [text for text in texts if "left out" in text]
        kept = [text for text in texts if text != gap]
        lost = sum(len(str(n)) for n in range(10_000)) - sum(map(len, kept))
        assert gap == (
            f"... {10_000 - len(kept):,} lines ({lost:,} characters) were left out here: of what one attempt of an op "
            "says, the first and the last 10,000 characters are kept ..."
        )
        at = texts.index(gap)
        assert int(texts[at + 1]) - int(texts[at - 1]) == 10_001 - len(kept)
        token = said.enter(1, 1)
        print(*("x" * 8_000 for _ in range(3)), sep="\n")
        said.leave(token)
        assert any("... 1 line (8,000 characters) was left out" in text for _, text in lines(said))
        token = said.enter(0, 2)
        print("fresh")
        said.leave(token)
        assert lines(said) == [("STDOUT", "fresh")]


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_line_without_end_is_bounded(end):
    """One endless line is kept in pieces, within the same bounds."""
    with Captured(limit=1_000_000) as said:
        token = said.enter(0, 1)
        for _ in range(100):
            sys.stdout.write("x" * 100_000 + end)
        said.leave(token)
        kept = said.drain()
    assert max(len(line.text) for line in kept) <= LINE_LIMIT
    assert 500_000 < sum(len(line.text) for line in kept) <= 1_000_000 + 100


@while_running
def test_exceptions_in_logs(said):
    """`exception` and `exc_info` keep the traceback, as text."""
    log = StepLog(said, 0, 1)
    try:
        raise ValueError("mine")
    except ValueError as error:
        log.exception("failed")
        log.error("failed", exc_info=error)
    for _, text in lines(said):
        assert text.startswith("failed\nTraceback")
        assert text.endswith("ValueError: mine")


@while_running
def test_levels_by_name(said):
    """`log` takes numbers and names of levels; all are kept, debug too."""
    log = StepLog(said, 0, 1)
    log.log("warning", "w")
    log.log(logging.DEBUG, "d")
    log.critical("c")
    assert lines(said) == [("WARNING", "w"), ("DEBUG", "d"), ("CRITICAL", "c")]


@while_running
def test_a_bad_format_string_does_no_harm(said):
    """A log call with a wrong format string does not raise from `logging`, as ever."""
    token = said.enter(0, 1)
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        logging.getLogger("x").warning("%d", "no number")
    finally:
        logging.raiseExceptions = before
    said.leave(token)


@while_running
def test_streams_are_streams(said):
    """What stands for stdout has the members of a stream: flush, isatty, encoding, writelines."""
    token = said.enter(0, 1)
    sys.stdout.writelines(["a\n", "b\n"])
    sys.stdout.flush()
    assert sys.stdout.isatty() in (True, False)
    assert sys.stdout.encoding
    said.leave(token)
    assert [text for _, text in lines(said)][:2] == ["a", "b"]


@while_running
def test_streams_are_text_streams(said):
    """What stands for stdout and stderr is a text stream of `io` that enters a `with` statement and outlives it; a step
    that closes it closes nothing."""
    before = said.enter(0, 1)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOBase)
        assert stream.writable()
        assert not stream.readable()
        with stream as same:
            assert same is stream
            print("within", file=same)
        stream.close()
        assert not stream.closed
        print("after", file=stream)
        with pytest.raises(io.UnsupportedOperation):
            stream.detach()
    said.leave(before)
    print("the program's own")
    assert lines(said) == [(s, text) for s in ("STDOUT", "STDERR") for text in ("within", "after")]


@while_running
def test_garbage_may_print(said):
    """What is collected while a line is kept may say something itself."""

    class Loud:
        def __init__(self):
            self.me = self

        def __del__(self):
            print("gone")

    def collect(frame, event, _arg):  # as it may happen at any time
        if event == "call" and frame.f_code.co_filename == captured.__file__:
            sys.setprofile(None)
            Loud()
            gc.collect(0)
            sys.setprofile(collect)

    def work():
        said.enter(0, 1)
        sys.setprofile(collect)
        for _ in range(3):
            print("here")
        sys.setprofile(None)

    ran = threading.Thread(target=work, daemon=True)
    ran.start()
    ran.join(20)
    assert not ran.is_alive()
    text = "".join(text for (text,) in lines(said, "text"))
    assert text.count("here") == 3
    assert "gone" in text
