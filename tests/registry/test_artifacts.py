"""Folders in the artifact store, on a disk and in an S3-compatible object store."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from urllib.request import url2pathname

import pytest

from recfleet.contents import contents_of, digest_of
from recfleet.errors import BadInputError, ConfigurationError, InfrastructureError, TenantError
from recfleet.local import free_port
from recfleet.registry import ArtifactStore

FILES = {"a.npy": b"\x00\x01" * 5000, "empty": b"", "model.json": b"{}"}


@pytest.fixture
def disk(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path.as_uri())


def _folder(store: ArtifactStore) -> Path:
    return Path(url2pathname(store.root.removeprefix("file://")))


def test_what_is_written_is_read(store: ArtifactStore) -> None:
    uri = store.write("als-germany/run/model", FILES)
    assert uri == f"{store.root}/als-germany/run/model"
    assert store.read(uri) == FILES
    assert store.read("als-germany/run/model") == FILES


def test_writing_the_same_folder_twice_is_fine(store: ArtifactStore) -> None:
    assert store.write("a", FILES) == store.write("a", FILES)
    assert store.read("a") == FILES


def test_a_folder_written_again_holds_nothing_of_what_it_held(store: ArtifactStore) -> None:
    store.write("a", FILES)
    store.write("a", {"model.json": b"new", "b.npy": b"b"})
    assert store.read("a") == {"model.json": b"new", "b.npy": b"b"}
    store.delete("a")
    with pytest.raises(TenantError, match="gone"):
        store.read("a")


def test_delete_takes_all_below_and_nothing_beside(store: ArtifactStore) -> None:
    store.write("night-1/a", FILES)
    store.write("night-1/b", FILES)
    kept = store.write("night-10/a", FILES)
    store.delete("night-1")
    store.delete("night-1")
    assert store.read(kept) == FILES
    for gone in ("night-1/a", "night-1/b"):
        with pytest.raises(TenantError, match=f"{gone} are gone"):
            store.read(gone)


@pytest.mark.parametrize(
    "location",
    ["", ".", "..", "../x", "a/../../x", "a/..", "/etc", "a//b", "a/", "a\\b", "a\nb", "a\x00"],
)
def test_nothing_outside_the_root(store: ArtifactStore, location: str) -> None:
    for work in (
        lambda: store.write(location, FILES),
        lambda: store.read(location),
        lambda: store.delete(location),
        lambda: store.uri(location),
    ):
        with pytest.raises(BadInputError, match="no folder of the artifact store"):
            work()


def test_no_address_outside_the_root(store: ArtifactStore) -> None:
    for address in (
        store.root,
        store.root + "2/a",
        store.root.rsplit("/", 1)[0],
        "file:///etc",
        "s3://other/fleet/a",
        "https://models/fleet/a",
    ):
        with pytest.raises(BadInputError):
            store.delete(address)
    for address in (f"{store.root}/a/../../b", f"{store.root}/../x"):
        with pytest.raises(BadInputError):
            store.delete(address)


def test_an_escaped_way_out_of_a_file_root(disk: ArtifactStore) -> None:
    with pytest.raises(BadInputError, match="no folder"):
        disk.delete(f"{disk.root}/%2e%2e/x")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\n"])
def test_files_have_plain_names(store: ArtifactStore, name: str) -> None:
    with pytest.raises(BadInputError, match="name of a file"):
        store.write("a", {name: b""})


@pytest.mark.parametrize("root", ["", "/models", "models", "s3://", "s3:///a", "gs://a", "file://"])
def test_a_root_of_no_known_form(root: str) -> None:
    with pytest.raises(ConfigurationError, match="RECFLEET_ARTIFACT_ROOT"):
        ArtifactStore(root)


def test_an_endpoint_of_no_known_form() -> None:
    with pytest.raises(ConfigurationError, match="http://host:port"):
        ArtifactStore("s3://models", "127.0.0.1:9000")


def test_a_failed_write_leaves_nothing(disk: ArtifactStore) -> None:
    with pytest.raises(InfrastructureError, match="could not write"):
        disk.write("night/a", {"a": b"a", "x" * 300: b"b"})
    assert list((_folder(disk) / "night").iterdir()) == []


def test_a_failed_write_leaves_what_was_there(disk: ArtifactStore) -> None:
    disk.write("a", FILES)
    with pytest.raises(InfrastructureError):
        disk.write("a", {"x" * 300: b"b"})
    assert disk.read("a") == FILES


def test_a_disk_that_is_not_there_is_nobodys_fault(tmp_path: Path) -> None:
    store = ArtifactStore((tmp_path / "not mounted").as_uri())
    with pytest.raises(InfrastructureError, match="No such file"):
        store.read("a")


def test_a_bucket_that_is_not_there_is_nobodys_fault(s3: str) -> None:
    store = ArtifactStore("s3://elsewhere/fleet", s3)
    with pytest.raises(InfrastructureError, match="elsewhere"):
        store.read("a")
    with pytest.raises(InfrastructureError, match="elsewhere"):
        store.write("a", FILES)


def test_an_object_store_that_does_not_answer(s3: str) -> None:
    store = ArtifactStore("s3://models/fleet", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(InfrastructureError, match="could not read s3://models/fleet/a"):
        store.read("a")


def test_nobody_reads_half_a_folder(disk: ArtifactStore) -> None:
    contents = [{name: bytes([i]) * 100_000 for name in "abcdef"} for i in range(2)]
    disk.write("a", contents[0])
    stop = threading.Event()

    def write() -> None:
        for turn in range(200):
            disk.write("a", contents[turn % 2])
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reads = 0
        while not stop.is_set():
            assert disk.read("a") in contents
            reads += 1
    finally:
        writer.join()
    assert reads > 0
    assert [path.name for path in _folder(disk).iterdir()] == ["a"]


def test_only_what_is_on_record_is_read(store: ArtifactStore) -> None:
    files = {"a.npy": b"123", "model.json": b"{}"}
    contents = contents_of(files)
    uri = store.write("als-a/r1/model", files)
    assert store.read(uri, contents) == files

    # MLflow leaves this file in a folder from which it loads a model.
    store.write("als-a/r1/model", {"registered_model_meta": b"model_name: als-a", **files})
    assert store.read(uri, contents) == files

    for other, told in (
        ({**files, "a.npy": b"321"}, "a.npy was changed"),
        ({"a.npy": b"12", "model.json": b"[ ]"}, "a.npy and model.json were changed"),
        ({**files, "code.py": b""}, "code.py does not belong there"),
        ({"a.npy": b"123"}, "model.json is missing"),
    ):
        store.write("als-a/r1/model", other)
        with pytest.raises(TenantError, match=told):
            store.read(uri, contents)

    store.write("als-a/r1/model", files)
    store.write("als-a/r1/model/code", {"loader.py": b""})
    for known in (contents, None):
        with pytest.raises(TenantError, match=r"code does not belong there: it is a .*folder"):
            store.read(uri, known)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path.as_uri())
    files = {"a.npy": b"123"}
    store.write("true", files)
    store.write("folder", files)
    (tmp_path / "folder" / "a.npy").unlink()
    (tmp_path / "folder" / "a.npy").symlink_to(tmp_path / "true" / "a.npy")
    (tmp_path / "link").symlink_to(tmp_path / "true")
    for place in ("folder", "link"):
        with pytest.raises(TenantError, match=r"does not belong there: it is a link"):
            store.read(place)
        store.write(place, files)
        assert store.read(place, contents_of(files)) == files
    assert (tmp_path / "true" / "a.npy").read_bytes() == b"123"


def test_a_digest_is_of_names_lengths_and_hashes() -> None:
    files = {"b": b"2", "a": b"1"}
    contents = contents_of(files)
    assert contents["a"] == "1 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    listing = f'{{"a":"{contents["a"]}","b":"{contents["b"]}"}}'
    assert digest_of(contents) == hashlib.sha256(listing.encode()).hexdigest()
    assert len({digest_of(contents_of(other)) for other in (files, {"a": b"1"}, {"b": b"1"})}) == 3
