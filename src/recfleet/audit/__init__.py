"""The audit: who changed what about a tenant, when and why; append-only and chained by hashes."""

from recfleet.audit._chain import Chain, Fault, Head, check_chain, parse_head, read_head
from recfleet.audit._facts import (
    AnswerFacts,
    AwaitingFacts,
    BackfillFacts,
    ChampionFacts,
    DeletionFacts,
    Facts,
    FieldChange,
    MadeFrom,
    ModeFacts,
    PolicyFacts,
    RepairFacts,
    Span,
    read_facts,
)
from recfleet.audit._read import OnRecord, read_entries
from recfleet.audit._words import (
    OF_BACKFILL,
    airflow_run,
    facts_in_words,
    numbers_in_words,
    span_in_words,
    what_changed,
    where_it_came_from,
)
from recfleet.audit._write import SCHEDULER, Entry, Kind, append_entries

__all__ = [
    "OF_BACKFILL",
    "SCHEDULER",
    "AnswerFacts",
    "AwaitingFacts",
    "BackfillFacts",
    "Chain",
    "ChampionFacts",
    "DeletionFacts",
    "Entry",
    "Facts",
    "Fault",
    "FieldChange",
    "Head",
    "Kind",
    "MadeFrom",
    "ModeFacts",
    "OnRecord",
    "PolicyFacts",
    "RepairFacts",
    "Span",
    "airflow_run",
    "append_entries",
    "check_chain",
    "facts_in_words",
    "numbers_in_words",
    "parse_head",
    "read_entries",
    "read_facts",
    "read_head",
    "span_in_words",
    "what_changed",
    "where_it_came_from",
]
