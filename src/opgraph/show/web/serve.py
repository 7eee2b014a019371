"""The server's process: its socket, its token, its end; and, for `opgraph dev`, looking for changed files."""

import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from watchfiles import PythonFilter, watch

from opgraph.errors import Error
from opgraph.operate.project import Location, make_home
from opgraph.show.web.app import make_app
from opgraph.show.web.desk import Desk
from opgraph.show.web.guard import default_token_file, token_in
from opgraph.show.web.memory import share_memory
from opgraph.show.web.messages import ProjectError

_ALSO = (".toml", ".yaml", ".yml", ".sql")  # files besides Python's that definitions are made of; ops write others
_PORTS = 20  # tried one after another where none was asked for


class PortTaken(Error):
    """Another program listens at the port."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port = host, port
        super().__init__(
            f"cannot listen at {host}:{port}: {reason}", fix="choose another with `--port`, or `--port 0` for any"
        )


class NoToken(Error):
    """The file of the token cannot be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"the token file {path} cannot be used: {reason}", fix="name another with `--token-file`")


class _Server(uvicorn.Server):
    """Ends its streams first: each would keep it waiting."""

    desk: Desk

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self.desk.hub.stop()
        super().handle_exit(sig, frame)


def serve(
    location: Location,
    *,
    mode: str,
    host: str,
    port: int | None,
    hosts: Sequence[str],
    token_file: Path | None,
    opens: bool,
    say: Callable[[str], None],
    tell: Callable[[ProjectError | None], None],
) -> None:
    """Serve until a signal comes.

    Args:
        location: the project.
        mode: `dev`, which loads the definitions anew when files change, or `serve`.
        host: the address to listen at.
        port: the port; 0: any; None: 3000, or one of the next that is free.
        hosts: names besides those of this machine under which the server is reached.
        token_file: where the token is kept; None: in the project's state folder.
        opens: whether a browser is opened.
        say: is told the address to log in at.
        tell: is told why the definitions do not load, and None when they do again.

    Raises:
        PortTaken: somebody else has the port.
        NoToken: the token's file cannot be used.
    """
    path = token_file or default_token_file(make_home(location))
    try:
        token = token_in(path)
    except OSError as problem:
        raise NoToken(path, problem.strerror or str(problem)) from None
    listening = _listen(host, port)
    share_memory()
    desk = Desk(location, mode, tell)
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host  # noqa: S104 - compared
    address = f"http://{shown}:{listening.getsockname()[1]}"
    server = _Server(
        uvicorn.Config(
            make_app(desk, token, [shown, *hosts]),
            access_log=False,  # it would have the token in it
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
    )
    server.desk = desk
    desk.start()
    stopping = threading.Event()
    if mode == "dev":
        threading.Thread(target=_reload, args=(desk, stopping), name="files", daemon=True).start()
    login = f"{address}/login?token={token}"
    say(login)
    if opens:
        threading.Timer(0.5, webbrowser.open, (login,)).start()
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # raised once more when all is shut: that is how it is ended
        pass
    finally:
        stopping.set()
        desk.close()
        listening.close()


def _listen(host: str, port: int | None) -> socket.socket:
    first = 3000 if port is None else port
    last: OSError | None = None
    for number in range(first, first + (_PORTS if port is None else 1)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Said to be TCP: asyncio sends at once what is small on these only, and not 40 ms later.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, number))
            listening.listen(128)
        except (OSError, OverflowError) as problem:
            listening.close()
            last = problem if isinstance(problem, OSError) else OSError(str(problem))
            continue
        return listening
    assert last is not None
    raise PortTaken(host, first, last.strerror or str(last)) from None


def _reload(desk: Desk, stopping: threading.Event) -> None:
    """Load the definitions anew whenever one of their files has changed."""
    location = desk.location
    home = str(location.home)
    only = PythonFilter(ignore_paths=[home], extra_extensions=_ALSO)
    for _ in watch(location.root, watch_filter=only, stop_event=stopping, debounce=200, raise_interrupt=False):
        desk.definitions.load()
