"""What the speech plugin registers; imports nothing heavy."""

from __future__ import annotations

import base64
from pathlib import Path

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

#: What a family maps that tells what was said.
RECOGNITION = "audio -> transcript"
#: What a family maps that says a text.
SYNTHESIS = "text -> speech"
#: What families that spell by CTC read beside config and weights.
CTC_FILES = ("vocab.json", "preprocessor_config.json", "tokenizer_config.json", "special_tokens_map.json")
#: What Whisper reads: its settings of generation and of sound, and its tokenizer in either layout.
WHISPER_FILES = (
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "normalizer.json",
)

#: Spoken digits for the contract and the demo, from the Free Spoken Digit Dataset (CC BY-SA 4.0; Jackson et
#: al.), speaker and recording in the name.
SAMPLES = Path(__file__).parent / "samples"
#: Sample to what is said in it.
SAID = {
    "theo_47": "four seven",
    "jackson_2": "two",
    "nicolas_9015": "nine zero one five",
    "lucas_36": "three six",
}
#: The same for voices that learn to speak: what Flite's voice slt says (Carnegie Mellon University; free).
SPOKEN = {
    "slt_good": "Good morning.",
    "slt_one": "One and two.",
    "slt_tea": "Tea for me?",
    "slt_blue": "A blue sky.",
}


def sample(name: str) -> str:
    """A sample as a ``data:`` URI, which JSON can hold."""
    return "data:audio/flac;base64," + base64.b64encode((SAMPLES / f"{name}.flac").read_bytes()).decode()


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="automatic-speech-recognition",
            summary="What was said, as text with times.",
            task="sixarts_speech.recognition:RecognitionTask",
            signatures=(RECOGNITION,),
            default_model="starter/digits",
            samples=tuple(map(sample, tuple(SAID)[:3])),
            examples=tuple((sample(name), text) for name, text in SAID.items()),
            bad_inputs=(
                "",
                None,
                3,
                b"",
                b"bytes of no sound",
                "no-such-file.wav",
                "https://example.org/talk.wav",
                "data:audio/wav;base64,!!",
                {"audio": "a dict"},
                ([0.0] * 8, 8000),
                ([float("nan")] * 8000, 8000),
                ([0.0] * 8000, 0),
                ["a list"],
            ),
            aliases=("asr",),
            documents=(
                ".wav",
                ".flac",
                ".ogg",
                ".oga",
                ".opus",
                ".mp3",
                ".m4a",
                ".mp4",
                ".mkv",
                ".webm",
                ".mov",
            ),
            explanations={"occlusion": ("word",), "integrated_gradients": ("word",)},
            outputs=(".srt", ".vtt", ".json", ".txt"),
            metrics=("wer", "cer"),
        ),
        TaskSpec(
            name="text-to-speech",
            summary="A text, spoken.",
            task="sixarts_speech.synthesis:SynthesisTask",
            signatures=(SYNTHESIS,),
            default_model="starter/slt",
            samples=(
                "Hello, world!",
                "The 3 dogs cost $12.50.",
                "Dr. Smith came in 1985. He was glad; was he not?",
            ),
            examples=tuple((text, sample(name)) for name, text in SPOKEN.items()),
            bad_inputs=(
                "",
                None,
                3,
                b"bytes",
                " \n\t",
                "…?!",
                "\N{PARTY POPPER}\N{SMILING FACE WITH SMILING EYES}",
                "你好，世界。",
                {"text": "a dict"},
                ["a list"],
            ),
            aliases=("tts",),
            documents=(".txt",),
            explanations={"integrated_gradients": ("word",), "occlusion": ("word",)},
            outputs=(".wav", ".flac", ".ogg", ".json"),
            metrics=("mcd",),
        ),
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name="ctc_conv",
            signature=RECOGNITION,
            model="sixarts_speech.ctc_conv:CtcConv",
            model_types=("ctc_conv",),
            architectures=("ConvForCTC",),
            files=("vocab.json",),
        ),
        *(
            FamilySpec(
                name=name,
                signature=RECOGNITION,
                model=f"sixarts_speech.wav2vec2:{model}",
                model_types=(name,),
                architectures=(f"{model}ForCTC",),
                files=CTC_FILES,
            )
            for name, model in (("wav2vec2", "Wav2Vec2"), ("hubert", "Hubert"))
        ),
        FamilySpec(
            name="whisper",
            signature=RECOGNITION,
            model="sixarts_speech.whisper:Whisper",
            model_types=("whisper",),
            architectures=("WhisperForConditionalGeneration",),
            files=WHISPER_FILES,
        ),
        FamilySpec(
            name="vits",
            signature=SYNTHESIS,
            model="sixarts_speech.vits:Vits",
            model_types=("vits",),
            architectures=("VitsModel",),
            files=("vocab.json", "tokenizer_config.json"),
        ),
        FamilySpec(
            name="source_filter",
            signature=SYNTHESIS,
            model="sixarts_speech.source_filter:SourceFilterVoice",
            model_types=("source_filter",),
            architectures=("SourceFilterVoice",),
            files=("voice.json", "pronunciation.json", "pronunciation.safetensors"),
        ),
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/digits",
            task="automatic-speech-recognition",
            family="ctc_conv",
            license="cc-by-sa-4.0",
            summary="Spoken English digit strings; trained by this project on five speakers.",
            languages=("en",),
            folder="sixarts_speech:starters/digits",
        ),
        ModelEntry(
            reference="starter/slt",
            task="text-to-speech",
            family="source_filter",
            license="bsd-3-clause",
            summary="One English voice; taught by this project to speak as Flite's slt does.",
            languages=("en",),
            folder="sixarts_speech:starters/slt",
        ),
    ]
