"""A card as text: the YAML head that the hub reads, and the Markdown below it, cut into sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sixarts.errors import CardError

#: Longest head that is read, in characters. A card comes from strangers.
HEAD_LIMIT = 64 << 10

_HEAD = re.compile(r"\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"##[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def read(text: str) -> tuple[dict[str, Any], str]:
    """The head's entries and the Markdown below; no entries where there is no head.

    Raises:
        CardError: the head is not YAML, is no mapping, is too long, or refers to itself.
    """
    found = _HEAD.match(text)
    if found is None:
        return {}, text
    head = found[1]
    if len(head) > HEAD_LIMIT:
        raise _bad(f"{len(head)} characters", f"{HEAD_LIMIT} at most")
    import yaml

    try:
        entries = yaml.load(head, _loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, CardError):
            raise
        raise _bad(" ".join(str(error).split())[:200] or type(error).__name__, "YAML") from None
    if not isinstance(entries, dict):
        raise _bad(f"a {type(entries).__name__}", "lines such as 'license: mit'")
    return {str(key): value for key, value in entries.items()}, text[found.end() :]


@lru_cache(maxsize=1)
def _loader() -> Any:
    """PyYAML's safe loader without references: a few lines of them stand for gigabytes."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise _bad("a YAML reference (*name)", "every value written out")
            return super().compose_node(parent, index)

    return Loader


def written(entries: Mapping[str, Any], body: str) -> str:
    """A card of this head and this Markdown.

    >>> print(written({"license": "mit", "language": ["no"]}, "# Mine"))
    ---
    license: mit
    language:
    - 'no'
    ---
    <BLANKLINE>
    # Mine
    <BLANKLINE>
    """
    import yaml

    head = yaml.safe_dump(dict(entries), sort_keys=False, allow_unicode=True, width=1 << 20)
    return f"---\n{head}---\n\n{body.strip()}\n"


def sections(body: str) -> dict[str, str]:
    """Section name to its Markdown; what stands in a code block is no heading.

    >>> sections("# Mine\\n\\n## Use\\n\\nFor fun.\\n\\n## Data\\n\\nMine.")
    {'Use': 'For fun.', 'Data': 'Mine.'}
    """
    lines = body.splitlines(keepends=True)
    return {name: "".join(lines[start + 1 : end]).strip() for name, start, end in _places(lines)}


def with_section(body: str, name: str, content: str) -> str:
    """The Markdown with this section in the old one's place, else at the end."""
    lines = body.splitlines(keepends=True)
    block = f"## {name}\n\n{content.strip()}\n"
    for found, start, end in _places(lines):
        if found == name:
            rest = "".join(lines[end:])
            return "".join(lines[:start]) + block + (f"\n{rest}" if rest.strip() else "")
    return f"{body.rstrip()}\n\n{block}" if body.strip() else block


def _places(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """Each section's name, the line of its heading and the line after its last."""
    for (name, start), (_, end) in pairwise([*_headings(lines), ("", len(lines))]):
        yield name, start, end


def _headings(lines: list[str]) -> Iterator[tuple[str, int]]:
    fence = ""
    for number, line in enumerate(lines):
        if marks := _FENCE.match(line):
            if not fence:
                fence = marks[1]
            elif marks[1].startswith(fence):
                fence = ""
        elif not fence and (heading := _HEADING.match(line.rstrip())):
            yield heading[1], number


def _bad(received: str, expected: str) -> CardError:
    return CardError(
        f"received {received} in the head of a card, between its lines '---'; expected {expected}; mend it "
        "in README.md"
    )
