"""The few pages that need no script: those before the built pages, and the list of what the API has."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 4rem auto; padding: 0 1rem; }
code, input { font: 15px/1.4 ui-monospace, monospace; }
code { background: color-mix(in srgb, currentColor 8%, transparent); padding: 0.1em 0.3em; border-radius: 4px; }
input { width: 100%; padding: 0.5rem; box-sizing: border-box; }
button { margin-top: 0.75rem; padding: 0.5rem 1rem; font: inherit; }
td, th { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; }
"""
STYLE_HASH = "sha256-" + b64encode(sha256(_STYLE.encode()).digest()).decode()  # lets browsers take it, and no other


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def login(*, wrong: bool = False) -> str:
    """What is shown to who has no token."""
    said = "<p><strong>That is not this server's token.</strong></p>" if wrong else ""
    return _page(
        "opgraph: who are you?",
        f"{said}<p>Open the address that <code>opgraph dev</code> printed in your terminal. It ends in "
        "<code>/login?token=…</code>. Or paste the token, which is in the file <code>web.token</code> of the "
        "project's <code>.opgraph</code> folder:</p>"
        '<form action="/login" method="get"><input name="token" type="password" autocomplete="off" '
        'aria-label="Token" required><button>Log in</button></form>',
    )


def not_built() -> str:
    """What is shown where the pages were not built into the package."""
    return _page(
        "opgraph: the pages are not built",
        "<p>This is a source checkout without the built web pages. Build them once:</p><p><code>make ui</code></p>"
        "<p>or <code>python tools/build_ui.py</code>, then load this page again. Packages that are installed with pip "
        'come with them. The API is there already: <a href="/api/docs">what it has</a>.</p>',
    )


def api(document: dict[str, Any]) -> str:
    """What the API has, for people; the whole of it is in `/openapi.json`."""
    rows: list[str] = []
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            names = ", ".join(each["name"] for each in operation.get("parameters", []))
            rows.append(
                f"<tr><td><code>{verb.upper()}</code></td><td><code>{escape(path)}</code></td>"
                f"<td>{escape(operation.get('description', ''))}"
                f"{f'<br><small>{escape(names)}</small>' if names else ''}</td></tr>"
            )
    return _page(
        "opgraph: the API",
        '<p>Everything in full is in <a href="/openapi.json">/openapi.json</a>. Scripts send the token as '
        f"<code>Authorization: Bearer …</code>.</p><table>{''.join(rows)}</table>",
    )
