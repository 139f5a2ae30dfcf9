"""The languages that Whisper was trained on: code to name, in the order of their tokens.

Source: ``openai/whisper``, ``tokenizer.py`` (MIT).
"""

from __future__ import annotations

import re

from sixarts.errors import OptionError, nearest

_TABLE = """
: en:english zh:chinese de:german es:spanish ru:russian ko:korean fr:french ja:japanese pt:portuguese
tr:turkish pl:polish ca:catalan nl:dutch ar:arabic sv:swedish it:italian id:indonesian hi:hindi fi:finnish
vi:vietnamese he:hebrew uk:ukrainian el:greek ms:malay cs:czech ro:romanian da:danish hu:hungarian ta:tamil
no:norwegian th:thai ur:urdu hr:croatian bg:bulgarian lt:lithuanian la:latin mi:maori ml:malayalam cy:welsh
sk:slovak te:telugu fa:persian lv:latvian bn:bengali sr:serbian az:azerbaijani sl:slovenian kn:kannada
et:estonian mk:macedonian br:breton eu:basque is:icelandic hy:armenian ne:nepali mn:mongolian bs:bosnian
kk:kazakh sq:albanian sw:swahili gl:galician mr:marathi pa:punjabi si:sinhala km:khmer sn:shona yo:yoruba
so:somali af:afrikaans oc:occitan ka:georgian be:belarusian tg:tajik sd:sindhi gu:gujarati am:amharic
yi:yiddish lo:lao uz:uzbek fo:faroese ht:haitian_creole ps:pashto tk:turkmen nn:nynorsk mt:maltese
sa:sanskrit lb:luxembourgish my:myanmar bo:tibetan tl:tagalog mg:malagasy as:assamese tt:tatar haw:hawaiian
ln:lingala ha:hausa ba:bashkir jw:javanese su:sundanese yue:cantonese
"""
#: Code of a language's token to its English name.
LANGUAGES: dict[str, str] = {
    code: name.replace("_", " ") for code, name in (entry.split(":") for entry in _TABLE.split())
}

#: Other names of some.
ALIASES = {
    "burmese": "my",
    "valencian": "ca",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "pushto": "ps",
    "panjabi": "pa",
    "moldavian": "ro",
    "moldovan": "ro",
    "sinhalese": "si",
    "castilian": "es",
    "mandarin": "zh",
}
#: Languages that put no spaces between words.
UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})

_NAMES = {name: code for code, name in LANGUAGES.items()} | ALIASES
_TOKEN = re.compile(r"<\|([a-z]{2,3})\|>")


def code_of(language: str, known: dict[str, int]) -> str:
    """The code of a language that a model has, from its code, its name, or a code with a region.

    Args:
        language: e.g. ``"de"``, ``"German"``, ``"de-AT"``.
        known: codes of the model's languages, and their tokens.

    Raises:
        OptionError: it has no such language; the nearest are named.
    """
    asked = language.strip().lower()
    code = _NAMES.get(asked, asked)
    code = code if code in known else re.split("[-_]", code)[0]
    if code in known:
        return code
    names = [*known, *(name for name, its in _NAMES.items() if its in known)]
    near = nearest(asked, names) or sorted(known)[:20]
    raise OptionError(f"language={language!r}; expected one of the model's, e.g. {', '.join(near)}")


def token_code(token: str) -> str | None:
    """The code that a language's token holds.

    >>> token_code("<|de|>"), token_code("<|transcribe|>")
    ('de', None)
    """
    found = _TOKEN.fullmatch(token)
    return found.group(1) if found else None
