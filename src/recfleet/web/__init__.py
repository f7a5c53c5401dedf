"""What every face over HTTP shares: connections, headers, and the answers to errors."""

from recfleet.web._answers import ANSWERS, Answer, answer_errors
from recfleet.web._connections import open_database
from recfleet.web._errors import RefusedError
from recfleet.web._headers import Headers, content_policy
from recfleet.web._values import Number, Text

__all__ = [
    "ANSWERS",
    "Answer",
    "Headers",
    "Number",
    "RefusedError",
    "Text",
    "answer_errors",
    "content_policy",
    "open_database",
]
