"""Collections on the wire (kv_engine, docs/Collections.md) and their REST interface."""

import json
import struct
from collections.abc import Iterator

import pytest
import requests

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Feature, Opcode, Request

STORE = bytes(8)


def rest(peer: Peer, method: str, path: str = "", password: str = PASSWORD, **form: str) -> requests.Response:
    url = f"http://127.0.0.1:{peer.ports['mgmt'][0]}/pools/default/buckets/{BUCKET}/scopes{path}"
    return requests.request(method, url, data=form, auth=(USER, password), timeout=5)


@pytest.fixture
def modern(peer: Peer) -> Iterator[Client]:
    """A client that puts collection ids before its keys."""
    with Client(peer.ports["kv"][0]) as client:
        client.login(USER, PASSWORD, BUCKET, Feature.XERROR, Feature.COLLECTIONS, Feature.JSON)
        yield client


def lookup(client: Client, path: str) -> tuple[int, int]:
    """(status, collection id) of a path."""
    reply = client.exchange(Request(Opcode.COLLECTION_ID, value=path.encode()))
    if reply.status:
        return reply.status, -1
    assert (reply.key, reply.value, len(reply.extras)) == (b"", b"", 12)
    return 0, struct.unpack(">QI", reply.extras)[1]


def test_scopes_and_collections_are_made_listed_and_dropped(peer: Peer) -> None:
    assert rest(peer, "POST", name="made").json()["uid"] == "1"
    assert rest(peer, "POST", "/made/collections", name="one").status_code == 200
    assert rest(peer, "POST", "/made/collections", name="two").status_code == 200
    manifest = rest(peer, "GET").json()
    scopes = {scope["name"]: [one["name"] for one in scope["collections"]] for scope in manifest["scopes"]}
    assert scopes == {"_default": ["_default"], "made": ["one", "two"]}
    assert rest(peer, "DELETE", "/made/collections/one").status_code == 200
    assert rest(peer, "DELETE", "/made").status_code == 200
    assert len(rest(peer, "GET").json()["scopes"]) == 1
    assert rest(peer, "GET").json()["uid"] == "5"


def test_what_exists_already_or_not_at_all_is_an_error(peer: Peer) -> None:
    rest(peer, "POST", name="twice")
    again = rest(peer, "POST", name="twice")
    assert (again.status_code, "already exists" in again.text) == (400, True)
    rest(peer, "POST", "/twice/collections", name="one")
    again = rest(peer, "POST", "/twice/collections", name="one")
    assert (again.status_code, "already exists" in again.text) == (400, True)
    for method, path in (("POST", "/no/collections"), ("DELETE", "/no"), ("DELETE", "/twice/collections/no")):
        missing = rest(peer, method, path, name="x")
        assert (missing.status_code, "is not found" in missing.text) == (404, True)


@pytest.mark.parametrize("name", ["", "_x", "%x", "a b", "x" * 252])
def test_names_follow_the_documented_alphabet(peer: Peer, name: str) -> None:
    assert rest(peer, "POST", name=name).status_code == 400


def test_the_management_port_wants_the_password(peer: Peer) -> None:
    assert rest(peer, "GET", password="wrong").status_code == 401


def test_paths_are_looked_up_and_empty_names_mean_the_default(modern: Client, peer: Peer) -> None:
    rest(peer, "POST", name="looked")
    rest(peer, "POST", "/looked/collections", name="up")
    status, number = lookup(modern, "looked.up")
    assert (status, number >= 8) == (0, True)
    assert lookup(modern, ".") == (0, 0)
    assert lookup(modern, "_default._default") == (0, 0)


@pytest.mark.parametrize(("path", "status"), [("none.up", 0x8C), ("_default.none", 0x88), ("a", 0x04), ("a.b.c", 0x04)])
def test_paths_that_lead_nowhere(modern: Client, path: str, status: int) -> None:
    assert lookup(modern, path)[0] == status


def test_an_unknown_collection_names_the_manifest_that_was_asked(modern: Client, peer: Peer) -> None:
    modern.collection = 0x5555
    reply = modern.ask(Opcode.GET, b"key")
    assert (reply.status, reply.datatype) == (0x88, 1)
    assert json.loads(reply.value)["manifest_uid"] == rest(peer, "GET").json()["uid"]


def test_collections_keep_equal_keys_apart_and_dropping_one_drops_its_documents(modern: Client, peer: Peer) -> None:
    rest(peer, "POST", name="apart")
    rest(peer, "POST", "/apart/collections", name="one")
    rest(peer, "POST", "/apart/collections", name="two")
    for name in ("one", "two"):
        modern.collection = lookup(modern, f"apart.{name}")[1]
        assert modern.ask(Opcode.ADD, b"key", extras=STORE, value=name.encode()).status == 0x00
    assert modern.ask(Opcode.GET, b"key").value == b"two"
    rest(peer, "DELETE", "/apart/collections/two")
    assert modern.ask(Opcode.GET, b"key").status == 0x88
    rest(peer, "POST", "/apart/collections", name="two")
    modern.collection = lookup(modern, "apart.two")[1]
    assert modern.ask(Opcode.GET, b"key").status == 0x01


def test_a_key_in_a_collection_has_at_most_246_bytes(modern: Client) -> None:
    modern.collection = 0
    assert modern.ask(Opcode.GET, b"k" * 246).status == 0x01
    assert modern.ask(Opcode.GET, b"k" * 247).status == 0x04
    assert modern.exchange(Request(Opcode.GET, key=b"\0")).status == 0x04


def test_without_the_feature_keys_are_the_default_collections(modern: Client, client: Client) -> None:
    modern.collection = 0
    modern.ask(Opcode.SET, b"shared", extras=STORE, value=b"v")
    assert client.ask(Opcode.GET, b"shared").value == b"v"


def test_the_manifest_is_the_same_on_the_wire(modern: Client, peer: Peer) -> None:
    assert json.loads(modern.exchange(Request(Opcode.MANIFEST)).value) == rest(peer, "GET").json()
