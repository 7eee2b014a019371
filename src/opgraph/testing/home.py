"""An instance for one test, on disk as in production, gone afterwards."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from opgraph.run.instance import HOME_VARIABLE, Instance


@contextmanager
def temporary_instance(folder: str | Path | None = None) -> Generator[Instance, None, None]:
    """An instance in a folder, which is also what `Instance.get()` gives as long as the `with` block goes on.

    Args:
        folder: where it is; left there afterwards. Without one, a temporary folder that is removed.

    Example:
        >>> with temporary_instance() as instance:
        ...     materialize([table], instance=instance)
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="opgraph-test-") as made, temporary_instance(made) as instance:
            yield instance
        return
    before = os.environ.get(HOME_VARIABLE)
    os.environ[HOME_VARIABLE] = str(folder)
    try:
        # A test's values need not survive a power cut: no file is synced.
        with Instance(folder, durability="process") as instance:
            yield instance
    finally:
        if before is None:
            del os.environ[HOME_VARIABLE]
        else:
            os.environ[HOME_VARIABLE] = before
