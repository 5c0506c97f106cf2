"""`model card`: what a model is for, what it is bad at and what it costs, from its manifest and what was measured."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

from model.artifact import MANIFEST, SHIPPED, Artifact, Manifest
from model.errors import ArtifactError
from service.cli.common import Command, services

EVALUATION: Final = "evaluation.json"
"""Beside the manifest: a list of what `model evaluate --json` prints, rounded."""
WEAK: Final = 0.6
"""F1 below which a label is said to be found badly."""
FEW: Final = 10
"""Rows below which the figures of a label say little."""
_INTRODUCTION: Final = """\
<!-- Written by `abstracts model card` from the models' manifests and evaluations: change those. -->

# Model card

What the shipped models are for, what they were made of, what they are bad at and what they cost. `abstracts model card
NAME` writes the same of any model, from its manifest and from what `abstracts model evaluate FILE... --model NAME
--save` has measured. How the models were trained, and what was tried: [models.md](models.md).

## For all of them

- **Use.** To sort, route and find papers by subject, from the abstract alone: suggestions for a person, a filter, a
  facet of a search. Scores are meant as probabilities; how well they hold as such, the calibration of each model tells.
- **Not for** judging papers or people: a score says what an abstract is about, nothing of how good it is. Not for texts
  that are no abstracts of papers, nor for subjects outside of the labels: every text gets scores.
- **Language.** English. Texts in other languages, placeholders and what is like no abstract get `warnings`
  ([texts.md](texts.md)); their scores mean little.
