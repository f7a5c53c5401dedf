"""Releases: a tenant's lists of one night, their checks, the live switch, look-up."""

from recfleet.releases._arms import NOTHING, ArmLists, version_of, with_arms
from recfleet.releases._check import Check, check_lists
from recfleet.releases._every_list import LiveList, LiveLists, LivePlace, every_list, read_live_list
from recfleet.releases._lists import Lists
from recfleet.releases._live import count_served, live_as_of
from recfleet.releases._look_up import (
    CustomerList,
    NotServedError,
    Recommended,
    list_of,
    look_up,
)
from recfleet.releases._make import make_lists
from recfleet.releases._old_lists import OldLists, drop_old_lists
from recfleet.releases._old_releases import (
    count_releases,
    delete_releases,
    delete_releases_of,
    forget_lists_of_customer,
    tenants_of,
    wanted_releases,
)
from recfleet.releases._pairs import PAIR_LENGTH, Pairs, make_pairs
from recfleet.releases._partition import create_partition, create_shared_partition
from recfleet.releases._stage import Draft, ServedBy, stage_releases
from recfleet.releases._switch import end_live, kept_release, switch_live

__all__ = [
    "NOTHING",
    "PAIR_LENGTH",
    "ArmLists",
    "Check",
    "CustomerList",
    "Draft",
    "Lists",
    "LiveList",
    "LiveLists",
    "LivePlace",
    "NotServedError",
    "OldLists",
    "Pairs",
    "Recommended",
    "ServedBy",
    "check_lists",
    "count_releases",
    "count_served",
    "create_partition",
    "create_shared_partition",
    "delete_releases",
    "delete_releases_of",
    "drop_old_lists",
    "end_live",
    "every_list",
    "forget_lists_of_customer",
    "kept_release",
    "list_of",
    "live_as_of",
    "look_up",
    "make_lists",
    "make_pairs",
    "read_live_list",
    "stage_releases",
    "switch_live",
    "tenants_of",
    "version_of",
    "wanted_releases",
    "with_arms",
]
