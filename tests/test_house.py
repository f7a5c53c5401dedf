"""The house: who may know whom, which room owns each table, and where libraries are imported.

When a test here fails, either an import is in the wrong room, or the house has changed: then
change the table, ``docs/architecture.md`` and the code in one commit, and say why.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

from recfleet.quality import COLUMNS
from tests.tables_named import names_in, tables_named

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCE = CHECKOUT / "src" / "recfleet"

# Every room may know these; they know no room (settings knows errors).
COMMON = {
    "answer_ids",
    "batches",
    "contents",
    "errors",
    "faces",
    "ids",
    "kinds",
    "recipe",
    "settings",
    "stored",
    "values",
}

# Room -> the rooms that it may know.
ARROWS: dict[str, set[str]] = {
    # The parts of a night: they know each other only where their work needs it.
    "database": set(),
    "audit": {"database", "judging"},  # an entry has the judge's numbers
    "statistics": set(),
    "models": set(),
    "tenants": {"database"},
    "files": {"tenants"},
    # Models are made from what is read.
    "interactions": {"database", "files", "models", "tenants"},
    # Data comes in as it does by hand.
    "feeds": {"audit", "database", "interactions", "tenants"},
    "keys": {"audit", "database", "tenants"},  # a key's life is in the audit
    # What was bought, how sure a difference is, and for how long the policy looks.
    "feedback": {"database", "interactions", "statistics", "tenants"},
    # Groups, arms and looks; each is in the audit.
    "experiments": {
        "audit", "database", "feedback", "interactions", "statistics", "tenants",
    },
    "synthetic": {"database", "interactions", "tenants"},
    # Customers of synthetic tenants, who see lists as campaigns do.
    "simulation": {
        "campaigns", "database", "feedback", "releases", "synthetic", "tenants",
    },
    "quality": {"database", "interactions", "tenants"},
    "judging": {"models", "statistics", "tenants"},
    "registry": {"database", "models", "tenants"},
    "record": {"audit", "database", "judging", "tenants"},
    # A release belongs to a night, and is live with the champion: its views join both.
    "releases": {"audit", "database", "interactions", "models", "record", "tenants"},
    # The lists of many customers at once, as files.
    "campaigns": {"database", "feedback", "interactions", "models", "releases", "tenants"},
    # Why a product is in a list: from the purchases, and from the model that made the list.
    # A list's origin is in the audit, with the judge's numbers.
    "reasons": {
        "audit", "database", "feedback", "interactions", "judging", "models", "record", "registry",
        "releases", "tenants",
    },
    # What a fit begins with: an earlier one on record.
    "lineage": {"audit", "database", "models", "record", "registry"},
    # The night itself.
    "fleet": {
        "audit", "database", "experiments", "feedback", "interactions", "judging", "lineage",
        "models", "quality", "record", "registry", "releases", "tenants",
    },
    # What is past retention goes, by day.
    "housekeeping": {
        "database", "experiments", "feedback", "quality", "record", "registry", "releases",
        "tenants",
    },
    # A person's work by day, above nights and rooms.
    "operations": {
        "audit", "database", "experiments", "feedback", "feeds", "fleet", "interactions",
        "judging", "keys", "quality", "record", "registry", "releases", "tenants",
    },
    "doctor": {
        "audit", "database", "fleet", "models", "operations", "record", "registry", "releases",
        "tenants",
    },
    # The HTTP service for tenants' applications; never the night.
    "serving": {
        "campaigns", "feedback", "interactions", "keys", "models", "reasons", "registry", "web",
    },
    # Shared by every face over HTTP.
    "web": {"database"},
    # The pages inside the Airflow UI.
    "pages": {
        "audit", "database", "experiments", "feedback", "feeds", "interactions", "keys",
        "operations", "quality", "reasons", "record", "registry", "releases", "tenants", "web",
    },
    # The stack on one machine.
    "local": {"database"},
    # What all commands share.
    "terminal": {"database", "operations"},
    # The commands about what came of answers.
    "reports": {"audit", "database", "feedback", "operations", "tenants", "terminal"},
    # `recfleet experiment`.
    "experiment_cli": {
        "database", "experiments", "interactions", "operations", "statistics", "tenants",
        "terminal",
    },
    # The commands.
    "cli": {
        "audit", "campaigns", "database", "doctor", "experiment_cli", "experiments", "feedback",
        "feeds", "fleet", "housekeeping", "interactions", "keys", "local", "operations", "reasons",
        "record", "registry", "releases", "reports", "serving", "simulation", "synthetic",
        "tenants", "terminal",
    },
}  # fmt: skip

# Room -> its tables, which no other room's SQL names.
TABLES: dict[str, set[str]] = {
    "tenants": {"analyst", "tenant"},
    "interactions": {"customer", "forgotten", "ingest", "interaction", "product", "unusable_line"},
    "feeds": {"feed", "feed_taking"},
    "keys": {"api_key"},
    "feedback": {
        "attributed",
        "attributed_day",
        "attribution",
        "event",
        "exposure",
        "incremental",
        "kpi_day",
    },
    "experiments": {"experiment", "experiment_look", "experiment_pause", "experiment_phase"},
    "record": {
        "approval",
        "champion",
        "fleet_weights",
        "learned_line",
        "ledger",
        "night",
        "shard_run",
    },
    "audit": {"audit"},
    "quality": {"data_docs", "quality_result"},
    "releases": {"live_release", "pair_lists", "recommendation", "release"},
}

# Room -> its views, for the rooms that may know it to read.
VIEWS: dict[str, set[str]] = {
    "tenants": {"roster"},
    "interactions": {"catalogue", "purchase"},
    "record": {
        "approval_request", "counted_night", "in_force", "model_on_record", "night_overview",
        "shard_task", "tenant_night",
    },
    "audit": {"history", "promotion"},
    "quality": {"quality_finding"},
    "releases": {
        "live", "live_excluded", "live_origin", "live_popular", "live_recommendation",
        "release_overview",
    },
}  # fmt: skip

# Libraries that import slowly -> the rooms that may import them, only inside functions.
HEAVY: dict[str, set[str]] = {
    "airflow": set(),
    "great_expectations": {"quality"},
    "implicit": {"models"},
    "mlflow": {"registry"},
    "pandas": {"quality", "registry"},
    "statsmodels": {"statistics"},
}

# Importing these files in this order into one process must import none of those libraries.
LIGHT = {
    "airflow", "great_expectations", "implicit", "mlflow", "pandas", "sklearn", "statsmodels",
}  # fmt: skip
LIGHTER = LIGHT | {"numpy", "pyarrow", "scipy"}
# Rooms whose names are imported when they are first asked for.
LAZY = ("feeds", "fleet", "judging", "operations")
BRINGS_NOTHING_OF = {
    "recfleet.errors": LIGHTER,
    "recfleet.settings": LIGHTER,
    "recfleet.database": LIGHTER,
    "recfleet.recipe": LIGHTER,
    "recfleet.tenants": LIGHTER,
    **{f"recfleet.{room}": LIGHTER for room in LAZY},
    **{
        f"recfleet.{room}": LIGHT
        for room in ARROWS
        if room not in ("database", "tenants") and room not in LAZY
    },
    "recfleet.fleet.stages": LIGHT,
}


@dataclass(frozen=True)
class Import:
    module: str
    line: int
    at_top: bool
    """Whether it happens when the file is imported."""


@cache
def _imports(path: Path) -> tuple[Import, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(_walk(tree, at_top=True))


def _walk(node: ast.AST, *, at_top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(name.name, child.lineno, at_top) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield Import(child.module or "", child.lineno, at_top)
            # `from recfleet.models import als` names its room second.
            if child.module == "recfleet":
                for name in child.names:
                    yield Import(f"recfleet.{name.name}", child.lineno, at_top)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or _typing_only(
                child
            )
            yield from _walk(child, at_top=at_top and not inside)


def _typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def _top(module: str) -> str:
    return module.partition(".")[0]


# --- Rooms ----------------------------------------------------------------------------------------


def test_every_room_is_in_the_table() -> None:
    rooms = {_room(path) for path in _files()} - COMMON - {"__init__"}

    assert rooms == set(ARROWS)


def test_the_arrows_go_one_way() -> None:
    seen: set[str] = set()
    while len(seen) < len(ARROWS):
        free = {room for room, known in ARROWS.items() if room not in seen and known <= seen}
        assert free, f"a circle among {set(ARROWS) - seen}"
        seen |= free


def test_rooms_know_only_whom_they_may() -> None:
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{found.line} imports {found.module}"
        for path in _files()
        for found in _imports(path)
        if found.module.startswith("recfleet.")
        and found.module.split(".")[1] not in COMMON | ARROWS.get(_room(path), set())
        and found.module.split(".")[1] != _room(path)
    ]

    assert wrong == []


def test_every_arrow_is_walked() -> None:
    walked: dict[str, set[str]] = {room: set() for room in ARROWS}
    for path in _files():
        for found in _imports(path):
            if found.module.startswith("recfleet.") and _room(path) in walked:
                walked[_room(path)].add(found.module.split(".")[1])
    for room, owner in _read_by_sql():
        walked[room].add(owner)

    idle = {
        room: sorted(known - walked[room]) for room, known in ARROWS.items() if known - walked[room]
    }
    assert idle == {}, "nobody needs these arrows any more"


def test_what_is_private_to_a_room_stays_there() -> None:
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{found.line} imports {found.module}"
        for folder in (SOURCE, CHECKOUT / "dags", CHECKOUT / "plugins")
        for path in sorted(folder.rglob("*.py"))
        for found in _imports(path)
        if found.module.startswith("recfleet.")
        and any(part.startswith("_") for part in found.module.split("."))
        and not (folder == SOURCE and found.module.split(".")[1] == _room(path))
    ]

    assert wrong == []


def test_nobody_asks_for_a_family_of_models() -> None:
    """Rooms that know only the contract need no change for a new family."""
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{found.line} imports {found.module}"
        for folder in (SOURCE, CHECKOUT / "dags", CHECKOUT / "plugins")
        for path in sorted(folder.rglob("*.py"))
        for found in _imports(path)
        if found.module.startswith("recfleet.models.")
        and not (folder == SOURCE and _room(path) == "models")
    ]

    assert wrong == []


# --- Tables ---------------------------------------------------------------------------------------

MIGRATIONS = SOURCE / "database" / "migrations"
OWNER_OF_TABLE = {table: room for room, tables in TABLES.items() for table in tables}
OWNER_OF_VIEW = {view: room for room, views in VIEWS.items() for view in views}


def test_every_table_has_a_room() -> None:
    made: dict[str, set[str]] = {"table": set(), "view": set()}
    for statement in _migrations():
        for verb, what, name in re.findall(
            r"\b(create|drop) (table|view) recfleet\.(\w+)", statement
        ):
            made[what] = made[what] | {name} if verb == "create" else made[what] - {name}

    assert made["table"] == set(OWNER_OF_TABLE)
    assert made["view"] == set(OWNER_OF_VIEW)


def test_only_its_room_names_a_table() -> None:
    """Other rooms call one of the owner's functions, or read one of its views."""
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{line} names {name}"
        for path, line, name in _named_in_sql()
        if not _may_name(_room_of(path), name)
    ]

    assert wrong == []


