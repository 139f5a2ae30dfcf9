"""Model cards: written from what was measured, read back by the hub's own library, and found incomplete."""

from __future__ import annotations

import types
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts import card_text
from sixarts.card import SECTIONS, UNKNOWN, Card, Measured, Record, card_of, fill, with_measured
from sixarts.card_check import check
from sixarts.errors import CardError, OptionError, SixartsError
from sixarts.result import Footprint, Metric, Metrics

pytestmark = pytest.mark.quick

BLEU = Metric(34.16231, 32.4211, 35.9388)
METRICS = Metrics({"bleu": BLEU, "chrf": Metric(29.2, 27.7, 30.7)}, "nrefs:1|tok:zh", 1035)
MEASURED = Measured(METRICS, "Tatoeba, English–Chinese", id="tatoeba", options={"beams": 4})
SAID = {
    "Use": 'For everyday sentences: `sixarts.load("translation")`.',
    "Data": "Tatoeba, CC BY 2.0 FR.",
    "Training": "60 epochs.",
    "Footprint": "Small.",
    "Limits": "Short sentences only.",
}


def complete(**changes: Any) -> str:
    stated: dict[str, Any] = {
        "title": "English to Chinese",
        "task": "translation",
        "license": "cc-by-2.0",
        "sections": SAID,
        "languages": ("en", "no"),
        "datasets": ("tatoeba",),
        "measured": (MEASURED,),
    }
    return str(Card(**stated | changes))


def changed(**entries: Any) -> str:
    """The complete card with other entries in its head; ``None`` takes one out."""
    head, body = card_text.read(complete())
    head |= {key.replace("_index", "-index"): value for key, value in entries.items()}
    return card_text.written({key: value for key, value in head.items() if value is not None}, body)


# What is written.


def test_the_hubs_library_reads_the_figures() -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(complete()).data
    assert (data.license, data.pipeline_tag, data.library_name) == ("cc-by-2.0", "translation", "sixarts")
    assert data.language == ["en", "no"] and data.datasets == ["tatoeba"] and data.metrics == ["bleu", "chrf"]
    bleu, chrf = data.eval_results
    assert (bleu.task_type, bleu.dataset_type, bleu.dataset_split) == ("translation", "tatoeba", "test")
    assert (bleu.metric_type, bleu.metric_value, chrf.metric_value) == ("bleu", 34.16, 29.2)
    assert bleu.metric_args == {
        "interval": [32.42, 35.94],
        "confidence": 0.95,
        "examples": 1035,
        "protocol": "nrefs:1|tok:zh",
        "options": {"beams": 4},
    }
    assert data.model_name == "English to Chinese"


def test_people_read_the_same_figures() -> None:
    told = card_text.sections(card_text.read(complete())[1])["Evaluation"]
    assert "On 1,035 examples of Tatoeba, English–Chinese (test), with beams 4; 95% intervals." in told
    assert "| bleu | 34.16 | 32.42 to 35.94 |" in told
    assert "Protocol: `nrefs:1|tok:zh`." in told


def test_a_complete_card_lacks_nothing() -> None:
    assert check(complete(), "translation") == []


def a_task(card: str = "", **record: Any) -> Any:
    model = types.SimpleNamespace(family="marian", parameters=1234567, stored_dtype="float16")
    known = {"name": "translation", "reference": "starter/en-zh", "model": model}
    return types.SimpleNamespace(card=card, record=Record(**record), **known)


def test_a_model_without_a_card_gets_one_that_says_what_is_not_known() -> None:
    problems = check(card_of(a_task()), "translation")
    assert problems == [
        "license is unknown: expected the hub's identifier, e.g. cc-by-4.0",
        *(f"## {name} is not stated yet" for name in SECTIONS if name != "Footprint"),
    ]


def test_what_happened_to_a_task_is_on_its_card() -> None:
    cost = Footprint(1234567, 2469134, 1.05e8, 0.012, None, "median of 5 calls")
    text = card_of(a_task(trained=["Trained on 80 examples."], measured=[MEASURED], cost=cost))
    told = card_text.sections(card_text.read(text)[1])
    assert told["Training"] == "Started from starter/en-zh. Trained on 80 examples."
    assert "| bleu | 34.16 |" in told["Evaluation"]
    assert "1,234,567 parameters" in told["Footprint"] and "1.05e+08 FLOPs" in told["Footprint"]
    assert not [line for line in check(text) if "Evaluation" in line or "Training" in line]


def test_a_card_that_came_along_stays_as_it_is() -> None:
    assert card_of(a_task("# Theirs")) == "# Theirs"


