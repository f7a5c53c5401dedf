"""What a browser may load and run of each kind of page."""

from __future__ import annotations

from recfleet.web import content_policy

# Nothing of other hosts, no script or style that is not a file of ours, no foreign frame.
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

# Pages of another library, with styles of their own: they are shown, and can do nothing. They count
# as of this origin, so that the page around can see how long one is; no script runs in them.
DATA_DOCS = "sandbox allow-same-origin; " + content_policy(
    "style-src 'unsafe-inline'", "img-src data:", "font-src data:", "frame-ancestors 'self'"
)