def test_a_view_reads_what_its_room_may_know() -> None:
    wrong = [
        f"{view} of {room} reads {name}"
        for view, room, name in _read_by_views()
        if not ({OWNER_OF_TABLE[name]} <= {room} | ARROWS[room])
    ]

    assert wrong == []


def _may_name(room: str, name: str) -> bool:
    if name in OWNER_OF_TABLE:
        return OWNER_OF_TABLE[name] == room
    return OWNER_OF_VIEW[name] in {room} | ARROWS.get(room, set())


def _named_in_sql() -> Iterator[tuple[Path, int, str]]:
    """File, line and name, of every table or view that SQL outside the migrations names."""
    for folder in (SOURCE, CHECKOUT / "dags", CHECKOUT / "plugins"):
        for path in sorted(folder.rglob("*.py")):
            if MIGRATIONS not in path.parents:
                for line, name in tables_named(path):
                    if name in OWNER_OF_TABLE or name in OWNER_OF_VIEW:
                        yield path, line, name


def _room_of(path: Path) -> str:
    return _room(path) if SOURCE in path.parents else path.relative_to(CHECKOUT).parts[0]


def _read_by_sql() -> Iterator[tuple[str, str]]:
    """A room, and the room whose view it reads, or whose table its view reads."""
    for path, _, name in _named_in_sql():
        if name in OWNER_OF_VIEW and _room_of(path) in ARROWS:
            yield _room_of(path), OWNER_OF_VIEW[name]
    for _, room, name in _read_by_views():
        yield room, OWNER_OF_TABLE[name]


