"""`python -m opgraph`, which is the `opgraph` command."""

from opgraph.show.cli.main import main

if __name__ == "__main__":
    main()
