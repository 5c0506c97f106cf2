"""Runs every benchmark in turn, each in a process of its own: python -m bench

Each is named with what it compares. One that fails does not stop the rest, but the exit status is then 1.
To run one, or to give it arguments: python -m bench.NAME
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NEEDS = {"training": Path("build/all-MiniLM-L6-v2"), "pdf": Path("../shared/pdfs")}
"""The folder that a benchmark is given; where that is not there (`make checkpoint` makes the first), it is left out."""


def main() -> int:
    """The exit status: 1 if a benchmark failed."""
    failed: list[str] = []
    for path in sorted(FOLDER.glob("[!_]*.py")):
        module = ast.parse(path.read_text("utf-8"))
        if not any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in module.body):
            continue  # shared by benchmarks
        about = (ast.get_docstring(module) or "").splitlines()[0].partition(": python -m")[0]
        print(f"\n== bench.{path.stem}: {about.rstrip('.')}", flush=True)
        if not run(path.stem):
            failed.append(path.stem)
    print(f"\n{'failed: ' + ', '.join(failed) if failed else 'all benchmarks ran'}")
    return 1 if failed else 0


def run(name: str) -> bool:
    """Whether the benchmark ended well, or had to be left out."""
    needed = NEEDS.get(name)
    if needed is not None and not needed.exists():
        print(f"left out: there is no folder {needed}")
        return True
    arguments = [] if needed is None else [str(needed)]
    environ = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}  # TensorFlow tells of much that is no error
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    return subprocess.run(command, env=environ, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
