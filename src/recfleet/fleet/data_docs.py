"""Data Docs: a night's pages about data quality, for people."""

from __future__ import annotations

from contextlib import closing

from recfleet.database import connect, transaction
from recfleet.record import get_night
from recfleet.settings import suites_folder


def document_quality(run_id: str) -> int:
    """Render the pages of a night that has been validated, once for the fleet; safe to repeat.

    Args:
        run_id: of the Airflow run.

    Returns:
        How many pages there are: a summary, and one for each tenant that failed an expectation;
        0 if nobody was validated.

    Raises:
        LookupError: plan has not written this night.
        ConfigurationError: the suites cannot be used.
    """
    from recfleet import quality

    purpose = "recfleet data docs"
    with closing(connect(purpose=purpose)) as reader, closing(connect(purpose=purpose)) as writer:
        night = get_night(reader, run_id)
        if not quality.has_results(reader, night.night_id):
            return 0  # Importing Great Expectations takes seconds.
        suite = quality.load_suites(suites_folder()).tenants
        pages = quality.build_docs(reader, night.night_id, night.as_of, suite)
        with transaction(writer):
            return quality.store_docs(writer, night.night_id, pages)
