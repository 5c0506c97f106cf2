"""deploy/kubernetes: whole, consistent, and as careful as the issue of running anywhere asks."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import pytest
import yaml

from config import load_settings
from service.front.worker import STOP_SECONDS
from tests.sources import ROOT

FOLDER: Final = ROOT / "deploy" / "kubernetes"
SECRETS: Final = {"abstracts-store": {"username", "password"}, "abstracts-broker": {"url"}}
ADMIN: Final = {"abstracts-store-admin": {"username", "password"}}

Manifest = Mapping[str, Any]


@pytest.fixture(scope="module")
def kustomization() -> Manifest:
    found: Manifest = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def manifests(kustomization: Manifest) -> dict[tuple[str, str], Manifest]:
    """Every object by kind and name."""
    found = {}
    for file in kustomization["resources"]:
        for each in yaml.safe_load_all((FOLDER / file).read_text("utf-8")):
            found[each["kind"], each["metadata"]["name"]] = each
    return found


def pods(manifests: Mapping[tuple[str, str], Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """The name, the pod's template and its container of everything that runs one."""
    for (_, name), each in manifests.items():
        if "template" in each["spec"]:
            (container,) = each["spec"]["template"]["spec"]["containers"]
            yield name, each["spec"]["template"], container


def test_every_file_is_in_the_kustomization(kustomization: Manifest) -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {"kustomization.yaml", *kustomization["resources"]}


def test_there_is_everything(manifests: Mapping[tuple[str, str], Manifest]) -> None:
    assert set(manifests) == {
        ("Deployment", "abstracts"),
        ("Deployment", "abstracts-worker"),
        ("Service", "abstracts"),
        ("PodDisruptionBudget", "abstracts"),
        ("HorizontalPodAutoscaler", "abstracts"),
        ("Job", "abstracts-store-init"),
        ("ServiceMonitor", "abstracts"),
        ("PodMonitor", "abstracts-worker"),
    }


def test_selectors_find_the_pods_that_they_mean(manifests: Mapping[tuple[str, str], Manifest]) -> None:
    labels = {name: template["metadata"]["labels"] for name, template, _ in pods(manifests)}
    server, worker = labels["abstracts"], labels["abstracts-worker"]
    assert server != worker
    for (kind, name), each in manifests.items():
        selector = each["spec"].get("selector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert wanted == (worker if name == "abstracts-worker" else server), (kind, name)
    scaled = manifests["HorizontalPodAutoscaler", "abstracts"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) in manifests
    assert "replicas" not in manifests["Deployment", "abstracts"]["spec"]


def test_ports_have_the_names_that_others_use(manifests: Mapping[tuple[str, str], Manifest]) -> None:
    ports = {name: {port["name"] for port in container.get("ports", ())} for name, _, container in pods(manifests)}
    (port,) = manifests["Service", "abstracts"]["spec"]["ports"]
    assert port["targetPort"] in ports["abstracts"]
    assert manifests["ServiceMonitor", "abstracts"]["spec"]["endpoints"][0]["port"] == port["name"]
    (endpoint,) = manifests["PodMonitor", "abstracts-worker"]["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in ports["abstracts-worker"]
    for name, _, container in pods(manifests):
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if kind in container:
                (target,) = [container[kind][how]["port"] for how in ("httpGet", "tcpSocket") if how in container[kind]]
                assert target in ports[name]


def test_every_pod_is_shut_in_and_hears_of_no_other_services(manifests: Mapping[tuple[str, str], Manifest]) -> None:
    for name, template, container in pods(manifests):
        spec = template["spec"]
        assert spec["enableServiceLinks"] is False, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name


def test_the_server_stops_without_losing_requests(manifests: Mapping[tuple[str, str], Manifest]) -> None:
    spec = manifests["Deployment", "abstracts"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] == 40
    assert pause + STOP_SECONDS < 40
    assert (container["livenessProbe"]["httpGet"]["path"], container["readinessProbe"]["httpGet"]["path"]) == (
        "/livez",
        "/readyz",
    )


def test_secrets_are_referred_to_and_the_administrators_by_the_job_alone(
    manifests: Mapping[tuple[str, str], Manifest],
) -> None:
    for name, _, container in pods(manifests):
        known = ADMIN if name == "abstracts-store-init" else SECRETS
        for variable in container["env"]:
            if "value" not in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                assert reference["key"] in known[reference["name"]], (name, variable)
            assert not (variable["name"].endswith(("PASSWORD", "URL")) and "value" in variable)


def test_the_settings_exist(kustomization: Manifest, manifests: Mapping[tuple[str, str], Manifest]) -> None:
    (generated,) = kustomization["configMapGenerator"]
    settings = dict(literal.split("=", 1) for literal in generated["literals"])
    for name, _, container in pods(manifests):
        assert container["envFrom"] == [{"configMapRef": {"name": generated["name"]}}], name
        own = {variable["name"]: variable.get("value", "") for variable in container["env"]}
        load_settings(settings | own)


def test_the_image_is_set_in_one_place(kustomization: Manifest, manifests: Mapping[tuple[str, str], Manifest]) -> None:
    assert {container["image"] for _, _, container in pods(manifests)} == {kustomization["images"][0]["name"]}


@pytest.mark.skipif(find_spec("kubernetes_validate") is None, reason="there is no kubernetes-validate here")
def test_kubernetes_would_take_each(manifests: Mapping[tuple[str, str], Manifest]) -> None:
    """Against the schemas of the oldest version that is named (pip install kubernetes-validate: 100 MB of them)."""
    validate = import_module("kubernetes_validate").validate
    for (kind, _), each in manifests.items():
        if not kind.endswith("Monitor"):
            validate(each, "1.27", strict=True)


@pytest.mark.skipif(shutil.which("kustomize") is None, reason="there is no kustomize here")
def test_kustomize_puts_it_together() -> None:
    done = subprocess.run(["kustomize", "build", FOLDER], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "image: registry.example/abstracts:" in done.stdout
    assert {each["metadata"]["namespace"] for each in yaml.safe_load_all(done.stdout)} == {"abstracts"}
