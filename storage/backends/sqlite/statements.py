"""The SQL of the SQLite backend. A write returns one row if it took effect and none if it did not."""
# ruff: noqa: S608 (composed of the constants of this file only)

from typing import Final

from storage.base import NAMESPACES

# Versions are random so that a key which is removed and written anew never repeats one; the last bit keeps them from 0.
_VERSION: Final = "(random() & 0x7fffffffffffffff) | 1"
_LIVE: Final = "(expires_at IS NULL OR expires_at > ?)"

# The way of every stored answer: a statement a namespace saves a parameter, and whether an entry has expired is found
# out by the caller, since hardly any has.
GET: Final = {
    namespace: f"SELECT content, version, expires_at FROM entries WHERE namespace = '{namespace}' AND key = ?"
    for namespace in NAMESPACES
}

GET_MANY: Final = f"""SELECT key, content, version FROM entries
    WHERE namespace = ? AND key IN (SELECT value FROM json_each(?)) AND {_LIVE}"""

PING: Final = "SELECT 1 FROM entries LIMIT 1"

_SCAN: Final = "SELECT key, content, version FROM entries WHERE namespace = ? AND key"
_SCAN_REST: Final = f"? AND {_LIVE} AND typeof(content) = 'blob' ORDER BY key LIMIT ?"
SCAN_FROM: Final = f"{_SCAN} >= {_SCAN_REST}"
SCAN_AFTER: Final = f"{_SCAN} > {_SCAN_REST}"

_INSERT: Final = f"""INSERT INTO entries (namespace, key, content, version, expires_at)
    VALUES (?, ?, ?, {_VERSION}, ?) ON CONFLICT (namespace, key) DO UPDATE"""
_OVERWRITE: Final = "SET content = excluded.content, version = excluded.version, expires_at = excluded.expires_at"

PUT: Final = f"{_INSERT} {_OVERWRITE} RETURNING 1"

ADD: Final = f"{_INSERT} {_OVERWRITE} WHERE entries.expires_at <= ? RETURNING 1"

REPLACE: Final = f"""UPDATE entries SET content = ?, version = {_VERSION}, expires_at = ?
    WHERE namespace = ? AND key = ? AND version = ? AND {_LIVE} RETURNING 1"""

REMOVE: Final = f"DELETE FROM entries WHERE namespace = ? AND key = ? AND {_LIVE} RETURNING 1"

INCREMENT: Final = f"""{_INSERT} SET
        content = CASE WHEN entries.expires_at <= ?5 THEN excluded.content ELSE content + excluded.content END,
        expires_at = CASE WHEN entries.expires_at <= ?5 THEN excluded.expires_at ELSE entries.expires_at END,
        version = excluded.version
    WHERE typeof(entries.content) = 'integer' OR entries.expires_at <= ?5 RETURNING content"""

PURGE: Final = """DELETE FROM entries WHERE rowid IN
    (SELECT rowid FROM entries WHERE expires_at <= ? LIMIT ?) RETURNING 1"""
