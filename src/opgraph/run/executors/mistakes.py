"""What goes wrong with executors, and what they do to steps."""

from collections.abc import Iterable, Sequence

from opgraph.errors import Error, InvalidInvocationError, Mistake
from opgraph.keys import near_misses

_CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL")


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
            fix="the system does so when the machine is out of memory; else someone killed it. Then resume the run"
            if "SIGKILL" in how
            else "a library crashed in native code; where Python called it stands above and in the step's output"
            if any(signal in how for signal in _CRASHES)
            else "someone sent it this signal: the op, another program, or the system as it shut down. Resume the run"
            if "killed by" in how
            else "let the op raise an exception instead of ending its process",
        )


class UnknownExecutor(InvalidInvocationError):
    """An executor is named that does not exist."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        near = near_misses(name, names := tuple(known), most=1)
        meant = f". Did you mean `{near[0]}`?" if near else ""
        super().__init__(f"no executor is named `{name}`{meant}", fix=f"there are: {', '.join(names)}")


class BadExecutorSetting(InvalidInvocationError):
    """An executor is given a setting that it does not have, or a value that makes no sense."""

    def __init__(self, executor: str, setting: str, value: object, fix: str) -> None:
        self.executor, self.setting, self.value = executor, setting, value
        super().__init__(f"executor `{executor}` cannot have `{setting}` = {value!r}", fix=fix)


class NotSharedBetweenProcesses(Mistake, InvalidInvocationError):
    """Values are to be kept in memory, and the steps run in several processes."""

    step: str
    output: str
    key: str
    executor: str
    says = (
        "output `{output}` of step `{step}` is kept in memory by I/O manager `{key}`, where the other processes of the "
        "executor `{executor}` cannot see it"
    )
    mend = "use the executor `threads` or `in_process`, or an I/O manager that writes somewhere"


class ExecutorNotInstalled(Mistake, InvalidInvocationError):
    """An executor is chosen whose libraries are not there."""

    executor: str
    says = "the executor `{executor}` needs libraries that are not installed"
    mend = "pip install 'opgraph[{executor}]', here and where the cluster's workers run"


class ClusterNotReached(Mistake, Error):
    """A cluster is to run the steps, and it does not answer or has no workers."""

    address: str
    why: str
    says = "the Dask cluster at {address} cannot be used: {why}"
    mend = (
        'start its scheduler and workers, and give the scheduler\'s address: dask_executor.configured({{"address": '
        '"tcp://host:8786"}}), or DASK_SCHEDULER_ADDRESS; then resume the run, or do so elsewhere: '
        "`--executor in_process`"
    )


class ClusterLost(Mistake, Error):
    """The cluster that runs the steps is gone."""

    address: str
    why: str
    says = "the run lost its Dask cluster at {address}: {why}"
    mend = "resume it: what it stored is reused"


class HostUnfit(Mistake, Error):
    """A worker of the cluster cannot make attempts of the run."""

    worker: str
    why: str
    says = "the Dask worker at {worker} cannot run the steps: {why}"
    mend = (
        "give it the same Python, the same version of opgraph, the libraries that the definitions import, and the "
        "folder of values; then resume the run"
    )


class CodeChanged(Error):
    """A worker has loaded other code than the run began with."""

    def __init__(self, worker: str, ops: Sequence[str]) -> None:
        self.worker, self.ops = worker, tuple(ops)
        named = ", ".join(f"`{each}`" for each in ops)
        super().__init__(
            f"{worker} has loaded other code of {named} than the run began with",
            fix="if it was changed meanwhile, resume the run: today's code goes on from what it stored; else let the "
            "module define the same in every process",
        )


class WorkerCannotLoad(Mistake, Error):
    """What the driver has loaded cannot be loaded again in a new process."""

    why: str
    says = "a new worker process could not load the definitions: {why}"
    mend = (
        "a worker imports the project's modules again: they must bear that, in a new process; try it by "
        "`python -c 'import MODULE'`, or use the executor `threads` or `in_process`"
    )


class NotShippable(InvalidInvocationError):
    """The definitions hold something that cannot go to another process."""

    def __init__(self, what: str, where: str, cause: BaseException) -> None:
        self.what, self.defined, self.cause = what, where, cause
        super().__init__(
            f"{what}{f' ({where})' if where else ''} cannot go to another process: {type(cause).__name__}: {cause}",
            fix="make connections, locks and open files inside the op or by a resource, not beside the functions",
        )