- **Input.** The abstract; neither title nor authors are read.
"""


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
def card(names: tuple[str, ...]) -> None:
    """Write the card of models: use, data, what they are bad at, calibration, cost.

    In Markdown; without NAME, of all that are shipped. What was measured comes from `model evaluate --save`.
    """
    if not names:
        click.echo(shipped_card(), nl=False)
        return
    with services() as opened:
        artifacts = [opened.registry.get(name).require() for name in names]
    click.echo("\n".join(map(section, artifacts)), nl=False)


def shipped_card() -> str:
    """docs/model-card.md."""
    artifacts = [Artifact.open(path.parent) for path in sorted(SHIPPED.glob(f"*/{MANIFEST}"))]
    return "\n".join([_INTRODUCTION, *map(section, artifacts)])


def write_evaluations(artifact: Artifact, found: Sequence[Mapping[str, Any]]) -> None:
    """Keeps what was measured beside the model, in the place of what was measured on the same files or of others."""
    kept = {report["file"]: report for report in _kept(artifact) if report["model_digest"] == artifact.digest}
    kept |= {report["file"]: _rounded(report) for report in found}
    text = json.dumps(list(kept.values()), indent=1, ensure_ascii=False)
    (artifact.path / EVALUATION).write_text(text + "\n", "utf-8")


def read_evaluations(artifact: Artifact) -> list[dict[str, Any]]:
    """What was measured; nothing if it never was. ArtifactError if it is of another version of the model."""
    found = _kept(artifact)
    if any(report["model_digest"] != artifact.digest for report in found):
        raise ArtifactError(
            f"{artifact.path / EVALUATION} is of another version of {artifact.name}; "
            f"measure this one: abstracts model evaluate FILE... --model {artifact.name} --save"
        )
    return found


def _kept(artifact: Artifact) -> list[dict[str, Any]]:
    path = artifact.path / EVALUATION
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return found


def section(artifact: Artifact) -> str:
    """What is said of one model."""
    name, evaluations = artifact.name, read_evaluations(artifact)
    parts = {
        f"## {name}": _summary(artifact),
        f"### {name}: data": _data(artifact.manifest),
        f"### {name}: how good it is": _quality(artifact.manifest, evaluations),
        f"### {name}: cost": _cost(artifact),
    }
    if evaluations:
        parts[f"### {name}: label by label"] = _labels(artifact.manifest, evaluations[0])
        parts[f"### {name}: what is taken for what"] = _confusions(artifact.manifest, evaluations[0])
        parts[f"### {name}: calibration"] = _calibration(evaluations[0])
    return "\n".join(f"{title}\n\n{text}" for title, text in parts.items())


def _summary(artifact: Artifact) -> str:
    manifest = artifact.manifest
    kind = "each by itself (sigmoid)" if manifest.activation == "sigmoid" else "of which one holds (softmax)"
    encoder = f"that of `{artifact.encoder.name}`" if artifact.encoder else "its own"
    base = manifest.checkpoint.get("name", "a checkpoint without a name")
    facts = {
        "scores": f"{len(manifest.labels)} labels, {kind}; chosen are those at or above {manifest.threshold:g}",
        "encoder": f"{encoder}, from {base}",
        "reads": f"the first {manifest.max_tokens} tokens of an abstract",
        "made": f"{manifest.created or 'at an unknown time'}, licence {manifest.licence or 'unknown'}",
        "digest": f"`{artifact.digest}`",
    }
    return _table(("", ""), facts.items())


def _data(manifest: Manifest) -> str:
    lines: list[str] = []
    training: Any = manifest.training
    mix = None
    while training:
        files = ", ".join(f"`{name}`" for name in training.get("data", {})) or "files that are not named"
        what = "A head alone, on an encoder that stayed as it was: " if training.get("frozen") else ""
        lines.append(f"- {'Before that: ' if lines else what}{training.get('examples', 0):,} examples from {files}.")
        if training.get("mix") and training["mix"] != mix:
            mix = training["mix"]
            shares = ", ".join(f"{label} {share:.1%}" for label, share in mix.items())
            lines.append(f"  Drawn and calibrated toward these shares: {shares}.")
        training = training.get("after")
    return "\n".join(lines or ["Not known."]) + "\n"


def _quality(manifest: Manifest, evaluations: Sequence[Mapping[str, Any]]) -> str:
    measured = {"papers held out at the training": manifest.scores["held_out"]} if "held_out" in manifest.scores else {}
    for report in evaluations:
        weighted = f", weighted by `{report['weight_field']}`" if report["weight_field"] else ""
        measured[f"`{report['file']}`{weighted}"] = report
    columns = ("measured on", "rows", "micro-F1", "macro-F1", "top-1", "ECE")
    rows = [
        (
            name,
            f"{report['rows']:,}",
            *(f"{report[key]:.3f}" for key in ("micro_f1", "macro_f1", "top1")),
            f"{report['ece']:.4f}",
        )
        for name, report in measured.items()
    ]
    if not rows:
        return "Nobody has measured it yet.\n"
    return (
        _table(columns, rows) + "\nMacro-F1 is over the labels that occur; top-1: the best-scored label is a true one; "
        "ECE: the expected calibration error.\n"
    )


def _labels(manifest: Manifest, report: Mapping[str, Any]) -> str:
    occurring = [item for item in report["labels"] if item["support"]]
    weak = [item for item in occurring if item["f1"] < WEAK and item["support"] >= FEW]
    lines = [
        f"On `{report['file']}`, at {report['threshold']:g}, the worst first; support: rows with the label, weighted."
    ]
    if weak:
        lines.append(f"F1 is below {WEAK:g} for {', '.join(item['label'] for item in sorted(weak, key=_by_f1))}.")
    few = [item["label"] for item in occurring if item["support"] < FEW]
    if few:
        lines.append(f"Fewer than {FEW} rows, which say little, have {', '.join(few)}.")
    absent = [item["label"] for item in report["labels"] if not item["support"]]
    if absent:
        lines.append(f"None has {', '.join(absent)}.")
    rows = [
        (
            _named(manifest, item["label"]),
            *(f"{item[key]:.2f}" for key in ("precision", "recall", "f1")),
            f"{item['support']:.0f}",
        )
        for item in sorted(occurring, key=_by_f1)
    ]
    return "\n".join(lines) + "\n\n" + _table(("label", "precision", "recall", "F1", "support"), rows)


def _confusions(manifest: Manifest, report: Mapping[str, Any]) -> str:
    rows = [
        (*(_named(manifest, item[which], linked=False) for which in ("true", "chosen")), *_share(item))
        for item in report["confusions"]
    ]
    intro = "Rows with a label that was not chosen, and for which another was that is wrong; the most frequent pairs."
    return f"{intro}\n\n" + _table(("missed", "chosen", "rows", "of all with the missed label"), rows)


def _share(item: Mapping[str, Any]) -> tuple[str, str]:
    return f"{item['rows']:.0f}", f"{item['share']:.0%}"


def _calibration(report: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{item['low']:.2f} to {item['high']:.2f}",
            f"{item['decisions']:,.0f}",
            f"{item['score']:.3f}",
            f"{item['true']:.3f}",
        )
        for item in report["calibration"]
    ]
    intro = (
        f"On `{report['file']}`. Of the decisions with a score in a range, the share that is true should be the mean."
    )
    return f"{intro}\n\n" + _table(("scores", "decisions", "mean score", "true"), rows)


def _cost(artifact: Artifact) -> str:
    shape, labels = artifact.manifest.architecture, len(artifact.manifest.labels)
    own = sum((artifact.path / name).stat().st_size for name in artifact.manifest.files)
    shared = f", beside `{artifact.encoder.name}`, whose encoder it shares" if artifact.encoder else ""
    lines = [f"- {own / 1e6:.2f} MB on disk{shared}; weights in {artifact.manifest.precision}."]
    if shape:
        lines.append(f"- {_parameters(shape, labels) / 1e6:.1f} million parameters, the encoder's included.")
        work = [f"{_operations(shape, tokens) / 1e9:.1f} at {tokens}" for tokens in (128, artifact.manifest.max_tokens)]
        lines.append(
            f"- Billions of multiplications a text by its tokens: {', '.join(work)}. A stored answer takes none."
        )
    lines.append("- What that takes in milliseconds depends on the machine: `python -m bench.engine` measures it.")
    return "\n".join(lines) + "\n"


def _parameters(shape: Mapping[str, Any], labels: int) -> int:
    """Of a BERT without pooler, and a linear head."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    rows = shape["vocab_size"] + shape["max_position_embeddings"] + shape["type_vocab_size"]
    layer = 4 * (hidden * hidden + hidden) + 2 * hidden * inner + inner + hidden + 4 * hidden
    return int(rows * hidden + 2 * hidden + shape["num_hidden_layers"] * layer + hidden * labels + labels)


def _operations(shape: Mapping[str, Any], tokens: int) -> int:
    """Multiplications of the matrix products over so many tokens."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    layer = tokens * (4 * hidden * hidden + 2 * hidden * inner) + 2 * tokens * tokens * hidden
    return int(shape["num_hidden_layers"] * layer)


def _named(manifest: Manifest, label: str, *, linked: bool = True) -> str:
    said = manifest.about.get(label, {})
    name, url = said.get("name", ""), said.get("url")
    return f"[{name}]({url}) `{label}`" if url and linked else f"{name} `{label}`".strip()


def _by_f1(item: Mapping[str, Any]) -> float:
    return float(item["f1"])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _rounded(value: Any) -> Any:
    """The same with numbers of four places."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
