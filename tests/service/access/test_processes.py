"""Processes that know nothing of each other but the store, as those of any WSGI server."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROCESSES = 4
ASK = """
from service.app import create_app

app = create_app()
client = app.test_client()
print([client.get("/api/models").status_code for _ in range(20)].count(401))
app.services.close()
"""


def test_they_hold_a_limit_together(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ABSTRACTS_")}
    settings = {"ABSTRACTS_DATA_DIR": str(tmp_path), "ABSTRACTS_LIMIT_IP": "10 per year"}
    settings["ABSTRACTS_LOG_LEVEL"] = "WARNING"
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=ROOT, env=kept | settings, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    assert sum(int(process.communicate(timeout=300)[0]) for process in asking) == 10
