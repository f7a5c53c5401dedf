"""What an application sends about purchases, customers and products, read as files are."""

from recfleet.interactions.sent._facts import UsableFacts, read_facts
from recfleet.interactions.sent._lines import MOST_LINES, Refused, Usable, read_lines

__all__ = ["MOST_LINES", "Refused", "Usable", "UsableFacts", "read_facts", "read_lines"]
