"""The `opgraph` command. This file imports nothing, so that `opgraph --version` is instant."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from opgraph import __version__

        print(f"opgraph {__version__}")
        return
    if sys.platform == "win32":
        sys.exit("opgraph does not run on Windows yet; Linux and macOS are supported")
    from opgraph.show.cli.commands import cli

    cli.main(prog_name="opgraph")


if __name__ == "__main__":
    main()
