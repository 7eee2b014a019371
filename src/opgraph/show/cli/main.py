"""The `opgraph` command. This file imports next to nothing, so that `opgraph --version` is instant."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from opgraph import __version__

        print(f"opgraph {__version__}")
        return
    if sys.platform == "win32":
        sys.exit("opgraph does not run on Windows yet; Linux and macOS are supported")
    gc.disable()  # nothing that is imported is garbage; `commands` turns it on again
    from opgraph.show.cli.commands import cli

    cli.main(prog_name="opgraph")


if __name__ == "__main__":
    main()
