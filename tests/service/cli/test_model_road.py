"""The whole road of a real checkpoint, by the commands that an operator types: import, train a head on the frozen
encoder, build, verify, evaluate, serve. all-MiniLM-L6-v2 stands for larger BERTs, which take the same road."""

import gzip
import json
import os
from itertools import islice
from pathlib import Path

import pytest

from config import load_settings
from service.app import create_app
from service.bootstrap import Services
from tests.service.cli.conftest import Run, failed, parsed
from tests.service.conftest import with_key

EXAMPLES = 2000
TOKENS = 128
BLACK_HOLES = (
    "The merger of two stellar-mass black holes is observed through its gravitational-wave signal; we infer the masses "
    "and spins of the components and test general relativity in the strong-field regime."
)


@pytest.fixture(scope="module")
def minilm(pytestconfig: pytest.Config) -> Path:
    folder = pytestconfig.rootpath / "build" / "all-MiniLM-L6-v2"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail("the checkpoint is not here: make checkpoint")
        pytest.skip("the checkpoint is not here: make checkpoint")
    return folder


@pytest.fixture
def data(shared: Path, tmp_path: Path) -> Path:
    """The first abstracts of the training set, as the arXiv metadata dump has them."""
    path = tmp_path / "train.jsonl"
    with gzip.open(shared / "data" / "arxiv-train-0.jsonl.gz", "rt") as source, path.open("w") as out:
        for line in islice(source, 2 * EXAMPLES):
            row = json.loads(line)
            labels = [row["primary"], *(label for label in row["labels"] if label != row["primary"])]
            record = {"id": row["id"], "abstract": row["abstract"], "categories": " ".join(labels)}
            out.write(json.dumps(record) + "\n")
    return path


@pytest.fixture
def real(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Services:
    monkeypatch.chdir(tmp_path)
    return Services(load_settings(variables))


def test_import_train_build_verify_evaluate_serve(
    run: Run, real: Services, minilm: Path, data: Path, shared: Path, tmp_path: Path
) -> None:
    done = run("model", "import", minilm, "--name", "minilm", over=real)
    assert done.exit_code == 0, done.output
    assert "each accounted for" in done.stderr

    out = tmp_path / "trained"
    options = ("--examples", EXAMPLES, "--max-tokens", TOKENS, "--mix", shared / "data" / "reference-mix.json")
    trained = run("model", "train", "--frozen", "--from", "minilm", "--data", data, "--out", out, *options, over=real)
    assert trained.exit_code == 0, trained.output

    built = run("model", "build", out, "--name", "minilm-multi", over=real)
    assert built.exit_code == 0, built.output
    again = Services(real.settings)

    dev = shared / "data" / "arxiv-dev-2026.jsonl.gz"
    check = ("model", "verify", "minilm-multi", "--against", out, "--sample", dev, "--limit", 60, "--json")
    verified = parsed(run(*check, over=again))
    assert verified["tensors"] == 103
    assert verified["largest_difference"] < 0.15
    assert verified["label_flips"] <= 0.01 * verified["labels_compared"]

    measure = ("model", "evaluate", dev, "--model", "minilm-multi", "--weight-field", "weight", "--limit", 300)
    (report,) = parsed(run(*measure, "--json", over=again))
    print(f"frozen MiniLM, {EXAMPLES} abstracts: micro-F1 {report['micro_f1']:.3f}, top-1 {report['top1']:.3f}")
    assert report["top1"] > 0.75
    assert report["micro_f1"] > 0.6
    assert report["ece"] < 0.03

    client = with_key(create_app(services=again), again.keys.create("me", ["predict", "read"])[1])
    answer = client.post("/api/models/minilm-multi/predict", json={"abstract": BLACK_HOLES})
    assert answer.status_code == 200
    assert answer.json is not None
    assert "gr-qc" in [category["label"] for category in answer.json["categories"]]
    assert client.get("/api/models/minilm-multi").json["scores"]["held_out"]["micro_f1"] > 0.6  # type: ignore[index]
    again.close()
    real.close()


def test_one_command_makes_a_model_ready_and_goes_on_where_it_was_interrupted(
    run: Run, real: Services, minilm: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MiniLM's folder stands for SciBERT's."""
    command = ("model", "install", "scibert-multi", "--data", data, "--from", minilm, "--examples", 300)
    with monkeypatch.context() as patched:
        patched.setattr("model.training.frozen.fit_head", _interrupt)
        assert run(*command, over=real).exit_code == 1
    assert not (tmp_path / "models" / "scibert-multi").exists()
    done = run(*command, over=real)
    assert done.exit_code == 0, done.output
    assert "It is there." in done.stderr
    assert "features:" not in done.stderr  # all were kept
    assert "head: " in done.stderr
    assert "MICRO-F1" in done.stdout
    assert all(f"[{step}/5]" in done.stderr for step in range(1, 6))
    again = run(*command, over=real)
    assert again.exit_code == 0, again.output
    assert "It is trained." in again.stderr

    opened = Services(real.settings)
    client = with_key(create_app(services=opened), opened.keys.create("me", ["predict", "read"])[1])
    answer = client.post("/api/models/scibert-multi/predict", json={"abstract": BLACK_HOLES})
    assert answer.status_code == 200, answer.json
    opened.close()
    real.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_checkpoint_with_a_fault_does_not_stay(run: Run, real: Services, minilm: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in minilm.iterdir():
        if file.is_file():
            (broken / file.name).symlink_to(file)
    config = json.loads((minilm / "config.json").read_text()) | {"num_hidden_layers": 7}
    (broken / "config.json").unlink()
    (broken / "config.json").write_text(json.dumps(config))
    assert "missing encoder.layer.6" in failed(run("model", "import", broken, "--name", "broken", over=real))
    assert list((real.settings.data_dir / "checkpoints").iterdir()) == []
    real.close()
