"""`python -m tests.couchbase_server`: prints its ports as one line of JSON, ends when standard input closes."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from tests.couchbase_server.server import Options, Server


def parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="tests.couchbase_server")
    parser.add_argument("--bucket", default="abstracts")
    parser.add_argument("--user", default="tester")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--ports", type=json.loads, default={}, help="the ports of an earlier run, as it printed them")
    parser.add_argument("--journal", type=Path, help="a file that keeps the documents over a kill")
    parser.add_argument("--certificate", type=Path, help="PEM; with --key the nodes also listen under TLS")
    parser.add_argument("--key", type=Path)
    return Options(**vars(parser.parse_args(arguments)))


async def main(options: Options) -> None:
    server = Server(options)
    print(json.dumps(await server.start()), flush=True)
    try:
        await asyncio.to_thread(sys.stdin.buffer.read)
    finally:
        server.close()


if __name__ == "__main__":
    asyncio.run(main(parse(sys.argv[1:])))