def _read_by_views() -> Iterator[tuple[str, str, str]]:
    """A view, its room, and a table that it reads, after all migrations."""
    for statement in _migrations():
        view = re.search(r"create view recfleet\.(\w+) as\b", statement)
        if view and view[1] in OWNER_OF_VIEW:
            for _, name in names_in(statement[view.end() :]):
                if name in OWNER_OF_TABLE:
                    yield view[1], OWNER_OF_VIEW[view[1]], name


def _migrations() -> list[str]:
    """The statements of the migrations, in order; statements in quotes fall apart."""
    files = [*MIGRATIONS.rglob("0*.py"), *MIGRATIONS.rglob("0*.sql")]
    texts = [path.read_text(encoding="utf-8") for path in sorted(files)]
    return [statement for text in texts for statement in text.split(";")]


# --- Heavy libraries ------------------------------------------------------------------------------


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_a_heavy_library_has_one_door(library: str) -> None:
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{found.line}"
        for path in _files()
        for found in _imports(path)
        if _top(found.module) == library and _room(path) not in HEAVY[library]
    ]

    assert wrong == []


def test_a_heavy_library_is_imported_when_it_is_needed() -> None:
    folders = {SOURCE: set(HEAVY), CHECKOUT / "dags": set(HEAVY) - {"airflow"}}
    folders[CHECKOUT / "plugins"] = folders[CHECKOUT / "dags"]
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{found.line} imports {found.module}"
        for folder, heavy in folders.items()
        for path in sorted(folder.rglob("*.py"))
        for found in _imports(path)
        if found.at_top and _top(found.module) in heavy
    ]

    assert wrong == []


