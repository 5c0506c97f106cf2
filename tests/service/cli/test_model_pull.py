"""`model pull`, `model import` and `model export` by command, over a tiny BERT and a small hub."""

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

from tests.model.checkpoints.hub_server import COMMIT, Hub, serve_hub
from tests.model.conftest import HIDDEN, random_tensors, write_checkpoint
from tests.model.tiny import write_trained
from tests.service.cli.conftest import CommandServices, Run, failed

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny-files", random_tensors())


@pytest.fixture
def hub(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub({file.name: file.read_bytes() for file in tiny.iterdir()})
    server = serve_hub(hub)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield hub
    server.shutdown()
    server.server_close()


def _checkpoints(opened: CommandServices) -> Path:
    return opened.settings.data_dir / "checkpoints"


def test_pull_fetches_checks_and_says_what_is_next(run: Run, opened: CommandServices, hub: Hub) -> None:
    done = run("model", "pull", "org/tiny")
    assert done.exit_code == 0, done.output
    assert "37 tensors, each accounted for" in done.stderr
    assert "model train --frozen --from tiny" in done.stderr
    source = json.loads((_checkpoints(opened) / "tiny" / "source.json").read_text())
    assert source == {"repository": "org/tiny", "revision": COMMIT, "licence": "apache-2.0"}
    assert "model remove tiny" in failed(run("model", "pull", "org/tiny"))


def test_pull_leaves_nothing_of_a_checkpoint_with_a_fault(run: Run, opened: CommandServices, hub: Hub) -> None:
    config = json.loads(hub.files["config.json"]) | {"num_hidden_layers": 3}
    hub.files["config.json"] = json.dumps(config).encode()
    assert "missing encoder.layer.2" in failed(run("model", "pull", "org/tiny"))
    assert list(_checkpoints(opened).iterdir()) == []


def test_offline_a_folder_can_be_handed_over(
    run: Run, opened: CommandServices, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "--from DIR" in failed(run("model", "pull", "scibert"))
    done = run("model", "pull", "scibert", "--from", tiny)
    assert done.exit_code == 0, done.output
    assert (_checkpoints(opened) / "scibert" / "model.safetensors").is_file()


def test_import_takes_a_keras_head_with_its_labels(
    run: Run, opened: CommandServices, tiny: Path, tmp_path: Path
) -> None:
    inputs = keras.Input((HIDDEN,))
    keras.Model(inputs, keras.layers.Dense(3, activation="sigmoid")(inputs)).save(tmp_path / "demo.keras")
    command = ("model", "import", tiny, "--name", "demo", "--head", tmp_path / "demo.keras")
    assert "as many different labels, not 2" in failed(run(*command, "--labels", "a,b"))
    done = run(*command, "--labels", "a,b,c")
    assert done.exit_code == 0, done.output
    assert "model build demo --name NAME" in done.stderr
    record = json.loads((_checkpoints(opened) / "demo" / "classifier.json").read_text())
    assert (record["labels"], record["pooling"]) == (["a", "b", "c"], "cls")


def test_a_trained_checkpoint_is_built_by_name_and_exported(run: Run, model_dir: Path, tmp_path: Path) -> None:
    trained = write_trained(tmp_path / "trained")
    assert run("model", "build", trained).exit_code == 2
    done = run("model", "build", trained, "--name", "tiny-multi")
    assert done.exit_code == 0, done.output
    assert (model_dir / "tiny-multi" / "manifest.json").is_file()
    done = run("model", "export", trained, "--saved-model", tmp_path / "exports", "--name", "tiny-multi")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "exports" / "tiny-multi" / "1" / "saved_model.pb").is_file()
    assert "built already" in failed(run("model", "export", model_dir / "tiny-multi", "--saved-model", tmp_path))


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("DATA_DIR", ("pull", "org/tiny")),
        ("DATA_DIR", ("import", "CHECKPOINT", "--name", "x")),
        ("DATA_DIR", ("install", "scibert-multi", "--data", "CHECKPOINT/config.json")),
        ("MODEL_DIR", ("install", "scibert-multi", "--data", "CHECKPOINT/config.json")),
        ("MODEL_DIR", ("build", "CHECKPOINT", "--name", "x")),
    ],
)
def test_where_nothing_can_be_written_the_setting_is_named(
    run: Run, variables: dict[str, str], tiny: Path, hub: Hub, variable: str, command: tuple[str, ...]
) -> None:
    place = tiny / "config.json" / "var"
    over = CommandServices(variables | {f"ABSTRACTS_{variable}": str(place)})
    message = failed(run("model", *(part.replace("CHECKPOINT", str(tiny)) for part in command), over=over))
    assert f"ABSTRACTS_{variable}={place}: the folder cannot be made there (Not a directory). Set another." in message
