"""What a checkpoint's ``generation_config.json`` says of its tokens, held against limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sixarts.errors import CheckpointError
from sixarts.readers.limits import TRUTH, Limit, check, number, some, whole
from sixarts_speech.whisper_languages import token_code
from sixarts_speech.whisper_tokens import END, NO_TIMES, PREVIOUS, START, WhisperTokens

#: Size of the vocabulary of models that know English only.
ENGLISH_ONLY = 51864
TASKS = ("transcribe", "translate")


@dataclass(frozen=True)
class SpeechTokens:
    """Numbers of the tokens that steer a model, and of those that it may not say.

    Attributes:
        start, end: of a text.
        no_times: asks for a text without times; the first time follows it. ``None`` in a model without times.
        previous: stands before what was said earlier; ``None`` where a model knows none.
        languages: code to token; empty in a model of English only.
        tasks: ``"transcribe"`` and ``"translate"`` to their tokens; empty likewise.
        suppress: never said.
        begin_suppress: not said first.
        latest_first: ticks after which no text may begin; ``None`` for any.
        alignment: layers and heads of the decoder that look where a word was said.
    """

    start: int
    end: int
    no_times: int | None
    previous: int | None
    languages: Mapping[str, int] = field(repr=False)
    tasks: Mapping[str, int]
    suppress: tuple[int, ...] = field(repr=False)
    begin_suppress: tuple[int, ...]
    latest_first: int | None
    alignment: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, stated: Mapping[str, Any], tokens: WhisperTokens) -> SpeechTokens:
        """Reads what config and generation settings state; where they are silent, the tokenizer's names.

        Raises:
            CheckpointError: a value that no model of these sizes can have.
        """
        words = stated["vocab_size"]
        check(stated, _limits(stated), optional=True)

        def named(setting: str, name: str) -> int | None:
            found = stated.get(setting)
            found = tokens.number(name) if found is None else found
            return found if found is None or found < words else None

        ends = stated.get("eos_token_id")
        end = ends[0] if isinstance(ends, list) else ends
        start = stated.get("decoder_start_token_id")
        start, end = (
            tokens.number(name) if given is None else given for given, name in ((start, START), (end, END))
        )
        if start is None or end is None:
            raise CheckpointError(
                f"neither the settings nor the tokenizer know {START} and {END}; expected both; fetch the "
                "model again"
            )
        multilingual = stated.get("is_multilingual")
        if multilingual is None:
            multilingual = "lang_to_id" in stated or words != ENGLISH_ONLY
        languages, tasks = {}, {}
        if multilingual:
            given = stated.get("lang_to_id") or {f"<|{code}|>": n for code, n in tokens.languages.items()}
            languages = {code: n for name, n in given.items() if (code := token_code(name)) and n < words}
            given = stated.get("task_to_id") or {task: tokens.number(f"<|{task}|>") for task in TASKS}
            tasks = {task: given[task] for task in TASKS if given.get(task) is not None}
            tasks = {task: number for task, number in tasks.items() if number < words}
        return cls(
            start=start,
            end=end,
            no_times=named("no_timestamps_token_id", NO_TIMES),
            previous=named("prev_sot_token_id", PREVIOUS),
            languages=languages,
            tasks=tasks,
            suppress=tuple(stated.get("suppress_tokens") or ()),
            begin_suppress=tuple(stated.get("begin_suppress_tokens") or ()),
            latest_first=stated.get("max_initial_timestamp_index"),
            alignment=_heads(stated),
        )

    @property
    def multilingual(self) -> bool:
        """Whether it is told a language."""
        return bool(self.languages)

    @property
    def first_time(self) -> int | None:
        """The token of 0 seconds."""
        return None if self.no_times is None else self.no_times + 1

    @property
    def no_speech(self) -> int | None:
        """The token that says that nobody speaks."""
        return None if self.no_times is None else self.no_times - 1


def _limits(stated: Mapping[str, Any]) -> dict[str, Limit]:
    token = whole(0, stated["vocab_size"] - 1)
    # A token that a smaller vocabulary lacks is listed by some files, and can never be said.
    listed = (
        lambda value: type(value) is list and len(value) <= 2**16 and all(map(whole(0, 2**24)[0], value)),
        "a list of tokens",
    )
    table = (
        lambda value: type(value) is dict and len(value) <= 2**12 and all(map(token[0], value.values())),
        f"an object whose values are each {token[1]}",
    )
    heads = some((lambda pair: type(pair) is list and len(pair) == 2, "a layer and a head"), 2**14)
    return {
        "no_timestamps_token_id": token,
        "prev_sot_token_id": token,
        "is_multilingual": TRUTH,
        "lang_to_id": table,
        "task_to_id": table,
        "suppress_tokens": listed,
        "begin_suppress_tokens": listed,
        "max_initial_timestamp_index": whole(0, 2**16),
        "alignment_heads": heads,
        "median_filter_width": whole(1, 255),
        "logprob_threshold": number(),
        "compression_ratio_threshold": number(),
        "no_speech_threshold": number(),
        "condition_on_prev_tokens": TRUTH,
    }


def _heads(stated: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """The alignment's heads: those stated, or as in the original all of the second half of the layers."""
    layers, heads = stated["decoder_layers"], stated["decoder_attention_heads"]
    given = stated.get("alignment_heads")
    if given is None:
        return tuple((layer, head) for layer in range(layers // 2, layers) for head in range(heads))
    layer_fits, head_fits = whole(0, layers - 1)[0], whole(0, heads - 1)[0]
    if odd := [pair for pair in given if not (layer_fits(pair[0]) and head_fits(pair[1]))]:
        raise CheckpointError(
            f"alignment_heads has {odd[0]}; expected a layer below {layers} and a head below {heads}"
        )
    return tuple((layer, head) for layer, head in given)
