"""What the service promises of its answers: the shapes that the OpenAPI document shows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from recfleet.feedback import Standing
from recfleet.keys import Scope


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Why(_Told):
    """Why a product is in a list."""

    code: Literal["bought", "trend", "because", "taste", "popular"] = Field(examples=["because"])
    """bought: they bought it before; trend: others began to buy it lately; because: the purchases
    named raise its score most; taste: the model's, without a name; popular."""
    sentence: str = Field(examples=["because they bought REGENCY CAKESTAND 3 TIER"])
    """Without a full stop."""
    because: list[str] = Field(examples=[["22423"]])
    """Products that the customer bought, the strongest first; only with the code because."""


class Item(_Told):
    """One place of a list."""

    rank: int = Field(examples=[1])
    """1 for the best."""
    product: str = Field(examples=["22423"])
    name: str | None = Field(examples=["REGENCY CAKESTAND 3 TIER"])
    category: str | None = Field(examples=["kitchen"])
    kind: Literal["new", "again"] | None = Field(examples=["new"])
    """Whether the customer never bought it; null: nobody knows, or no customer is meant."""
    score: float = Field(examples=[0.41])
    """Falling within a list; scores of different releases do not compare."""
    source: Literal["taste", "habit", "trend", "popular"] = Field(examples=["taste"])
    """What put the product there."""
    why: Why | None = None
    """Only where reasons are asked for; null: ``unexplained`` says why there is none."""


class _Recommended(_Told):
    id: str = Field(examples=["019ac2f0-5a3e-7c11-9b52-0d6f3f1c9a77"])
    """The answer's own id, a UUID of version 7."""
    channel: Literal["pull"]
    tenant: str = Field(examples=["germany"])
    release: int | None = Field(examples=[318])
    """The live release; null: there is none."""
    model_version: int | None = Field(examples=[7])
    as_of: str | None = Field(examples=["2026-11-27T00:00:00+00:00"])
    """The release knows no later purchase."""
    served_by: Literal["model", "personal", "popularity", "nothing"]
    """personal: lists of the customers' own, made without a model."""
    note: str | None = Field(examples=[None])
    """A sentence, when the answer is another than was asked for."""
    items: list[Item]


class CustomersList(_Recommended):
    """A customer's live list; the popular list for a customer whom it does not know."""

    customer: str | None = Field(examples=["12583"])
    """Null: the popular list was asked for."""
    customer_is_known: bool
    arm: str | None = Field(examples=[None])
    """The arm of the experiment that the customer is in, such as ``version:7``; null: none."""
    is_stale: bool
    """True: the database is away, and this is what was live a while ago (``Age`` has the
    seconds)."""
    unexplained: str | None = None
    """Only with ``explain``: a sentence, when reasons are missing or name no purchases."""


class Place(_Told):
    """One place of a customer's live list, and why the product is there."""

    tenant: str = Field(examples=["germany"])
    customer: str = Field(examples=["12583"])
    customer_is_known: bool
    release: int = Field(examples=[318])
    model_version: int | None = Field(examples=[7])
    as_of: str = Field(examples=["2026-11-27T00:00:00+00:00"])
    """The reasons know no later purchase."""
    served_by: Literal["model", "personal", "popularity"]
    arm: str | None = Field(examples=[None])
    note: str | None = Field(examples=[None])
    """A sentence, when the list is another than was asked for."""
    unexplained: str | None = Field(examples=[None])
    """A sentence, when the reason is missing or names no purchases."""
    is_stale: bool
    item: Item


class BasketAnswer(_Recommended):
    """What goes with products; computed for this request, or by the night for a pair of them."""

    customer: str | None


class SimilarAnswer(_Recommended):
    """Products that the same customers buy; scores are cosines."""

    product: str


class Customer(_Told):
    """A customer of the live lists."""

    customer: str = Field(examples=["12583"])
    name: str | None = Field(examples=["La Petite Boutique"])
    """Null: no file or feed has named them."""


class Customers(_Told):
    """The customers that were found, by their ids."""

    customers: list[Customer]


class Product(_Told):
    """A product of the catalogue."""

    product: str = Field(examples=["22423"])
    name: str | None = Field(examples=["REGENCY CAKESTAND 3 TIER"])
    category: str | None = Field(examples=["kitchen"])
    is_offered: bool
    """False: it is discontinued or yet to come, or excluded by the tenant's policy."""


class Products(_Told):
    """The products that were found."""

    products: list[Product]


class TenantMode(_Told):
    """A tenant's mode."""

    tenant: str = Field(examples=["germany"])
    mode: Literal["on", "frozen", "off"]
    former: Literal["on", "frozen", "off"]
    """The mode before this request."""
    note: str | None
    """What a tenant shows that was off."""


