"""Data Docs: what they show about which tenant, and that they show no other tenant's data."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from recfleet.database import Connection, connect, transaction
from recfleet.quality import (
    DocsPage,
    Result,
    build_docs,
    load_suites,
    read_docs,
    store_docs,
    store_results,
    validate,
)
from tests.quality.shops import AS_OF, SUITES, Shop

pytestmark = pytest.mark.postgres

MARKUP = "<img src=x onerror=alert(1)>"


class _Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def night_id(connection: Connection) -> int:
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, as_of) values ('first', %s) returning night_id", (AS_OF,)
        )
        [(night_id,)] = cursor.fetchall()
    return int(night_id)


def _pages(connection: Connection, night_id: int, *tenants: str) -> dict[str | None, str]:
    results = validate(connection, tenants, AS_OF, SUITES).results
    store_results(connection, night_id, results)
    suite = load_suites(SUITES).tenants
    return {page.tenant_id: page.html for page in build_docs(connection, night_id, AS_OF, suite)}


@pytest.mark.slow
def test_a_summary_and_a_page_for_each_tenant_that_failed(
    connection: Connection, night_id: int
) -> None:
    Shop.steady("fine").write(connection)
    Shop.steady("broken").add_unusable(90, "no customer").write(connection)

    pages = _pages(connection, night_id, "fine", "broken", "empty")

    assert set(pages) == {None, "broken", "empty"}
    assert "there is no usable purchase line" in pages["empty"].lower()
    broken = pages["broken"]
    assert "customers-missing-suddenly" in broken
    assert "no customer" in broken
    assert len(re.findall(r"must be less than or equal to", broken)) > 10, "the library's words"
    summary = pages[None]
    assert "Data quality of 3 tenants" in summary
    assert '<a href="broken">broken</a>' in summary
    assert '<a href="fine">' not in summary
    assert "33.33% of 3 total rows" in summary


def test_the_summary_has_names_and_says_a_thing_once(connection: Connection, night_id: int) -> None:
    Shop.steady("broken").add_unusable(90, "no customer").write(connection)
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute("insert into tenant (tenant_id, name) values ('broken', 'Broken & Sons')")
    # The same number violates two limits.
    suite = load_suites(SUITES).tenants
    for name in ("customers-missing", "customers-missing-warning"):
        column = suite.expectations[name].column
        assert column == "share_without_customer"
    results = [
        Result("broken", "customers-missing", "critical", False, 0.8, "at most 60%"),
        Result("broken", "customers-missing-warning", "warning", False, 0.8, "at most 50%"),
    ]
    store_results(connection, night_id, results)
    pages = {page.tenant_id: page.html for page in build_docs(connection, night_id, AS_OF, suite)}
    summary = pages[None]
    assert '<a href="broken">Broken &amp; Sons</a>: 80% of the lines' in summary
    assert "at most 60% is allowed" in summary
    assert "at most 50% is allowed" not in summary
    assert "<h1>Data quality of Broken &amp; Sons</h1>" in pages["broken"]


def test_nothing_is_loaded_and_nothing_runs(connection: Connection, night_id: int) -> None:
    Shop.steady("broken").add_unusable(90, "no customer").write(connection)

    for page in _pages(connection, night_id, "broken").values():
        tags = _Tags(page).found
        assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}
        for _, attributes in tags:
            assert not {name for name in attributes if name.startswith("on") or name == "src"}
            assert not (attributes.get("href") or "").startswith(("http", "//", "javascript"))


def test_what_tenants_wrote_is_text(connection: Connection, night_id: int) -> None:
    shop = Shop.steady("broken").add_unusable(90, "no customer")
    for line in shop.unusable:
        line.line = {MARKUP: MARKUP}
    shop.write(connection)
    results = validate(connection, ["broken"], AS_OF, SUITES).results
    assert any(MARKUP in str(result.sample) for result in results), "the sample shows it"
    store_results(connection, night_id, results)

    [page, _] = build_docs(connection, night_id, AS_OF, load_suites(SUITES).tenants)

    assert "&lt;img src=x" in page.html
    assert not [tag for tag, _ in _Tags(page.html).found if tag == "img"]


def test_a_night_without_validation_has_no_page(connection: Connection, night_id: int) -> None:
    assert list(build_docs(connection, night_id, AS_OF, load_suites(SUITES).tenants)) == []


def test_pages_are_kept_as_they_were_made_and_replaced_whole(
    connection: Connection, night_id: int, database_url: str
) -> None:
    first = [DocsPage("a", "<p>ä</p>"), DocsPage(None, "all")]
    assert store_docs(connection, night_id, first) == 2
    assert store_docs(connection, night_id, [DocsPage(None, "new")]) == 1
    connection.commit()

    other = connect(database_url)
    assert read_docs(other, night_id, None) == "new"
    assert read_docs(other, night_id, "a") is None
    assert store_docs(other, night_id, first) == 2
    assert read_docs(other, night_id, "a") == "<p>ä</p>"
    other.close()
