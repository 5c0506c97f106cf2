"""One model in every form a checkpoint comes in: the same tensors, the same outputs, the same refusals."""

import json
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from model.checkpoints.apart import read_arrays
from model.checkpoints.checkpoint import Checkpoint
from model.checkpoints.formats.keras_head import find_head
from model.engines.litert import LiteRTEngine
from model.errors import CheckpointError
from model.tokens import load_tokenizer
from model.training.adopt import adopt_head, adopt_keras_head, check
from model.training.bert import BertConfig, new_classifier, trained_classifier
from model.training.build import build_artifact
from tests.model.conftest import HIDDEN, LAYERS, random_tensors, write_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
IDS = tf.constant([[2, 5, 7, 9, 3]])


def _google_name(name: str) -> str:
    name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    name = name.removesuffix("_embeddings.weight") + ("_embeddings" if name.endswith("_embeddings.weight") else "")
    name = name.replace("layer.", "layer_").replace(".weight", ".kernel")
    return "bert/" + name.replace(".", "/")


def google_variables() -> dict[str, np.ndarray]:
    """The tiny BERT as Google's code names and lays it out, with its pooler, pretraining heads and training state."""
    variables = {}
    for name, value in random_tensors().items():
        google = _google_name(name)
        variables[google] = value.T if google.endswith("/kernel") else value
    square, vector = np.zeros((HIDDEN, HIDDEN), np.float32), np.zeros(HIDDEN, np.float32)
    variables |= {
        "bert/pooler/dense/kernel": square,
        "bert/pooler/dense/bias": vector,
        "cls/predictions/output_bias": vector,
        "cls/predictions/transform/dense/kernel": square,
        "cls/predictions/transform/LayerNorm/gamma": vector,
        "cls/seq_relationship/output_weights": square[:2],
        "cls/seq_relationship/output_bias": vector[:2],
        "bert/embeddings/LayerNorm/gamma/adam_m": vector,
        "bert/embeddings/LayerNorm/gamma/adam_v": vector,
        "global_step": np.array(7, np.int64),
    }
    return variables


def write_google(folder: Path, variables: dict[str, np.ndarray]) -> Path:
    write_checkpoint(folder, random_tensors())
    (folder / "model.safetensors").unlink()
    (folder / "config.json").rename(folder / "bert_config.json")
    config = json.loads((folder / "bert_config.json").read_text())
    del config["architectures"], config["layer_norm_eps"]
    (folder / "bert_config.json").write_text(json.dumps(config))
    tf.raw_ops.SaveV2(
        prefix=str(folder / "bert_model.ckpt"),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.constant(value) for value in variables.values()],
    )
    return folder


def test_a_tensorflow_checkpoint_gives_what_the_safetensors_give(checkpoint: Path, tmp_path: Path) -> None:
    google = Checkpoint(write_google(tmp_path / "google", google_variables()))
    expected = new_classifier(Checkpoint(checkpoint), "mean", 3, tf.float32).features(IDS).numpy()
    found = new_classifier(google, "mean", 3, tf.float32).features(IDS).numpy()
    assert np.abs(found - expected).max() < 1e-6
    assert new_classifier(google, "pooler", 3, tf.float32).features(IDS).numpy().tolist() == [[0.0] * HIDDEN]
    assert len(google.weights) == 2
    assert google.digest().startswith("sha256:")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"bert/encoder/layer_0/output/dense/bias": None}, r"missing bert\.encoder\.layer\.0\.output\.dense\.bias"),
        ({f"bert/encoder/layer_{LAYERS}/output/dense/bias": np.zeros(HIDDEN, np.float32)}, "left over bert.encoder"),
        ({"nowhere/adam_m": np.zeros(3, np.float32)}, r"left over nowhere\.adam_m"),
        ({"output_weights": np.zeros((2, HIDDEN), np.float32)}, "left over output_weights"),
    ],
)
def test_a_faulty_tensorflow_checkpoint_is_refused_by_the_variable_s_name(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    variables = {name: value for name, value in (google_variables() | change).items() if value is not None}
    folder = write_google(tmp_path / "faulty", variables)
    with pytest.raises(CheckpointError, match=fault):
        new_classifier(Checkpoint(folder), "mean", 3, tf.float32)


def test_a_damaged_tensorflow_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = write_google(tmp_path / "google", google_variables())
    (folder / "bert_model.ckpt.data-00000-of-00001").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match=r"bert_model\.ckpt"):
        Checkpoint(folder).tensors()


