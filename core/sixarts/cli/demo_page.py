"""The demo's page: one HTML file that needs nothing else."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import sixarts

from .showing import Answer, Showing, time_of


def page(showings: Sequence[Showing]) -> str:
    """The whole page.

    Args:
        showings: what each task made of its samples, in the order shown.
    """
    style = Path(__file__).with_name("demo_page.css").read_text(encoding="utf-8")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            "<title>Sixarts demo</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            *_header(showings),
            "<main>",
            *(line for showing in showings for line in _section(showing)),
            "</main>",
            f"<footer>Sixarts {sixarts.__version__}, Python {platform.python_version()}, "
            f"{escape(platform.system())} {escape(platform.machine())}. Made offline by "
            "<code>sixarts demo</code>.</footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(showings: Sequence[Showing]) -> Iterator[str]:
    ran = sum(bool(showing.answers) for showing in showings)
    answers = sum(len(showing.answers) for showing in showings)
    yield '<header><p class="brand">Sixarts</p>'
    yield "<h1>Every task, on its own samples</h1>"
    yield f'<p class="lead">{_count(ran, "task")} gave {_count(answers, "answer")}, without network.</p>'
    if len(showings) > 1:
        yield '<nav aria-label="Tasks"><ul>'
        for showing in showings:
            yield f'<li><a href="#{_anchor(showing.name)}">{escape(showing.name)}</a></li>'
        yield "</ul></nav>"
    yield "</header>"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name)


def _section(showing: Showing) -> Iterator[str]:
    anchor = _anchor(showing.name)
    yield f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
    yield f'<h2 id="{anchor}-title">{escape(showing.name)}</h2>'
    yield f'<p class="summary">{escape(showing.summary)}</p>'
    facts = [("model", f"<code>{escape(showing.model)}</code>")]
    if showing.answers:
        facts.append(("loaded in", time_of(showing.loading)))
        facts.append(("an answer in", time_of(showing.seconds)))
    yield '<dl class="facts">'
    yield from (f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in facts)
    yield "</dl>"
    if showing.install:
        yield f'<p class="note">{escape(showing.install)}</p>'
    yield from (f'<p class="problem" role="alert">{escape(problem)}</p>' for problem in showing.problems)
    for place, answer in enumerate(showing.answers):
        yield from _answer(answer, " open" if place == 0 else "")
    if showing.explanation:
        yield '<figure class="explanation">'
        yield f"<figcaption>Why: {escape(showing.method)}, for the first sample</figcaption>"
        yield f'<div class="scroll" tabindex="0">{showing.explanation}</div></figure>'
    yield "</section>"


def _answer(answer: Answer, state: str) -> Iterator[str]:
    yield '<article class="answer">'
    yield '<div class="pair">'
    yield f'<div><h3>Input</h3><p class="text">{escape(answer.input)}</p></div>'
    yield f'<div><h3>Answer</h3><p class="text strong">{escape(answer.text)}</p></div>'
    yield "</div>"
    yield f"<details{state}><summary>Details, {time_of(answer.seconds)}</summary>"
    if answer.plot:
        yield (
            f'<img src="data:image/png;base64,{answer.plot}" loading="lazy" '
            f'alt="Plot of the answer to: {escape(answer.input, quote=True)}">'
        )
    if answer.html:
        yield f'<div class="scroll" tabindex="0">{answer.html}</div>'
    yield f"<pre>{escape(answer.data)}</pre></details>"
    yield "</article>"
