"""What every face over HTTP shares: connections, headers, and the answers to errors."""

from recfleet.web._answers import ANSWERS, Answer, answer_errors
from recfleet.web._connections import open_database
from recfleet.web._errors import RefusedError
from recfleet.web._files import SHARED_FILES, digest_of_files
from recfleet.web._headers import Headers, content_policy
from recfleet.web._values import Number, Text

__all__ = [
    "ANSWERS",
    "SHARED_FILES",
    "Answer",
    "Headers",
    "Number",
    "RefusedError",
    "Text",
    "answer_errors",
    "content_policy",
    "digest_of_files",
    "open_database",
]