@pytest.mark.parametrize("form", ["model.safetensors", "pytorch_model.bin", "pytorch_model.legacy.bin"])
def test_every_form_of_the_reference_agrees_with_pytorch(shared: Path, tmp_path: Path, form: str) -> None:
    golden = shared / "golden" / "bert-parity"
    for name in ("config.json", "vocab.txt"):
        shutil.copyfile(golden / name, tmp_path / name)
    shutil.copyfile(golden / form, tmp_path / form.replace(".legacy", ""))
    case = json.loads((golden / "golden.json").read_text())["cases"][0]
    assert Checkpoint(tmp_path).tokenizer(512).encode(case["text"]).ids == case["input_ids"]
    model = trained_classifier(Checkpoint(tmp_path), "pooler", 18)
    assert np.abs(model(tf.constant([case["input_ids"]])).numpy()[0] - case["logits"]).max() < 1e-4


def test_names_of_layer_norms_from_before_are_read(checkpoint: Path, tmp_path: Path) -> None:
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in random_tensors(prefix="bert.").items()
    }
    folder = write_checkpoint(tmp_path / "old", old)
    expected = new_classifier(Checkpoint(checkpoint), "mean", 3, tf.float32).features(IDS)
    assert np.abs(new_classifier(Checkpoint(folder), "mean", 3, tf.float32).features(IDS) - expected).max() < 1e-6


def test_a_fine_tuned_classifier_keeps_its_head_labels_and_activation(shared: Path, tmp_path: Path) -> None:
    golden, folder = shared / "golden" / "bert-parity", tmp_path / "tuned"
    folder.mkdir()
    for name in ("config.json", "vocab.txt", "pytorch_model.bin"):
        shutil.copyfile(golden / name, folder / name)
    checked = check(folder)
    assert checked.tensors == len(Checkpoint(folder).tensors())
    assert checked.labels[:2] == ("astro-ph", "cond-mat")
    record = adopt_head(folder, None)
    assert (record.activation, record.pooling, len(record.labels)) == ("sigmoid", "pooler", 18)
    artifact = build_artifact(folder, tmp_path / "models" / "tuned", "float32")
    engine = LiteRTEngine(artifact.graph, 18, 1)
    for case in json.loads((golden / "golden.json").read_text())["cases"]:
        ids = load_tokenizer(artifact.tokenizer, 512).encode(case["text"]).ids
        assert np.abs(np.array(engine.scores(ids)) - case["sigmoid"]).max() < 1e-4
    engine.close()
    assert artifact.manifest.architecture["tensors"] == checked.tensors


def test_without_a_problem_type_the_activation_has_to_be_said(shared: Path, tmp_path: Path) -> None:
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        shutil.copyfile(shared / "golden" / "bert-parity" / name, tmp_path / name)
    config = json.loads((tmp_path / "config.json").read_text()) | {"problem_type": "regression"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"'regression'.*sigmoid or softmax"):
        adopt_head(tmp_path, None)
    assert adopt_head(tmp_path, "softmax").activation == "softmax"


