"""What goes wrong with executors, and what they do to steps."""

from collections.abc import Iterable

from opgraph.errors import Error, InvalidInvocationError


class StepTimedOut(Error):
    """A step took longer than it was allowed to."""

    def __init__(self, step: str, limit: float, *, of_run: bool = False) -> None:
        self.step, self.limit, self.of_run = step, limit, of_run
        whose = "the run's limit" if of_run else "its limit"
        super().__init__(
            f"step `{step}` was stopped: {whose} of {limit:g} s was over",
            fix="give it more time, or make it do less at once"
            if not of_run
            else "resume the run: what it stored is reused",
        )


class RunTimedOut(Error):
    """A run took longer than it was allowed to."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__(
            f"the run's limit of {limit:g} s was over before its steps were",
            fix="resume it: what it stored is reused",
        )


class WorkerDied(Error):
    """A worker process died under a step."""

    def __init__(self, step: str, how: str) -> None:
        self.step, self.how = step, how
        super().__init__(
            f"the worker process that ran step `{step}` died: {how}",
            fix="SIGKILL often means that the machine ran out of memory; after a crash in native code the step's "
            "output shows where",
        )


class UnknownExecutor(InvalidInvocationError):
    """An executor is named that does not exist."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        super().__init__(f"no executor is named `{name}`", fix=f"there are: {', '.join(known)}")


class BadExecutorSetting(InvalidInvocationError):
    """An executor is given a setting that it does not have, or a value that makes no sense."""

    def __init__(self, executor: str, setting: str, value: object, fix: str) -> None:
        self.executor, self.setting, self.value = executor, setting, value
        super().__init__(f"executor `{executor}` cannot have `{setting}` = {value!r}", fix=fix)


class NotSharedBetweenProcesses(InvalidInvocationError):
    """Values are to be kept in memory, and the steps run in several processes."""

    def __init__(self, step: str, output: str, key: str) -> None:
        self.step, self.output, self.key = step, output, key
        super().__init__(
            f"output `{output}` of step `{step}` is kept in memory by I/O manager `{key}`, where the other processes "
            "of the executor `processes` cannot see it",
            fix="use the executor `threads` or `in_process`, or an I/O manager that writes somewhere",
        )