def test_dags_are_thin() -> None:
    allowed = {
        "__future__", "airflow", "collections", "contextlib", "datetime", "os", "recfleet",
        "typing",
    }  # fmt: skip
    wrong = [
        f"{path.relative_to(CHECKOUT)}:{found.line} imports {found.module}"
        for path in sorted((CHECKOUT / "dags").rglob("*.py"))
        for found in _imports(path)
        if _top(found.module) not in allowed or (found.at_top and _top(found.module) == "recfleet")
    ]

    assert wrong == []


def test_faces_are_light() -> None:
    brought = _brought([f"import {module}" for module in BRINGS_NOTHING_OF])
    heavy = {
        module: sorted(packages & BRINGS_NOTHING_OF[module])
        for module, packages in zip(BRINGS_NOTHING_OF, brought, strict=True)
        if packages & BRINGS_NOTHING_OF[module]
    }

    assert heavy == {}


@pytest.mark.airflow
def test_dag_files_are_light(tmp_path: Path) -> None:
    paths = sorted((CHECKOUT / "dags").glob("*.py"))
    # Airflow's own imports do not count against the files.
    statements = ["from airflow.sdk import DAG, Param, dag, task, task_group"]
    statements += [f"import runpy; runpy.run_path({str(path)!r})" for path in paths]

    _, *brought = _brought(statements, tmp_path)

    for path, packages in zip(paths, brought, strict=True):
        assert packages & (LIGHTER | {"recfleet"}) == set(), path


def _brought(statements: list[str], airflow_home: Path = Path("/nonexistent")) -> list[set[str]]:
    """The top-level packages that each statement adds to those in memory, in one new process."""
    program = "".join(f"{statement}\nprint('brought', *sys.modules)\n" for statement in statements)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}"],
        capture_output=True,
        text=True,
        env={"AIRFLOW_HOME": str(airflow_home), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("brought ")]
    after = [{_top(name) for name in line.split()[1:]} for line in lines]
    return [now - before for before, now in zip([set(), *after], after, strict=False)]


# --- Size -----------------------------------------------------------------------------------------

# When one of these fails, look for the wall that is missing before you look at the number.
LINES_OF_A_FILE = 430
MODULES_OF_A_FOLDER = 24
LINES_OF_A_ROOM = 5_000
NAMES_OF_A_FACE = 80
LINES_OF_A_FUNCTION = 65
LINES_OF_MOST_FUNCTIONS = 30


def test_a_file_is_read_at_one_sitting() -> None:
    """430 lines are about eight screens; the median file has a hundred.

    A longer file answers more than one question, and half of it should have a name of its own.
    """
    lengths = {str(path.relative_to(CHECKOUT)): _lines(path) for path in _python()}

    assert {path: lines for path, lines in lengths.items() if lines > LINES_OF_A_FILE} == {}


def test_a_folder_is_seen_at_one_glance() -> None:
    """24 names are what an editor's tree shows of one folder without scrolling.

    With more, nobody knows where to look first: modules that belong together need their own folder.
    """
    modules = Counter(
        str(path.parent.relative_to(CHECKOUT)) for path in _python() if path.name != "__init__.py"
    )

    assert {folder: count for folder, count in modules.items() if count > MODULES_OF_A_FOLDER} == {}