def write_keras(path: Path, outputs: int = 3, inputs: int = HIDDEN) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    kernel, bias = random.normal(size=(inputs, outputs)), random.normal(size=outputs)
    cls = keras.Input((inputs,))
    dense = keras.layers.Dense(outputs, activation="sigmoid")
    model = keras.Model(cls, dense(keras.layers.Dropout(0.1)(cls)))
    dense.set_weights([kernel, bias])
    model.compile("adam", "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    model.save(path)
    return kernel, bias


def test_the_demo_s_keras_head_gives_the_same_scores_over_cls(checkpoint: Path, tmp_path: Path) -> None:
    kernel, bias = write_keras(tmp_path / "head.keras")
    record = adopt_keras_head(checkpoint, tmp_path / "head.keras", ["a", "b", "c"], tmp_path / "joined")
    assert (record.pooling, record.activation, record.labels) == ("cls", "sigmoid", ("a", "b", "c"))
    model = trained_classifier(Checkpoint(tmp_path / "joined"), "cls", 3)
    cls = new_classifier(Checkpoint(checkpoint), "cls", 3, tf.float32).features(IDS).numpy()
    assert np.abs(model(IDS).numpy() - (cls @ kernel + bias)).max() < 1e-4


def test_a_keras_head_that_does_not_fit_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "head.keras"
    write_keras(path)
    with pytest.raises(CheckpointError, match="3 outputs: give as many different labels, not 2"):
        adopt_keras_head(checkpoint, path, ["a", "b"], tmp_path / "joined")
    write_keras(path, inputs=HIDDEN + 1)
    with pytest.raises(CheckpointError, match="reads 17 features"):
        _read_head(path, HIDDEN)


def _read_head(path: Path, hidden: int) -> tuple[np.ndarray, np.ndarray]:
    return find_head(path, read_arrays("keras", path), hidden)


def _keras_of(path: Path, datasets: dict[str, np.ndarray]) -> Path:
    data = BytesIO()
    with h5py.File(data, "w") as file:
        for name, value in datasets.items():
            file[name] = value
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda", "module": "os", "function": "system"}')
        archive.writestr("model.weights.h5", data.getvalue())
    return path


def test_a_keras_file_with_more_than_a_head_is_refused_by_the_variable_s_name(tmp_path: Path) -> None:
    head = {"layers/dense/vars/0": np.zeros((4, 2)), "layers/dense/vars/1": np.zeros(2)}
    assert _read_head(_keras_of(tmp_path / "a.keras", head), 4)[0].shape == (4, 2)
    for extra, fault in (
        ({"layers/scale/vars/0": np.zeros(4)}, "left over layers/scale/vars/0"),
        ({"layers/dense_1/vars/0": np.zeros((4, 2))}, "not one dense layer but 2"),
        ({"layers/dense/vars/1": np.zeros(3)}, "bias"),
        ({"layers/dense/vars/0": np.full((4, 2), np.nan)}, "NaN"),
    ):
        with pytest.raises(CheckpointError, match=fault):
            _read_head(_keras_of(tmp_path / "b.keras", head | extra), 4)


def test_a_keras_file_s_links_out_of_it_are_not_followed(tmp_path: Path) -> None:
    data = BytesIO()
    with h5py.File(data, "w") as file:
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("model.weights.h5", data.getvalue())
    with pytest.raises(CheckpointError, match="a link out of the file"):
        _read_head(tmp_path / "a.keras", 4)
    (tmp_path / "b.keras").write_bytes(b"not a zip")
    with pytest.raises(CheckpointError, match="not a Keras 3 model file"):
        _read_head(tmp_path / "b.keras", 4)


@pytest.mark.parametrize(
    ("config", "words", "lowered"),
    [(None, ["stars"], True), (None, ["Stars"], False), (True, ["Stars"], True), (False, ["stars"], False)],
)
def test_a_vocabulary_is_lower_case_if_it_says_so_or_has_no_capitals(
    checkpoint: Path, config: bool | None, words: list[str], lowered: bool
) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (checkpoint / "vocab.txt").write_text("\n".join([*special, *words]) + "\n")
    if config is not None:
        (checkpoint / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": config}))
    known = "stars" if "stars" in words else "Stars"
    assert (Checkpoint(checkpoint).tokenizer(16).encode(known).ids[1] == 5) == (not lowered or known == "stars")
    assert (Checkpoint(checkpoint).tokenizer(16).normalizer.lowercase) == lowered


def test_a_tokenizer_of_another_model_is_refused(checkpoint: Path) -> None:
    with (checkpoint / "vocab.txt").open("a") as file:
        file.write("one\ntoo\nmany\n")
    with pytest.raises(CheckpointError, match="15 words, the embeddings 12"):
        check(checkpoint)


@pytest.mark.parametrize("settings", [True, False])
def test_a_vocabulary_alone_gives_what_tokenizer_json_gives(minilm: Path, tmp_path: Path, settings: bool) -> None:
    for name in ("config.json", "vocab.txt", "model.safetensors", *(["tokenizer_config.json"] if settings else [])):
        (tmp_path / name).symlink_to(minilm / name)
    one, other = Checkpoint(tmp_path).tokenizer(64), Checkpoint(minilm).tokenizer(64)
    for text in ("We measure the top quark's mass: 172.5±0.4 GeV/c².", "Ünïcode, SU(3)×U(1) & 量子", "", "a " * 99):
        assert one.encode(text).ids == other.encode(text).ids


def test_a_configuration_is_completed_as_transformers_has_it(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text()) | {"model_type": "bert"}
    del config["hidden_act"], config["type_vocab_size"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    found = BertConfig.from_json(Checkpoint(checkpoint).config)
    assert (found.hidden_act, found.type_vocab_size, found.hidden_size) == ("gelu", 2, HIDDEN)
    (checkpoint / "config.json").write_text(json.dumps(config | {"model_type": "roberta"}))
    with pytest.raises(CheckpointError, match="of a roberta, not of a BERT"):
        check(checkpoint)
