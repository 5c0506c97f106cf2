"""Alerts and dashboard name what there is, and Prometheus' own tool finds no fault with any of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.write import all_metrics
from tests.service.front.test_server import Server
from tests.service.waiting import until
from tests.sources import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "abstracts.json"
SERIES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def promtool(*arguments: str, text: bytes = b"") -> None:
    """Runs it; it must find no fault."""
    if shutil.which("promtool") is None:
        pytest.fail("promtool is missing: make test as root installs it, or apt-get install prometheus")
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b""), done.stdout.decode() + done.stderr.decode()


def exists() -> set[str]:
    """The names of all series."""
    return {metric.name + end for metric in all_metrics() for end in SERIES[metric.kind]}


def named(text: str) -> set[str]:
    """The series that expressions name."""
    return set(re.findall(r"\babstracts_\w+", text))


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_scraped_is_described_and_well_formed(tmp_path: Path, workers: str) -> None:
    server = Server(tmp_path)
    server.variables["ABSTRACTS_WORKERS"] = workers
    with server.running():
        for _ in range(2):
            server.predict()
        server.ask("GET", "/nothing")
        until(lambda: b"abstracts_jobs_open" in server.read("/metrics"))
        text = server.read("/metrics")
    promtool("check", "metrics", text=text)
    found = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text.decode(), re.MULTILINE))
    described = {metric.name: metric for metric in all_metrics()}
    assert {name: described[name].kind for name in found} == found
    for name, labels in re.findall(r"^(\w+)\{(.*)\} ", text.decode(), re.MULTILINE):
        metric = described.get(name) or described[re.sub("_(bucket|sum|count)$", "", name)]
        assert set(re.findall(r'(\w+)="', labels)) - {"le"} == set(metric.labels)


def test_the_rules_are_rules_and_name_what_there_is() -> None:
    promtool("check", "rules", str(PROMETHEUS / "alerts.yml"))
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert named(" ".join(rule["expr"] for rule in rules())) - exists() == set()
    texts = named(" ".join(rule["annotations"]["description"] for rule in rules()))
    assert texts - {metric.name for metric in all_metrics()} == set()


def test_the_page_has_a_row_for_each_alert() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert re.findall(r"^\| `(Abstracts\w+)` \|", page, re.MULTILINE) == [rule["alert"] for rule in rules()]


@pytest.mark.parametrize(
    ("alert", "series", "fires"),
    [
        ("AbstractsJobsStand", {"abstracts_chunks_waiting": "3x70", "abstracts_chunks_held": "0x70"}, True),
        ("AbstractsJobsStand", {"abstracts_chunks_waiting": "3x70", "abstracts_chunks_held": "1x70"}, False),
        (
            "AbstractsJobsStand",
            {
                "abstracts_chunks_waiting": "3x70",
                "abstracts_chunks_held": "0x70",
                'abstracts_chunks_total{outcome="finished"}': "0+1x70",
            },
            False,
        ),
        ("AbstractsStoreUnavailable", {"abstracts_store_available": "0x70"}, True),
        ("AbstractsStoreUnavailable", {"abstracts_store_available": "1x70"}, False),
        (
            "AbstractsFailing",
            {'abstracts_requests_total{status="200"}': "0+9x70", 'abstracts_requests_total{status="500"}': "0+1x70"},
            True,
        ),
        ("AbstractsFailing", {'abstracts_requests_total{status="200"}': "0+9x70"}, False),
        ("AbstractsOverloaded", {'abstracts_refusals_total{limit="queue"}': "0+1x70"}, True),
        ("AbstractsOverloaded", {'abstracts_refusals_total{limit="key"}': "0+1x70"}, False),
        ("AbstractsDown", {'up{job="abstracts-worker"}': "0x70"}, True),
        ("AbstractsLosing", {"abstracts_usage_lost_total": "0+1x70"}, True),
    ],
)
def test_an_alert_fires_when_it_should(tmp_path: Path, alert: str, series: dict[str, str], fires: bool) -> None:
    """After an hour of these, a value a minute."""
    expected = {"eval_time": "65m", "alertname": alert, "exp_alerts": []}
    test = {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": value if "+" in value else value.replace("x", "+0x", 1)}
            for name, value in series.items()
        ],
        "alert_rule_test": [expected],
    }
    file = tmp_path / "test.json"
    file.write_text(json.dumps({"rule_files": [str(PROMETHEUS / "alerts.yml")], "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    told = done.stdout + done.stderr
    assert ("got:[" in told.replace(" ", ""), done.returncode != 0) == (fires, fires), told


def test_the_dashboard_shows_every_metric_and_none_that_there_is_not() -> None:
    shown = named(" ".join(expressions()))
    assert shown - exists() == set()
    assert [metric.name for metric in all_metrics() if not shown & named_by(metric.name)] == []


def named_by(name: str) -> set[str]:
    return {name, *(name + end for end in SERIES["histogram"])}


def test_the_dashboards_expressions_are_promql(tmp_path: Path) -> None:
    values = {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*"}
    records = []
    for number, expression in enumerate(expressions()):
        for variable, value in values.items():
            expression = expression.replace(variable, value)
        records.append({"record": f"panel:{number}", "expr": expression})
    file = tmp_path / "rules.json"  # which is YAML, too
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": records}]}))
    promtool("check", "rules", "--lint=none", str(file))


def test_no_two_panels_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