def test_new_figures_take_the_place_of_old_ones_on_the_same_data() -> None:
    better = Measured(Metrics({"bleu": Metric(40.0, 38.0, 42.0)}, "p", 1035), "Tatoeba", id="tatoeba")
    other = Measured(Metrics({"bleu": Metric(12.0, 11.0, 13.0)}, "p", 50), "News")
    text = complete(sections={**SAID, "Evaluation": "By hand: good."})
    once = with_measured(text, "translation", [MEASURED, other])
    again = with_measured(once, "translation", [better, other])
    assert with_measured(again, "translation", [better, other]) == again
    head, body = card_text.read(again)
    results = head["model-index"][0]["results"]
    assert {entry["dataset"]["name"]: [m["value"] for m in entry["metrics"]] for entry in results} == {
        "Tatoeba": [40.0],
        "News": [12.0],
    }
    told = card_text.sections(body)["Evaluation"]
    assert told.startswith("By hand: good.") and "34.16" not in told and told.count("| bleu |") == 2
    assert list(card_text.sections(body)) == list(SECTIONS)
    assert check(again, "translation") == []


def test_a_card_is_filled_in() -> None:
    draft = card_of(a_task(measured=[MEASURED]))
    text = fill(
        draft,
        "translation",
        title="Legal",
        license="mit",
        languages="no",
        use="Contracts.",
        data="Ours, CC0.",
        training="Two days.",
        limits="No poems.",
    )
    assert check(text, "translation") == []
    head, body = card_text.read(text)
    assert head["language"] == ["no"] and body.lstrip().startswith("# Legal\n")
    assert "sixarts.load(" in card_text.sections(body)["Use"]
    assert fill(text, "translation") == text
    with pytest.raises(OptionError, match=r"'licence' for a card; .*the nearest: license"):
        fill(text, "translation", licence="mit")


def test_a_strangers_card_is_filled_in_too() -> None:
    theirs = "---\nlicense: apache-2.0\ntags:\n- translation\n---\n\n### opus-mt\n\n```\n## Use\n```\n"
    text = fill(theirs, "translation", data="OPUS, CC BY.")
    head, body = card_text.read(text)
    assert head["license"] == "apache-2.0" and head["tags"] == ["translation"]
    assert card_text.sections(body) == {"Data": "OPUS, CC BY."} and "### opus-mt" in body


# What is found.


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (changed(license=None), "license is missing"),
        (changed(license="unknown"), "license is unknown"),
        (changed(license="CC BY 2.0"), "license is 'CC BY 2.0': expected one identifier"),
        (changed(license=["mit", "cc0-1.0"]), "expected one identifier"),
        (changed(license="other"), "license_name is missing"),
        (changed(library_name=None), "library_name is missing"),
        (changed(pipeline_tag=None), "pipeline_tag is missing: expected the task, translation"),
        (changed(pipeline_tag="summarization"), "the model is for 'translation'"),
        (changed(language=[False]), "language holds False: expected text; write it in quotation marks"),
        (changed(tags=3), "tags holds 3"),
        (changed(model_index={}), "model-index is no list"),
        (changed(model_index=[{"results": [3]}]), "model-index[0] has no name"),
        (changed(model_index=[{"name": "x"}]), "model-index[0] has no results"),
        (changed(model_index=[{"name": "x", "results": [3]}]), "results[0].dataset.type is missing"),
        (complete().replace("value: 34.16", "value: high"), "metrics[0].value is 'high'"),
        (complete().replace("value: 34.16", "value: .nan"), "metrics[0].value is nan"),
        (complete().replace("value: 34.16", "value: true"), "metrics[0].value is True"),
        (complete().replace("## Limits", "## Joys"), "## Limits is missing"),
        (complete().replace("## Limits", "```\n## Limits\n```"), "## Limits is missing"),
        (complete().replace("Short sentences only.", ""), "## Limits is missing"),
        (complete().replace("Short sentences only.", UNKNOWN), "## Limits is not stated yet"),
        (complete().replace("Tatoeba, CC BY 2.0 FR.", "Tatoeba."), "## Data names no license of the data"),
        (complete().replace('`sixarts.load("translation")`', "it"), "## Use does not show how to load"),
        (complete().replace("# English to Chinese", "English"), "the title is missing"),
        (complete().replace("license: cc", "license: *cc"), "head of a card"),
        ("", "## Data is missing"),
        ("---\n- a list\n---\n", "received a list in the head of a card"),
    ],
)
def test_what_is_missing_or_wrong_is_named(text: str, problem: str) -> None:
    problems = check(text, "translation")
    assert any(problem in line for line in problems), problems


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        "x: " + "[" * 5000,
        "x: !!python/object/apply:os.system ['true']",
        "x: " + "9" * 5000,
        "x" * 70_000,
        "a: b: c",
        "x: 2024-99-99",
    ],
)
def test_a_hostile_head_is_one_typed_error(head: str) -> None:
    with pytest.raises(CardError):
        card_text.read(f"---\n{head}\n---\n\n# Mine\n")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_read_checked_and_filled(head: str, body: str) -> None:
    text = f"---\n{head}\n---\n{body}"
    assert all(isinstance(line, str) for line in check(text))
    try:
        filled = fill(text, "translation", license="mit", limits="None.")
    except SixartsError:
        return
    assert card_text.read(filled)[0]["license"] == "mit"


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=80))
def test_any_title_and_license_come_back(text: str) -> None:
    read, _ = card_text.read(card_text.written({"license": text, "language": [text]}, "# Mine"))
    assert read == {"license": text, "language": [text]}
