"""Records are private: a value of one stands in no message, log, cache, card or model folder."""

from __future__ import annotations

import logging
import os
import traceback
import warnings
from pathlib import Path
from typing import Any

import pytest
import record_reference as reference

import sixarts as sa
from sixarts.errors import SixartsError

CANARY = str(reference.CANARY)
#: As it may stand in a message, a JSON file or a rounded print.
FORMS = (CANARY, CANARY[:7], "61,27384", "Gwendolyn-Featherstone")
NAME = FORMS[-1]


def written(place: Path) -> bytes:
    """Every byte of every file below a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file())


def expect_private(where: str, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    for form in FORMS:
        assert form.encode() not in content, f"{where} shows {form}"


def test_values_of_records_stand_nowhere(
    tmp_path: Path, caplog: Any, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    home = Path(os.environ["SIXARTS_HOME"])
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "sixarts")
    pairs = reference.records(120)
    # Somebody's own age, height and temperature, which no mean or quantile of the others equals.
    for place in (3, 50):
        pairs[place] = ({**pairs[place][0], "age": reference.CANARY, "height": 100 + reference.CANARY}, "ill")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        task = sa.new("disease-diagnosis", family="mlp_ensemble", members=2, hidden=4, device="cpu")
        history = task.fit(
            pairs,
            validation=pairs[:40],
            schema=reference.schema(),
            disease="ill",
            epochs=2,
            folder=tmp_path / "run",
            progress=False,
        )
        metrics = task.evaluate(
            pairs, by=("sex", "age band", "height band"), dataset="Theirs", progress=False
        )
        own = pairs[3][0]
        answer = task(own)
        found = [task.explain(own, method) for method in task.spec.explanations]
    folder = task.save(tmp_path / "model")
    expect_private("the saved folder", written(folder))
    expect_private("the run's checkpoints", written(tmp_path / "run"))
    expect_private("the cache", written(home))
    expect_private("warnings", "".join(str(each.message) for each in warned))
    for each in (task, history, metrics, answer, answer.to_dict(), task.schema, task.model.processor):
        expect_private(type(each).__name__, f"{each!r} {each}")
    examples = task.collect(pairs, "example")
    expect_private("examples", f"{examples!r} {examples.readings[3]!r}")
    for each in found:  # an explanation shows the record to whoever has it, and not to a log
        expect_private(each.method, repr(each))
    assert any(CANARY[:4] in str(each.to_dict()) for each in found), "the test could not tell"
    for text in ("repr", "html"):
        shown = answer._repr_html_() if text == "html" else repr(answer)
        expect_private(text, shown)

    bad: list[Any] = [
        {**own, "age": reference.CANARY * 100},
        {**own, "age": -reference.CANARY},
        {**own, "age": NAME},
        {**own, "age": [reference.CANARY]},
        {**own, "height": reference.CANARY / 100},
        {**own, "sex": NAME},
        {**own, "stage": reference.CANARY},
        {**own, "nmae": NAME},
        {CANARY: 3.0, "other": NAME},
        {name: value for name, value in own.items() if name != "sex"},
        (own, NAME),
        [own, NAME],
        NAME,
        reference.CANARY,
        {reference.CANARY: NAME},
    ]
    calls = [
        lambda x: task([x]),
        lambda x: task.explain(x),
        lambda x: list(task.live(x)),
        lambda x: list(task.stream(iter([x]), progress=False)),
        lambda x: task.fit([(own, "ill"), (x, "ill")], progress=False),
        lambda x: task.evaluate([(x, "ill")]),
        # A pair of a record and a text is a good example, whose label is that text.
        lambda x: task.fit([(own, "ill"), None if isinstance(x, tuple | list) else x], progress=False),
        lambda x: task.evaluate([(own, None if isinstance(x, str) else x)]),
    ]
    told = 0
    for wrong in bad:
        for call in calls:
            try:
                call(wrong)
            except SixartsError as error:
                chain: BaseException | None = error
                while chain is not None:
                    expect_private(f"{type(chain).__name__} for {type(wrong).__name__}", f"{chain} {chain!r}")
                    chain = chain.__cause__ or chain.__context__
                # Lines of source are this test's own; values in them are not.
                expect_private("a traceback", "".join(traceback.format_exception_only(error)))
                told += 1
        for failure in task([wrong], on_error="return"):
            expect_private("a failure", f"{failure!r} {failure}")
    assert told > 80
    table = tmp_path / "headless.csv"
    table.write_text(f"{CANARY},{NAME}\n1,2\n")
    for source in (str(table), {"age": [reference.CANARY, 1e9], "sex": [NAME, "male"]}):
        with pytest.raises(SixartsError) as caught:
            task(source)
        if source != str(table):
            expect_private("a table", str(caught.value))
    expect_private("the log", caplog.text)
    out = capfd.readouterr()
    expect_private("the output", out.out + out.err)


def test_golden_answers_are_of_made_up_records(tmp_path: Path) -> None:
    from sixarts_hub import Manifest

    for reference_ in ("starter/heart", "starter/breast-cancer"):
        task = sa.load("disease-diagnosis", reference_, device="cpu")
        golden = Manifest.read(task.save(tmp_path / reference_.replace("/", "-"))).golden
        assert golden is not None and golden["input"] == task.sample


def test_labels_that_are_no_labels_are_not_shown() -> None:
    task = sa.load("disease-diagnosis", device="cpu")
    for call in (task.evaluate, lambda pairs: list(task.learn(pairs, task.Training(), 0))):
        with pytest.raises(SixartsError) as caught:
            call([(task.sample, NAME)])
        expect_private("an unknown label", str(caught.value))