class KeptEvent(_Told):
    """What became of an event that was sent."""

    id: str | None = Field(examples=["till-3-000017"])
    """Null: the event names none."""
    status: Literal["stored", "repeated", "refused"]
    """repeated: an event of this id was stored before, and it stays as it is."""
    standing: Standing | None
    """in time; late: it happened over seven days ago; early: it has not happened yet; impossible:
    it names an answer that is younger than the event, or none of ours. All of them are stored."""
    detail: str | None = Field(examples=[None])
    """What to correct; only where it was refused."""


class KeptEvents(_Told):
    """One line for each event, in the order in which they were sent."""

    events: list[KeptEvent]


class StoredLine(_Told):
    """What became of a line that was sent."""

    status: Literal["stored", "known", "refused"]
    """known: it was there already, and nothing has changed."""
    detail: str | None = Field(examples=[None])
    """Why it was refused."""


class StoredLines(_Told):
    """One entry for each line, in the order in which they were sent."""

    interactions: list[StoredLine]


class StoredCustomers(_Told):
    """One entry for each customer, in the order in which they were sent."""

    customers: list[StoredLine]


class StoredProducts(_Told):
    """One entry for each product, in the order in which they were sent."""

    products: list[StoredLine]


class OwnKey(_Told):
    """What a key opens."""

    tenant: str = Field(examples=["germany"])
    tenant_name: str = Field(examples=["Germany"])
    mode: Literal["on", "frozen", "off"]
    name: str = Field(examples=["till"])
    """What the key is for."""
    scopes: list[Scope]
    expires_at: str | None
    """Null: never."""


class Problem(_Told):
    """Problem details by RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["No such tenant"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["This key opens no tenant 'acne': use the id that came with it."])
    """What to do, in a sentence."""


class KpiSums(_Told):
    """Sums over days."""

    lists: int = Field(examples=[1200])
    """Customers who were given a list, each day anew."""
    customers: int = Field(examples=[950])
    """Customers who saw something of it, each day anew."""
    shown: int = Field(examples=[7400])
    """Products that were seen."""
    accepted: int = Field(examples=[310])
    rejected: int = Field(examples=[42])
    purchases: int = Field(examples=[180])
    """Purchases that are credited to answers."""
    claimed: int = Field(examples=[120])
    """Of these, by the id of an answer."""
    revenue: float = Field(examples=[2410.5])
    """Of these purchases, in the tenant's currency."""
    accept_rate: float | None = Field(examples=[0.0419])
    """Accepted among shown; null: nothing was seen."""


class KpisOfDay(KpiSums):
    """A day."""

    day: str = Field(examples=["2026-11-27"])


class KpisOfChannel(KpiSums):
    """A channel."""

    channel: Literal["pull", "push", "unknown"]


class KpisOfKind(KpiSums):
    """A kind of product; ``all`` counts lists and customers."""

    kind: Literal["all", "new", "again", "unknown"]


class KpisOfVersion(KpiSums):
    """A model version; null: no model."""

    model_version: int | None = Field(examples=[7])


class KpisOfArm(KpiSums):
    """A way of serving; control: kept out by lot; null: no experiment."""

    arm: str | None = Field(examples=["control"])


class AttributedKpis(_Told):
    """What was bought after an answer had shown it."""

    means: str
    """What these numbers say, and what they do not."""
    all: KpiSums
    by_channel: list[KpisOfChannel]
    by_kind: list[KpisOfKind]
    by_model_version: list[KpisOfVersion]
    by_arm: list[KpisOfArm]
    by_day: list[KpisOfDay]


class ComparedChannel(_Told):
    """Revenue of customers who are served against the control, in the window, of one channel."""

    channel: Literal["pull", "push"]
    day: str = Field(examples=["2026-11-28"])
    """Of the night that compared them."""
    served: int = Field(examples=[3200])
    """Customers whose window has passed."""
    control: int = Field(examples=[340])
    served_mean: float | None = Field(examples=[31.4])
    control_mean: float | None = Field(examples=[29.2])
    difference: float | None = Field(examples=[2.1])
    """A customer, with what they spent before taken out; null: too few customers on a side."""
    low: float | None = Field(examples=[0.4])
    """Lower bound, which holds at 95% however often one looks."""
    high: float | None = Field(examples=[3.8])


class IncrementalKpis(_Told):
    """What customers who are served spend beyond those of the control."""

    means: str
    channels: list[ComparedChannel]
    """Empty: there is no control."""


class TenantInsights(_Told):
    """What came of a tenant's answers."""

    tenant: str = Field(examples=["germany"])
    since: str = Field(examples=["2026-11-01"])
    until: str = Field(examples=["2026-11-29"])
    """The first day that is not among them."""
    attributed: AttributedKpis
    incremental: IncrementalKpis
