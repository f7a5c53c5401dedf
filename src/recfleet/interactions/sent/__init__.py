"""Purchase lines that an application sends, read as those of files are."""

from recfleet.interactions.sent._lines import MOST_LINES, Refused, Usable, read_lines

__all__ = ["MOST_LINES", "Refused", "Usable", "read_lines"]
