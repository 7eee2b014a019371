"""`opgraph clean`: remove what runs left behind and nobody will ask for again."""

import click

from opgraph.operate.clean import Cleaning, Removal, clean
from opgraph.show.cli import ink
from opgraph.show.cli.ink import FAINT, PLAIN, STRONG, Line
from opgraph.show.cli.options import Chosen, json_option, print_json, project_options

_WORDS = {
    "intermediates": ("values between ops", "value"),
    "versions": ("replaced values of assets", "value"),
    "output": ("captured output", "run"),
    "run": ("old runs", "run"),
    "memo": ("memo", "fingerprint"),
    "orphans": ("files that nothing refers to", "file"),
}


@click.command("clean")
@project_options
@click.option("--dry-run", "dry", is_flag=True, help="Only show what would go, and how much.")
@json_option
def command(chosen: Chosen, *, dry: bool, as_json: bool) -> None:
    """Remove what nobody will ask for again: old intermediates, replaced values, output, old runs.

    What is kept, and for how long, stands in `[tool.opgraph.retention]` of pyproject.toml. The latest value of each
    asset is never removed, nor what the memo remembers, nor what a run that can be resumed needs.
    """
    with chosen.instance() as instance:
        found = clean(instance, chosen.location.retention, dry=dry)
    if as_json:
        print_json({"dry_run": found.dry, "bytes": found.size, "removals": found.removals})
    else:
        ink.put(drawn(found))


def drawn(found: Cleaning) -> list[Line]:
    """What went, a line for each kind."""
    if not found.removals:
        return [[("nothing to remove", PLAIN)]]
    rows: list[list[Line]] = []
    for kind, (words, unit) in _WORDS.items():
        some = [each for each in found.removals if each.kind == kind]
        if some:
            rows.append(
                [
                    [(words, PLAIN)],
                    [(ink.count(sum(each.count for each in some), unit), PLAIN)],
                    [(_where(some), FAINT)],
                    [(ink.size(sum(each.size for each in some)), PLAIN)],
                ]
            )
    verb = "would go" if found.dry else "removed"
    return [[(f"{ink.size(found.size)} {verb}", STRONG)], [], *ink.columns(rows)]


def _where(some: list[Removal]) -> str:
    if some[0].kind in ("memo", "orphans", "run", "output"):
        return ""
    return f"of {ink.count(len({each.what for each in some}), 'run')}"