def test_a_room_is_known_within_a_day() -> None:
    """5,000 lines are what one reads with care in a working day.

    A larger room is two rooms, with an arrow from one to the other.
    """
    lengths: Counter[str] = Counter()
    for path in _files():
        lengths[_room(path)] += _lines(path)

    assert {room: lines for room, lines in lengths.items() if lines > LINES_OF_A_ROOM} == {}


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_a_face_is_seen_at_one_glance(room: str) -> None:
    """80 names are two columns of forty, and a face is for people who do not know the room yet.

    The record has by far the most, because rooms that may not name its tables call it instead.
    """
    assert len(getattr(import_module(f"recfleet.{room}"), "__all__", [])) <= NAMES_OF_A_FACE


def test_a_function_is_seen_whole() -> None:
    """65 lines after the docstring are one screen, and only a long statement of SQL needs so many.

    95 of a hundred functions stay below 30 lines, so that a long one is a visible exception and not
    the custom here.
    """
    lengths = {
        f"{path.relative_to(CHECKOUT)}:{node.lineno} {node.name}": _lines_of_body(node)
        for path in _python()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: lines for name, lines in lengths.items() if lines > LINES_OF_A_FUNCTION} == {}
    assert sorted(lengths.values())[len(lengths) * 95 // 100] <= LINES_OF_MOST_FUNCTIONS


def _python() -> list[Path]:
    """Every file of the product; a migration is written once, and never grows."""
    folders = (SOURCE, CHECKOUT / "dags", CHECKOUT / "plugins")
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return [path for path in paths if MIGRATIONS not in path.parents]


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _lines_of_body(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without signature and docstring, which may be long."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


# --- Manners --------------------------------------------------------------------------------------


def test_every_face_says_what_it_is_and_what_it_shows() -> None:
    for path in sorted(SOURCE.glob("*/__init__.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstring = ast.get_docstring(tree)
        assert docstring, f"{path.relative_to(CHECKOUT)} has no docstring"

        typed = [node.body for node in tree.body if isinstance(node, ast.If) and _typing_only(node)]
        imported = {
            name.asname or name.name
            for node in [*tree.body, *chain(*typed)]
            if isinstance(node, ast.ImportFrom) and node.module != "__future__"
            for name in node.names
        }
        if imported:
            assigned = {
                target.id: ast.literal_eval(node.value)
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name) and target.id == "__all__"
            }
            assert "__all__" in assigned, f"{path.relative_to(CHECKOUT)} has no __all__"
            assert imported >= set(assigned["__all__"]) - {"__version__"}


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_a_face_shows_what_it_says(room: str) -> None:
    face = import_module(f"recfleet.{room}")

    assert [name for name in getattr(face, "__all__", []) if not hasattr(face, name)] == []


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(CHECKOUT))
        for folder in ("src", "dags", "plugins", "deploy")
        for path in sorted((CHECKOUT / folder).rglob("*.py"))
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


# --- What newcomers are shown ---------------------------------------------------------------------


def test_the_tour_of_the_house_shows_every_room() -> None:
    tour = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^  (\w+)(?:/|\.py) ", tour, flags=re.MULTILINE))

    assert shown == set(ARROWS)


def test_the_worked_example_is_of_this_house() -> None:
    tour = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    python, entry = (
        re.findall(rf"```{language}\n(.*?)```", tour, flags=re.DOTALL)[0]
        for language in ("python", "json")
    )
    suite = json.loads((CHECKOUT / "expectations" / "tenants.json").read_text(encoding="utf-8"))
    example = json.loads(entry)

    compile(python, "CONTRIBUTING.md", "exec")
    assert f'"{example["meta"]["name"]}"' in python
    assert example["kwargs"]["column"] in COLUMNS
    assert set(example) == set(suite["expectations"][0])
    assert set(example["meta"]) == set(suite["expectations"][0]["meta"])


def test_every_table_and_view_is_in_the_architecture() -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    moves = [
        path.read_text(encoding="utf-8") for path in SOURCE.glob("database/migrations/**/*.sql")
    ]
    made = {
        name
        for move in moves
        for name in re.findall(r"^create (?:table|view) recfleet\.(\w+)", move, flags=re.MULTILINE)
    }

    assert made
    assert {name for name in made if f"`{name}`" not in page} == set()


def test_paths_that_are_named_are_there() -> None:
    for name in ("CONTRIBUTING.md", "docs/architecture.md"):
        page = (CHECKOUT / name).read_text(encoding="utf-8")
        for path in re.findall(rf"`((?:{'|'.join(ARROWS)})/[\w./]*)`", page):
            assert (SOURCE / path).exists(), f"{name} names {path}"
        for path in re.findall(r"`((?:src|dags|deploy|expectations|tests)/[\w./]*)`", page):
            known = (CHECKOUT / path).exists() or path.endswith("test_few_products.py")
            assert known, f"{name} names {path}"
