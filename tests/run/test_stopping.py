"""Threads into which others raise KeyboardInterrupt."""

import io
import logging
import sys
import threading
import time

import pytest

from opgraph.run.stopping import Interruptible


@pytest.fixture
def hurried():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("traced", [False, True], ids=["plain", "traced"])
def test_interruptions_reach_user_code_only(traced):
    """One that comes too late is neither raised later nor looked for ever after, as a debugger's thread would do."""
    user, ended = Interruptible(), []

    def short():
        return 1

    def work():
        if traced:
            sys.settrace(lambda *_: None)
        for _ in range(2_000):
            try:
                user.enter()
                for _ in range(50):
                    short()
                user.leave()
            except KeyboardInterrupt:
                user.leave()
            short()
        ended.append(True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while thread.is_alive() and time.monotonic() < deadline:
        user.interrupt()
        time.sleep(0)
    thread.join(1)
    assert ended


def test_no_lock_of_logging_is_lost():
    """A thread that waits for the lock of a handler is interrupted when it has let that go again, not before."""
    user, handler, ended = Interruptible(), logging.StreamHandler(io.StringIO()), []

    def work():
        try:
            user.enter()
            handler.handle(logging.makeLogRecord({}))
            while True:
                pass
        except KeyboardInterrupt:
            user.leave()
            ended.append(True)

    thread = threading.Thread(target=work, daemon=True)
    with handler.lock:
        thread.start()
        while file_of(thread) != logging.__file__:
            time.sleep(0.001)
        assert not user.interrupt()
    while not user.interrupt():
        time.sleep(0.001)
    thread.join(10)
    assert ended
    assert handler.lock.acquire(timeout=10)
    handler.lock.release()


def file_of(thread):
    """Where a thread stands."""
    frame = sys._current_frames().get(thread.ident)
    return frame.f_code.co_filename if frame is not None else ""
