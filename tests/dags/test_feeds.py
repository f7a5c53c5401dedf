"""A whole day: data arrives in a folder, a bucket and a table, and the night's lists know it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recfleet.database import Connection, connect, transaction
from recfleet.feeds import add_feed, feed_overview, get_feed
from recfleet.local import PostgresServer
from recfleet.settings import RegistrySettings
from tests.dags.conftest import RunPython
from tests.nights import query, run_night

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]

RUN = """
import json, os, runpy
from datetime import datetime
from airflow.dag_processing.dagbag import DagBag
dags = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags
states = []
for conf in json.loads(os.environ["CONFS"]):
    run = dags["fleet_feeds"].test(run_conf=conf)
    states.append([run.state, *(task.state for task in run.get_task_instances())])
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
from sqlalchemy import select
with create_session() as session:
    events = [event.extra for event in session.scalars(select(AssetEvent))]
night = runpy.run_path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"] + "/nightly_fleet.py")
waited = []
for as_of in json.loads(os.environ["NIGHTS"]):
    try:
        waited.append(night["_wait_for_feeds"](datetime.fromisoformat(as_of)))
    except Exception as error:
        waited.append(type(error).__name__)
print(json.dumps({"states": states, "events": events, "waited": waited}))
"""
DAY = timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = MIDNIGHT - DAY
COLUMNS = (
    '[columns]\ncustomer_column = "customer"\nproduct_column = "product"\ntime_column = "time"\n'
)


@pytest.fixture
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def lines(shop: str, yesterday: datetime) -> list[tuple[str, str, str]]:
    """Twelve customers who each bought three of six products."""
    return [
        (f"{shop}-c{who:02}", f"{shop}-p{(who + step) % 6}", f"{yesterday:%Y-%m-%d} 10:{who:02}")
        for who in range(12)
        for step in range(3)
    ]


def text(rows: list[tuple[str, str, str]]) -> str:
    return "\n".join(["customer,product,time", *(",".join(row) for row in rows)]) + "\n"


@pytest.fixture
def tills(postgres_server: PostgresServer) -> Iterator[str]:
    """Address of somebody's own database, with yesterday's sales."""
    postgres_server.create_database("tills")
    url = postgres_server.url("tills")
    with closing(connect(url)) as till, transaction(till), till.cursor() as cursor:
        cursor.execute(
            "create schema recfleet; create table recfleet.sold "
            "(id serial, customer text, product text, time timestamptz)"
        )
        cursor.executemany(
            "insert into recfleet.sold (customer, product, time) values (%s, %s, %s)",
            lines("till", YESTERDAY),
        )
    yield url
    postgres_server.drop_database("tills")


@pytest.fixture
def bucket(s3: str) -> str:
    """A bucket with yesterday's sales, a file that nobody can read, and a catalogue."""
    client = boto3.client(
        "s3", endpoint_url=s3, aws_access_key_id="k", aws_secret_access_key="s3cr3t",
        region_name="us-east-1",
    )  # fmt: skip
    client.create_bucket(Bucket="sales")
    sold = text(lines("bay", YESTERDAY)).encode()
    client.put_object(Bucket="sales", Key="daily/bay.csv", Body=sold)
    client.put_object(Bucket="sales", Key="daily/bad.csv", Body=b"this is no table")
    where = b"product,where\nbay-p0,DE\n"
    client.put_object(Bucket="sales", Key="catalogue/products.csv", Body=where)
    extra = {"endpoint_url": s3, "region_name": "us-east-1"}
    told = {"conn_type": "aws", "login": "k", "password": "s3cr3t", "extra": extra}
    return json.dumps(told)


@pytest.fixture
def outside(bucket: str, tills: str) -> dict[str, str]:
    """Airflow's connections to both."""
    return {"AIRFLOW_CONN_SALES_BUCKET": bucket, "AIRFLOW_CONN_TILLS": tills}


def test_a_whole_day(
    connection: Connection,
    stack: RegistrySettings,
    run_python: RunPython,
    outside: dict[str, str],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "feed"
    (folder / "Corner").mkdir(parents=True)
    (folder / "Corner" / "sales.csv").write_text(text(lines("corner", YESTERDAY)))
    (folder / "Corner" / "bad.csv").write_text("this is no table")
    place = f'[folder]\npath = "{folder}"\ncomplete = "renamed"\n'
    of_bay = 'kind = "s3"\ntenant = "bay"\n'
    s3 = '[s3]\nbucket = "sales"\nconnection = "sales_bucket"\n'
    where = '[columns]\nproduct_column = "product"\nregions_column = "where"\n'
    query_of = '[sql]\nconnection = "tills"\nquery = "select * from recfleet.sold"\n'
    for name, toml in {
        "corner": f'kind = "folder"\ntenants = "folders"\n{place}{COLUMNS}',
        "bay": f'{of_bay}{s3}prefix = "daily"\n{COLUMNS}',
        "bay-products": f'{of_bay}data = "products"\n{s3}prefix = "catalogue"\n{where}',
        "till": f'kind = "sql"\ntenant = "till"\n{query_of}cursor = "id"\n{COLUMNS}',
        "broken": f'kind = "sql"\ntenant = "till"\n{query_of}cursor = "id"\n{COLUMNS}'.replace(
            '"tills"', '"nowhere"'
        ),
    }.items():
        add_feed(connection, name, toml, actor="ann", reason="trial")
    connection.commit()

    ran = json.loads(
        run_python(
            RUN,
            CONFS=json.dumps([{"feeds": ["till"], "test": True}, {"feeds": None, "test": False}]),
            NIGHTS=json.dumps([MIDNIGHT.isoformat(), (MIDNIGHT + 2 * DAY).isoformat()]),
            **outside,
            RECFLEET_FEEDS_WAIT_MINUTES="0.0001",
        )
    )

    assert ran["states"] == [["success", "skipped"], ["success", "success"]]  # a test takes nothing
    assert ran["events"] == [{"bay": 36, "bay-products": 1, "corner": 36, "till": 36}]
    connection.rollback()
    assert "36 rows up to id 36:" in (get_feed(connection, "till").tested or {})["found"]
    told = {row["feed"]: row for row in feed_overview(connection)}
    assert "Airflow has no connection nowhere" in told["broken"]["why"]
    assert (told["corner"]["aside"], told["bay"]["aside"]) == (1, 1)
    assert "s3cr3t" not in json.dumps(told, default=str)
    # The night has waited as long as it may, and goes without.
    without, later = ran["waited"]
    assert list(without) == ["broken"]
    assert later == "AirflowRescheduleException"

    run_night("a night", MIDNIGHT, late_feeds=without)
    [(summary,)] = query(connection, "select summary from night")
    assert "Without late feeds (broken: Airflow has no connection" in summary["sentence"]
    shown = query(connection, "select distinct tenant_id, product_id from live_recommendation")
    for tenant in ("bay", "corner", "till"):
        first = 1 if tenant == "bay" else 0  # sold in DE alone, where nobody is known to be
        wanted = {f"{tenant}-p{number}" for number in range(first, 6)}
        assert {product for shop, product in shown if shop == tenant} == wanted
