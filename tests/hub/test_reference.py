"""References: every form reads, prints back, and anything else is refused with a way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixarts_hub import Reference
from sixarts_hub.errors import BadReference

pytestmark = pytest.mark.quick

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "kind", "name", "revision"),
    [
        ("starter/en-zh", "starter", "en-zh", None),
        ("Helsinki-NLP/opus-mt-en-fr", "repo", "Helsinki-NLP/opus-mt-en-fr", None),
        ("me/model@main", "repo", "me/model", "main"),
        ("me/model@refs/pr/1", "repo", "me/model", "refs/pr/1"),
        (f"me/model@{COMMIT}", "repo", "me/model", COMMIT),
        ("hf://me/model", "repo", "me/model", None),
        ("hf://me/model@v1.0", "repo", "me/model", "v1.0"),
        ("hf://starter/model", "repo", "starter/model", None),
        ("./mine", "folder", "./mine", None),
        ("../mine", "folder", "../mine", None),
        (".", "folder", ".", None),
        ("..", "folder", "..", None),
        ("/models/mine", "folder", "/models/mine", None),
        ("~/mine", "folder", "~/mine", None),
        ("./me/model@main", "folder", "./me/model@main", None),
        (r"C:\models\mine", "folder", r"C:\models\mine", None),
        ("c:/models/mine", "folder", "c:/models/mine", None),
        (r".\mine", "folder", r".\mine", None),
    ],
)
def test_forms(text: str, kind: str, name: str, revision: str | None) -> None:
    assert Reference.parse(text) == Reference(kind, name, revision)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " me/model",
        "me/model\n",
        "me/mo\0del",
        "model",
        "a/b/c",
        "me/",
        "/".join(["me", "x" * 97]),
        "x/" + "y" * 5000,
        "me/-model",
        "me/model.",
        "me/mo--del",
        "me/..",
        "me/mo del",
        "me/模型",
        "me/model.git",
        "me/model@",
        "me/model@../../etc",
        "me/model@a..b",
        "me/model@/a",
        "me/model@a b",
        "me/model@a.lock",
        "me/model@-f",
        "me/model@a/.b",
        "hf://model",
        "hf://../x",
        "hf://",
        "https://huggingface.co/me/model",
        "ftps://me/model",
        "starter/",
        "starter/../x",
        "starter/en-zh@main",
        "starter/a/b",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(BadReference, match=r"received .*; expected .*; \S+"):
        Reference.parse(text)


def test_a_bare_name_suggests_the_starter() -> None:
    with pytest.raises(BadReference, match="write 'starter/en-zh'"):
        Reference.parse("enzh", starters=["en-zh", "mnist"])


def test_an_existing_folder_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/deep/mine").mkdir(parents=True)
    assert Reference.parse("models") == Reference("folder", "./models")
    assert Reference.parse("models/deep/mine") == Reference("folder", "./models/deep/mine")
    assert Reference.parse(Path("models/deep")) == Reference("folder", "./models/deep")


def test_a_name_that_could_be_two_things_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me/model").mkdir(parents=True)
    with pytest.raises(BadReference, match=re.escape("'./me/model' for the folder or 'hf://me/model'")):
        Reference.parse("me/model")
    assert Reference.parse("./me/model").kind == "folder"
    assert Reference.parse("hf://me/model").kind == "repo"
    assert Reference.parse("me/model@main").kind == "repo"


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert Reference.parse("~/mine").path == Path("/somewhere/mine")


PARTS = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9_])?", fullmatch=True).filter(
    lambda part: "--" not in part and ".." not in part and not part.endswith(".git")
)
REVISIONS = st.none() | st.from_regex(
    r"[A-Za-z0-9_]([A-Za-z0-9_/@-]{0,20}[A-Za-z0-9_])?", fullmatch=True
).filter(lambda revision: "//" not in revision)
REFERENCES = st.one_of(
    st.builds(lambda name: Reference("starter", name), PARTS),
    st.builds(
        lambda owner, name, revision: Reference("repo", f"{owner}/{name}", revision),
        PARTS | st.just("starter"),
        PARTS,
        REVISIONS,
    ),
    st.builds(lambda name: Reference("folder", f"./{name}"), st.text("abc/@. ", min_size=1).map(str.strip)),
)


@given(REFERENCES)
def test_what_is_printed_reads_back(reference: Reference) -> None:
    assert Reference.parse(str(reference)) == reference


@given(st.text(max_size=60))
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except BadReference:
        return
    assert reference.kind == "folder" or ".." not in reference.name
    assert Reference.parse(str(reference)) == reference
