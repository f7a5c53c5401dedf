"""Which column of a file says what, as far as names and contents show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from recfleet.files import Batch
from recfleet.interactions._events import find_events
from recfleet.interactions._times import parse_times

_NAMES: dict[str, tuple[str, ...]] = {
    "tenant_column": (
        "tenant", "shop", "store", "storeid", "shopid", "branch", "filiale", "markt", "seller",
        "sellerid", "country",
    ),
    "customer_column": (
        "customer", "customerid", "customerno", "customernumber", "custid", "client", "clientid",
        "user", "userid", "visitorid", "member", "memberid", "buyer", "buyerid", "kunde",
        "kundennr", "kundennummer", "kundenid", "householdkey", "reviewerid",
        "customeruniqueid", "cliente",
    ),
    "product_column": (
        "product", "productid", "productcode", "item", "itemid", "itemno", "sku", "stockcode",
        "article", "articleid", "artikel", "artikelnr", "artikelnummer", "asin", "movieid", "ean",
        "gtin", "producto", "produit",
    ),
    "time_column": (
        "time", "timestamp", "datetime", "date", "when", "ts", "invoicedate", "orderdate",
        "eventtime", "purchasedate", "purchasedat", "orderpurchasetimestamp", "createdat",
        "transactiondate", "tdat", "datum", "zeit", "unixreviewtime", "day", "fecha",
    ),
    "quantity_column": ("quantity", "qty", "units", "count", "pieces", "menge", "anzahl", "stück"),
    "amount_column": (
        "amount", "total", "lineamount", "linetotal", "totalprice", "salesvalue", "revenue",
        "betrag", "umsatz", "summe", "worth", "importe",
    ),
    "price_column": ("price", "unitprice", "preis", "einzelpreis", "precio", "prix"),
    "description_column": (
        "description", "productname", "itemname", "name", "title", "bezeichnung", "artikelname",
    ),
    "category_column": ("category", "categorycode", "categoryid", "department", "kategorie"),
    "reference_column": (
        "invoice", "invoiceno", "order", "orderid", "orderno", "basketid", "transactionid",
        "receipt", "receiptno", "rechnung", "bon", "bonnr",
    ),
}  # fmt: skip
"""Field of a mapping -> usual names of its column, letters and digits alone, likeliest first."""


def propose(sample: Batch, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a mapping: those that are given, and for the others a proposal.

    Args:
        sample: the first lines.
        given: fields that a person named; they stay.

    Returns:
        Fields of a ColumnMapping; what nothing shows is left out.
    """
    fields = dict(given)
    plain = {re.sub(r"[\W_]", "", name.casefold()): name for name in reversed(list(sample.columns))}
    taken = {said for name, said in fields.items() if name.endswith("_column")}
    for field, names in _NAMES.items():
        other = {"tenant_column": "tenant_id", "price_column": "amount_column"}.get(field)
        if field in fields or other in fields:
            continue
        found = (plain[name] for name in names if name in plain and plain[name] not in taken)
        if column := next(found, None):
            fields[field] = column
            taken.add(column)
    if "time_column" not in fields and (column := _of_times(sample, taken)):
        fields["time_column"] = column
    if "keep" not in fields and (event := find_events(sample, taken)):
        fields["keep"] = {event[0]: (event[1],)}
    return fields


def _of_times(sample: Batch, taken: set[str]) -> str | None:
    """The first column of which nearly all values are times."""
    for name, column in sample.columns.items():
        text = pc.utf8_trim_whitespace(column[:1000])
        filled = len(text) - text.null_count
        if name in taken or not filled:
            continue
        read = parse_times(text)
        if (len(read) - read.null_count) > 0.9 * filled:
            return name
    return None
