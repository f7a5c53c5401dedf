"""What a browser may load and run for each kind of page."""

from __future__ import annotations

from recfleet.web import content_policy

# Nothing from other hosts; scripts and styles only from our own files; no foreign frame.
_OURS = (
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)

PAGE = content_policy(*_OURS)
AROUND_DATA_DOCS = content_policy(*_OURS, "frame-src 'self'")

# Pages of another library, with styles of their own: they may be shown, but run no script. They
# keep this origin, so that the page around can measure their height.
DATA_DOCS = "sandbox allow-same-origin; " + content_policy(
    "style-src 'unsafe-inline'", "img-src data:", "font-src data:", "frame-ancestors 'self'"
)
