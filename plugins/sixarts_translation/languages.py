"""Names and codes of languages: what a person writes to the code that a model knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sixarts.errors import InputError, OptionError, nearest

#: Farther than this, by CLDR's measure, is another language: 25 is, e.g., from Luxembourgish to German.
_FARTHEST = 10
_TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


class Opening(NamedTuple):
    """How a decoder begins: its first token, if not the checkpoint's own, and those that must follow."""

    start: int | None
    forced: tuple[int, ...]


def tagged(
    text: str, wanted: str | None, codes: Sequence[str], usual: Callable[[str | None], str]
) -> tuple[str, str]:
    """A text's target language and the text without its tag.

    Args:
        text: may begin with ``>>code<<``, the way that Marian's checkpoints name a target.
        wanted: what the options say; it goes before the text's own.
        codes: the model's languages.
        usual: gives the language by the options, or raises.

    Raises:
        InputError: the text names a language that the model does not write.
        OptionError: nobody names one.
    """
    head, body = untagged(text)
    if wanted or not head:
        return usual(wanted), body if head in codes else text
    try:
        return code_of(head, codes, "target"), body
    except OptionError as error:
        raise InputError(f"a text for {head!r}: {error}") from None


def written(processor: Any, text: str, wanted: str | None) -> tuple[str, str]:
    """The code of the language that a text's translation is in, empty where nobody says; and the bare text.

    Args:
        processor: a translation family's.
        text, wanted: as for :func:`tagged`.
    """
    if processor.languages:
        found: tuple[str, str] = processor.tagged(text, wanted)
        return found
    return str(processor.settings.get("target_lang") or ""), text


def untagged(text: str) -> tuple[str, str]:
    """The language in a text's head, or nothing, and the text after it.

    >>> untagged(">>fr<< Hello."), untagged("Hello.")
    (('fr', 'Hello.'), ('', 'Hello.'))
    """
    end = text.find("<<")
    return (text[2:end], text[end + 2 :].lstrip()) if text.startswith(">>") and end > 0 else ("", text)


def code_of(wanted: str, codes: Sequence[str], option: str) -> str:
    """The one of ``codes`` that a person means by a code of any standard, or by a name.

    Args:
        wanted: e.g. ``"fr"``, ``"fra"``, ``"pt-BR"``, ``"French"``, ``"français"``.
        codes: what the model knows, in its own spelling, e.g. ``"fra_Latn"`` or ``"fr_XX"``.
        option: what the person called it, for the message.

    Raises:
        OptionError: none of them; with the nearest.

    >>> code_of("Chinese", ["eng_Latn", "zho_Hans"], "target")
    'zho_Hans'
    """
    if wanted in codes:
        return wanted
    import langcodes

    names = {display_name(code): code for code in codes}
    for name, code in names.items():
        if name.casefold() == wanted.casefold():
            return code
    tag = wanted if _TAG.fullmatch(wanted) else _named(wanted)
    if tag:
        try:
            found, _ = langcodes.closest_match(tag, list(codes), max_distance=_FARTHEST)
        except langcodes.LanguageTagError:
            found = "und"
        if found in codes:
            return found
    near = [names.get(name, name) for name in nearest(wanted, [*names, *codes])] or list(codes[:12])
    shown = ", ".join(f"{code} ({display_name(code)})" for code in dict.fromkeys(near))
    raise OptionError(
        f"{option}={wanted!r} is none of this model's {len(codes)} languages; the nearest: {shown}"
    )


def display_name(code: str) -> str:
    """A code's English name, e.g. ``"French"`` for ``"fra_Latn"``; the code itself where none is known.

    >>> display_name("fr_XX")
    'French'
    """
    import langcodes

    try:
        # The region XX of some published codes means none.
        language = langcodes.get(re.sub(r"[-_]XX$", "", code))
        name = language.display_name()
    except langcodes.LanguageTagError:
        return code
    return code if name.startswith("Unknown") else name


def iso(wanted: str) -> str:
    """The shortest usual code of a name or code, for a catalog; what is unknown comes back as it is.

    >>> iso("Japanese"), iso("jpn"), iso("de_DE"), iso("?")
    ('ja', 'ja', 'de', '?')
    """
    import langcodes

    tag = wanted if _TAG.fullmatch(wanted) else _named(wanted)
    try:
        return langcodes.get(tag).language or wanted if tag else wanted
    except langcodes.LanguageTagError:
        return wanted


def _named(name: str) -> str:
    """The code of a language's name, in English or its own; empty unless it is spelled so."""
    import langcodes

    try:
        found = langcodes.find(name)
    except LookupError:
        return ""
    # The library guesses at misspelled names; which language was meant is not ours to guess.
    known = {found.display_name(), found.language_name(), found.autonym(), found.language_name("en")}
    return str(found) if name.casefold() in {one.casefold() for one in known} else ""
