"""Nodes, the vBucket map and the collections manifest of the one bucket."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VBUCKETS = 1024
NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_%-]{0,250}")
CAPABILITIES = ["collections", "durableWrite", "touch", "cbhello", "cccp", "nodesExt", "xattr"]
FIRST_FREE_ID = 8
"""Collection and scope ids 0 to 7 are reserved (Collections.md, 0xb9)."""


@dataclass(slots=True)
class Node:
    """The ports of one node, all on 127.0.0.1."""

    kv: int = 0
    mgmt: int = 0
    kv_tls: int = 0
    mgmt_tls: int = 0

    def services(self) -> dict[str, int]:
        ports = {"kv": self.kv, "mgmt": self.mgmt, "kvSSL": self.kv_tls, "mgmtSSL": self.mgmt_tls}
        return {name: port for name, port in ports.items() if port}


@dataclass(slots=True)
class Topology:
    """Which node owns which vBucket; `revision` grows with every change."""

    bucket: str
    nodes: list[Node]
    owners: list[int] = field(default_factory=list)
    revision: int = 1

    def __post_init__(self) -> None:
        self.owners = [vbucket * len(self.nodes) // VBUCKETS for vbucket in range(VBUCKETS)]

    def move(self, first: int, last: int, node: int) -> None:
        """vBuckets first..last now belong to `node`."""
        for vbucket in range(first, last + 1):
            self.owners[vbucket] = node
        self.revision += 1

    def global_config(self, this: int) -> dict[str, Any]:
        """What a connection without a bucket is told."""
        nodes = [{"services": node.services(), "hostname": "127.0.0.1"} for node in self.nodes]
        return {
            "revEpoch": 1,
            "rev": self.revision,
            "nodesExt": [entry | ({"thisNode": True} if this == number else {}) for number, entry in enumerate(nodes)],
            "clusterCapabilitiesVer": [1, 0],
            "clusterCapabilities": {},
        }

    def bucket_config(self, this: int, manifest_uid: str) -> dict[str, Any]:
        servers = [f"127.0.0.1:{node.kv}" for node in self.nodes]
        return self.global_config(this) | {
            "name": self.bucket,
            "nodeLocator": "vbucket",
            "uuid": "0123456789abcdef0123456789abcdef",
            "bucketType": "membase",
            "collectionsManifestUid": manifest_uid,
            "bucketCapabilitiesVer": "",
            "bucketCapabilities": CAPABILITIES,
            "nodes": [
                {"hostname": f"127.0.0.1:{node.mgmt}", "ports": {"direct": node.kv}} for node in self.nodes if node.kv
            ],
            "vBucketServerMap": {
                "hashAlgorithm": "CRC",
                "numReplicas": 0,
                "serverList": servers,
                "vBucketMap": [[owner] for owner in self.owners],
            },
        }


class ManifestError(ValueError):
    """A scope or collection could not be made or dropped; the text is what the REST interface answers."""


class Manifest:
    """Scopes and collections by name; ids are never used twice. `changed` is called with the new state."""

    def __init__(self, changed: Callable[[dict[str, Any]], None]) -> None:
        self._changed = changed
        self.uid = 0
        self._next_id = FIRST_FREE_ID
        self._scopes: dict[str, dict[str, Any]] = {"_default": {"uid": 0, "collections": {"_default": 0}}}
        self.collection_ids = self._ids()

    def restore(self, state: dict[str, Any]) -> None:
        self.uid, self._next_id, self._scopes = state["uid"], state["next_id"], state["scopes"]
        self.collection_ids = self._ids()

    def _ids(self) -> set[int]:
        return {number for scope in self._scopes.values() for number in scope["collections"].values()}

    def collection(self, scope: str, name: str) -> int | None:
        """The collection's id; KeyError when there is no such scope, None when the scope has no such collection."""
        number: int | None = self._scopes[scope]["collections"].get(name)
        return number

    def scope(self, name: str) -> int:
        number: int = self._scopes[name]["uid"]
        return number

    def create_scope(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ManifestError("First character must not be _ or %, and only A-Z a-z 0-9 _ - % are allowed")
        if name in self._scopes:
            raise ManifestError(f'Scope with name "{name}" already exists')
        self._scopes[name] = {"uid": self._take_id(), "collections": {}}
        return self._commit()

    def create_collection(self, scope: str, name: str) -> str:
        if scope not in self._scopes:
            raise ManifestError(f'Scope with name "{scope}" is not found')
        if not NAME.fullmatch(name):
            raise ManifestError("First character must not be _ or %, and only A-Z a-z 0-9 _ - % are allowed")
        if name in self._scopes[scope]["collections"]:
            raise ManifestError(f'Collection with name "{name}" in scope "{scope}" already exists')
        self._scopes[scope]["collections"][name] = self._take_id()
        return self._commit()

    def drop_scope(self, name: str) -> str:
        if self._scopes.pop(name, None) is None:
            raise ManifestError(f'Scope with name "{name}" is not found')
        return self._commit()

    def drop_collection(self, scope: str, name: str) -> str:
        if self._scopes.get(scope, {"collections": {}})["collections"].pop(name, None) is None:
            raise ManifestError(f'Collection with name "{name}" in scope "{scope}" is not found')
        return self._commit()

    def document(self) -> bytes:
        """The manifest in its published JSON form: ids in hexadecimal without 0x."""
        scopes = [
            {
                "name": name,
                "uid": f"{scope['uid']:x}",
                "collections": [{"name": one, "uid": f"{uid:x}"} for one, uid in scope["collections"].items()],
            }
            for name, scope in self._scopes.items()
        ]
        return json.dumps({"uid": f"{self.uid:x}", "scopes": scopes}).encode()

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _commit(self) -> str:
        self.uid += 1
        self.collection_ids = self._ids()
        self._changed({"uid": self.uid, "next_id": self._next_id, "scopes": self._scopes})
        return f"{self.uid:x}"
