"""The service's pages: files from memory, with headers that say what a browser may do with them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recfleet.serving._http import Answer
from recfleet.web import SHARED_FILES, content_policy, digest_of_files

_HERE = Path(__file__).parent
_FILES = _HERE / "static"
_PAGES = (
    ("counter", "At the counter", "One customer, and what to offer next."),
    ("new", "New here", "Two products that a customer likes, and what follows."),
    ("developers", "Developers", "What an application can ask, with lines to copy."),
)
_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_ALWAYS = {
    # Nothing from other hosts, nothing inside other pages, no form that goes anywhere.
    "Content-Security-Policy": content_policy(
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@cache
def pages() -> dict[str, Answer]:
    """Path without its first slash -> page or file."""
    files = f"static/{digest_of_files(_FILES, SHARED_FILES)}"
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    titles = [{"script": script, "title": title} for script, title, _ in _PAGES]
    # The page names its files, and these never change under their address.
    kept, asked = {"Cache-Control": "max-age=31536000, immutable"}, {"Cache-Control": "no-cache"}
    found = {
        f"{files}/{path.name}": Answer(
            path.read_bytes(), media_type=_KINDS[path.suffix], headers={**_ALWAYS, **kept}
        )
        for folder in (SHARED_FILES, _FILES)
        for path in sorted(folder.iterdir())
    }
    for script, title, about in _PAGES:
        text = environment.get_template(f"{script}.html").render(
            static=f"/{files}", script=script, title=title, about=about, pages=titles
        )
        found[script] = Answer(
            text.encode(), media_type="text/html; charset=utf-8", headers={**_ALWAYS, **asked}
        )
    found[""] = Answer(b"", 302, "text/plain", {"Location": f"/{_PAGES[0][0]}"})
    return found
