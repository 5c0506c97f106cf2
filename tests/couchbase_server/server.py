"""Listeners and connections: every node's key-value and management ports, plain and under TLS, on 127.0.0.1."""

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.couchbase_server.auth import Users
from tests.couchbase_server.clock import Clock
from tests.couchbase_server.cluster import Manifest, Node, Topology
from tests.couchbase_server.commands import Commands
from tests.couchbase_server.control import Control
from tests.couchbase_server.engine import Engine
from tests.couchbase_server.faults import Fault, Faults
from tests.couchbase_server.http import Handler, serve_http
from tests.couchbase_server.journal import Journal
from tests.couchbase_server.management import Management
from tests.couchbase_server.session import Session
from tests.couchbase_server.wire import (
    HEADER_SIZE,
    BadPacket,
    Opcode,
    Request,
    Response,
    Status,
    body_length,
    encode_response,
    parse_request,
)

HOST = "127.0.0.1"
Ports = dict[str, list[int]]
"""For each kind of port (kv, mgmt, kv_tls, mgmt_tls, control) one port a node; 0 lets the system choose."""


@dataclass(frozen=True, slots=True)
class Options:
    bucket: str
    user: str
    password: str
    nodes: int
    ports: Ports
    journal: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Server:
    """`start` opens the ports and answers them; `close` ends everything."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._users = Users({options.user: options.password})
        self._topology = Topology(options.bucket, [Node() for _ in range(options.nodes)])
        self._journal = Journal(options.journal)
        self._clock = Clock()
        self._engine = Engine(self._clock, self._journal)
        self._manifest = Manifest(self._manifest_changed)
        self._commands = Commands(self._engine)
        self._faults = Faults()
        self._requests: Counter[int] = Counter()
        self._servers: list[asyncio.Server] = []
        self._tls = self._tls_context()

    async def start(self) -> Ports:
        self._restore()
        ports: Ports = {"kv": [], "mgmt": [], "kv_tls": [], "mgmt_tls": [], "control": []}
        for number, node in enumerate(self._topology.nodes):
            node.kv = await self._listen_kv("kv", number, None, ports)
            node.mgmt = await self._listen_http("mgmt", number, None, ports)
            if self._tls is not None:
                node.kv_tls = await self._listen_kv("kv_tls", number, self._tls, ports)
                node.mgmt_tls = await self._listen_http("mgmt_tls", number, self._tls, ports)
        control = Control(self._clock, self._faults, self._topology, self._requests)
        await self._listen("control", 0, None, ports, self._http_connection(control))
        return ports

    def close(self) -> None:
        for server in self._servers:
            server.close()
        self._journal.close()

    async def _listen_kv(self, kind: str, node: int, tls: ssl.SSLContext | None, ports: Ports) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._kv_connection(node, tls is not None, reader, writer)

        return await self._listen(kind, node, tls, ports, connected)

    async def _listen_http(self, kind: str, node: int, tls: ssl.SSLContext | None, ports: Ports) -> int:
        handler = Management(node, self._users, self._topology, self._manifest)
        return await self._listen(kind, node, tls, ports, self._http_connection(handler))

    async def _listen(self, kind: str, node: int, tls: ssl.SSLContext | None, ports: Ports, connected: Any) -> int:
        wanted = self._options.ports.get(kind, [])
        server = await asyncio.start_server(connected, HOST, wanted[node] if node < len(wanted) else 0, ssl=tls)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        ports[kind].append(port)
        return port

    def _http_connection(self, handler: Handler) -> Any:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await serve_http(reader, writer, handler)

        return connected

    async def _kv_connection(
        self, node: int, tls: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        session = Session(node, tls, self._users, self._topology, self._manifest, self._commands)
        try:
            while self._faults.for_connection(node) is None:
                header = await reader.readexactly(HEADER_SIZE)
                request = parse_request(header, await reader.readexactly(body_length(header)))
                if not self._respond(session, node, request, writer) or request.opcode == Opcode.QUIT:
                    break
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, BadPacket):
            pass
        finally:
            writer.close()

    def _respond(self, session: Session, node: int, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Executes and answers as the faults allow; False when the connection is to be closed."""
        self._requests[request.opcode] += 1
        fault = self._faults.for_request(request.opcode, node)
        if fault is not None and fault.kind == "status":
            writer.write(encode_response(request.opcode, request.opaque, Response(Status(fault.status))))
            return True
        response = session.answer(request)
        if fault is not None and fault.kind == "wrong_cas":
            response.cas ^= 0xFF
        return _send(writer, encode_response(request.opcode, request.opaque, response), fault)

    def _restore(self) -> None:
        for record in self._journal.records():
            if "manifest" in record:
                self._manifest.restore(record["manifest"])
            else:
                self._engine.restore(record)
        self._engine.drop_collections(self._manifest.collection_ids)

    def _manifest_changed(self, state: dict[str, Any]) -> None:
        self._engine.drop_collections(self._manifest.collection_ids)
        self._journal.append({"manifest": state})

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._options.certificate is None or self._options.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._options.certificate, self._options.key)
        return context


def _send(writer: asyncio.StreamWriter, data: bytes, fault: Fault | None) -> bool:
    loop = asyncio.get_running_loop()
    half = len(data) // 2
    match fault.kind if fault else "":
        case "delay" if fault:
            loop.call_later(fault.seconds, writer.write, data)
        case "drop":
            pass
        case "disconnect":
            return False
        case "cut":
            writer.write(data[:half])
            return False
        case "split" if fault:
            writer.write(data[:half])
            loop.call_later(fault.seconds, writer.write, data[half:])
        case _:
            writer.write(data)
    return True
