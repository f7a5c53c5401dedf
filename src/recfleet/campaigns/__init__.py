"""Campaigns: the lists of many customers at once, with a control group by lot."""

from recfleet.campaigns._customers import customers_in_file
from recfleet.campaigns._exposed import exposed_by
from recfleet.campaigns._lot import is_control
from recfleet.campaigns._make import Campaign, Sender, SentList, SentPlace, make_campaign
from recfleet.campaigns._write import Format, Writer, open_writer
from recfleet.releases import read_live_list

__all__ = [
    "Campaign",
    "Format",
    "Sender",
    "SentList",
    "SentPlace",
    "Writer",
    "customers_in_file",
    "exposed_by",
    "is_control",
    "make_campaign",
    "open_writer",
    "read_live_list",
]
