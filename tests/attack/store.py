"""Somebody who can write into the artifact store, and exchanges a champion's files."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from tests.attack.ground import Attempt, Ground

WHO = "store's user"
_LOADER = "put_by_another"
_RAN = "ran"
_LOAD = """
import sys
from recfleet.registry.pyfunc import load_champion
load_champion(sys.argv[1])
"""


def attempt(ground: Ground) -> list[Attempt]:
    """Exchange files of a champion, ask who notices, and put the files back."""
    rows = ground.stack.query("select tenant_id, model_uri from model_on_record limit 1")
    if not rows:
        return [Attempt(WHO, "exchange a model", "skipped: no tenant has a model yet")]
    tenant, uri = rows[0]
    folder = Path(url2pathname(urlsplit(uri).path))
    return [
        _exchange(ground, tenant, folder, "an array and its checksum", _another_array),
        _exchange(ground, tenant, folder, "the loader in MLmodel", _another_loader),
        _exchange(ground, tenant, folder, "a file beside the model", _another_file),
    ]


def _exchange(
    ground: Ground, tenant: str, folder: Path, what: str, change: Callable[[Path], None]
) -> Attempt:
    gained = []
    with _kept(folder):
        change(folder)
        done = ground.stack.run("doctor", "--json")
        if done.returncode != 1 or tenant not in done.stdout:
            gained.append("the doctor sees nothing")
        loaded = ground.stack.run(tenant, code=_LOAD)
        if loaded.returncode == 0:
            gained.append("load_champion loads it")
        if (folder / _RAN).exists():
            gained.append("its code ran")
    return Attempt(WHO, f"exchange {what}", "the doctor and load_champion refuse it", tuple(gained))


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    try:
        yield
    finally:
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        for path, content in before.items():
            path.write_bytes(content)


def _another_array(folder: Path) -> None:
    path = folder / "product_factors.npy"
    kept = io.BytesIO()
    np.save(kept, np.load(path)[::-1].copy())
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(kept.getvalue())
    description = folder / "model.json"
    new = hashlib.sha256(kept.getvalue()).hexdigest()
    description.write_text(description.read_text().replace(old, new))


def _another_loader(folder: Path) -> None:
    path = folder / "MLmodel"
    lines = [
        f"{line.partition(':')[0]}: {_LOADER}" if "loader_module" in line else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")
    (folder / "code").mkdir()
    ran = f"open({str(folder / _RAN)!r}, 'w').close()\n"
    (folder / "code" / f"{_LOADER}.py").write_text(ran)


def _another_file(folder: Path) -> None:
    (folder / "notes.json").write_text(json.dumps("x"))
