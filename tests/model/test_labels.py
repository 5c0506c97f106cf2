import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from model.artifact import SHIPPED, Artifact, rename
from model.errors import ArtifactError, DataError
from model.labels import arxiv_about, arxiv_groups, arxiv_names, described, read_names
from tests.model.test_artifact import write_artifact

UNDIVIDED = {"astro-ph", "cond-mat", "q-bio"}
"""Categories of before 2009; by now archives alone."""


def test_all_of_arxivs_archives_and_categories_have_names() -> None:
    archives = [label for label in arxiv_names() if "." not in label]
    undivided = set(archives) - {label.partition(".")[0] for label in arxiv_names() if "." in label}
    assert len(archives) == 20
    assert len(arxiv_names()) - len(archives) + len(undivided) == 149
    assert arxiv_names()["hep-ph"] == "High Energy Physics - Phenomenology"


def test_every_category_of_the_data_has_a_name(shared: Path) -> None:
    with lzma.open(shared / "data" / "arxiv-categories.tsv.xz", "rt") as file:
        found = {category for line in file for category in line.split("\t")[1].split()}
    assert found - UNDIVIDED <= set(arxiv_names())
    assert len(found - UNDIVIDED) == 149


def test_a_category_belongs_to_its_archive() -> None:
    assert arxiv_groups(["cs.LG", "hep-th"]) == {"cs.LG": "cs", "hep-th": "hep-th"}
    assert arxiv_groups(["cs", "hep-th"]) == arxiv_groups(["cs.LG", "mine"]) == {}
    assert arxiv_about(["cs", "mine"]) == {}
    assert arxiv_about(["cs.LG", "hep-th"]) == {
        "cs.LG": {"name": "Machine Learning", "url": "https://arxiv.org/list/cs.LG/recent"},
        "hep-th": {"name": "High Energy Physics - Theory", "url": "https://arxiv.org/list/hep-th/recent"},
        "cs": {"name": "Computer Science", "url": "https://arxiv.org/list/cs/recent"},
    }


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/manifest.json")), ids=lambda path: path.parent.name)
def test_every_shipped_label_has_a_name_and_an_address(path: Path) -> None:
    manifest = Artifact.open(path.parent).manifest
    assert dict(manifest.about) == arxiv_about(manifest.labels)
    assert dict(manifest.groups) == arxiv_groups(manifest.labels)


def test_names_are_written_into_an_artifact_and_change_no_digest(tmp_path: Path) -> None:
    before = Artifact.open(write_artifact(tmp_path / "tiny"))
    assert before.manifest.about == {}
    after = rename(before.path)
    assert after.manifest.about["cs"]["name"] == "Computer Science"
    custom = rename(before.path, {"cs": {"name": "Informatik"}, "all": {"name": "Alles"}}, {"cs": "all", "math": "all"})
    assert described(custom.manifest.labels, custom.manifest.about, custom.manifest.groups) == {
        "cs": {"name": "Informatik", "group": "all"},
        "math": {"group": "all"},
        "all": {"name": "Alles"},
    }
    assert before.digest == after.digest == custom.digest


def test_groups_are_in_the_digest_of_a_head_of_sigmoids(tmp_path: Path) -> None:
    manifest = Artifact.open(write_artifact(tmp_path / "tiny")).manifest
    values = {name: getattr(manifest, name) for name in manifest.__slots__} | {"encoder": {"name": "a", "digest": "b"}}
    grouped = values | {"groups": {"cs": "math"}}
    assert type(manifest)(**values).digest() != type(manifest)(**grouped).digest()
    softmax = {"activation": "softmax"}
    assert type(manifest)(**values | softmax).digest() == type(manifest)(**grouped | softmax).digest()


@pytest.mark.parametrize(
    ("about", "groups", "fault"),
    [
        ({"biology": {"name": "Biology"}}, {}, "about is not about labels"),
        ({"cs": {}}, {}, "something else than a name"),
        ({"cs": {"name": "Computer\nScience"}}, {}, "something else than a name"),
        ({"cs": {"name": "x" * 201}}, {}, "something else than a name"),
        ({"cs": {"name": "CS", "url": "javascript:alert(1)"}}, {}, "something else than a name"),
        ({"cs": {"name": "CS", "colour": "red"}}, {}, "something else than a name"),
        ({}, {"biology": "cs"}, "groups does not say"),
        ({}, {"cs": 1}, "groups does not say"),
        (["cs"], {}, "about is not about labels"),
        ({}, ["cs"], "groups does not say"),
    ],
)
def test_what_names_cannot_be_is_refused_and_the_artifact_stays(
    tmp_path: Path, about: Any, groups: Any, fault: str
) -> None:
    folder = write_artifact(tmp_path / "tiny")
    before = (folder / "manifest.json").read_text()
    with pytest.raises(ArtifactError, match=fault):
        rename(folder, about, groups)
    assert (folder / "manifest.json").read_text() == before
    with pytest.raises(ArtifactError, match=fault):
        Artifact.open(write_artifact(tmp_path / "other", about=about, groups=groups))


def test_a_file_of_names_has_names_or_objects(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    file.write_text(json.dumps({"a": "First", "b": {"name": "Second", "url": "https://b.test", "group": "a"}}))
    assert read_names(file) == (
        {"a": {"name": "First"}, "b": {"name": "Second", "url": "https://b.test"}},
        {"b": "a"},
    )
    for wrong in ("[]", "{", '{"a": 1}', '{"a": {"title": "A"}}'):
        file.write_text(wrong)
        with pytest.raises(DataError, match=r"names\.json"):
            read_names(file)
