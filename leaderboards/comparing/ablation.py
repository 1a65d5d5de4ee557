"""What labels, text, images and the parts of the fusion add: fold-paired differences between related generators."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width, holm, p_value


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference with a meaning.

    Attributes:
        question: what `generator` has that `against` has not.
        generator, against: names; all else about them is the same.
    """

    question: str
    generator: str
    against: str


CONTRASTS: tuple[Contrast, ...] = (
    Contrast("labels, to nothing", "wgan-gp-label", "wgan-gp"),
    Contrast("text, to nothing", "wgan-gp-text", "wgan-gp"),
    Contrast("images (mean), to nothing", "wgan-gp-image", "wgan-gp"),
    Contrast("images (transformer), to nothing", "wgan-gp-image-transformer", "wgan-gp"),
    Contrast("images and text, to nothing", "gemm-gan", "wgan-gp"),
    Contrast("images, to text", "gemm-gan", "wgan-gp-text"),
    Contrast("text, to images", "gemm-gan", "wgan-gp-image-transformer"),
    Contrast("text without the diagnosis, to images", "gemm-gan-plain", "wgan-gp-image-transformer"),
    Contrast("the diagnosis in the text", "gemm-gan", "gemm-gan-plain"),
    Contrast("images and text instead of labels", "gemm-gan", "wgan-gp-label"),
    Contrast("FiLM", "gemm-gan", "wgan-gp-cross-attention"),
    Contrast("attention between text and image", "gemm-gan", "wgan-gp-film"),
    Contrast("sequential instead of parallel wiring", "gemm-gan", "gemm-gan-parallel"),
    Contrast("VAE: labels, to nothing", "cvae", "vae"),
    Contrast("VAE: images and text instead of labels", "cvae-gemm", "cvae"),
    Contrast("diffusion: labels, to nothing", "diffusion-label", "diffusion"),
    Contrast("diffusion: images and text instead of labels", "diffusion-gemm", "diffusion-label"),
    Contrast("flow matching: labels, to nothing", "flow-label", "flow"),
    Contrast("flow matching: images and text instead of labels", "flow-gemm", "flow-label"),
    Contrast("scVI: labels, to nothing", "scvi-label", "scvi"),
)

COLUMNS = ("question", "generator", "against", "measure", "difference", "half_width", "p", "p_holm")


def ablations(
    measures: Mapping[str, FloatArray], names: Sequence[str], share: float, untested: Collection[str] = ()
) -> pd.DataFrame:
    """The contrasts whose two generators are there, with 95 % intervals.

    Args:
        measures: measure → (generators, folds), NaN where a fold has no value.
        names: generator names, the rows.
        share: n_test / n_train, for the corrected interval.
        untested: names of generators that take no tests.

    Returns:
        One row per measure and contrast: question, generator, against, measure, difference (generator - against) in the
        measure's unit, half_width, p, and p_holm adjusted over the contrasts of the measure. NaN where a generator has
        no value in two folds.
    """
    at = {name: number for number, name in enumerate(names) if name not in untested}
    present = [contrast for contrast in CONTRASTS if contrast.generator in at and contrast.against in at]
    first = np.array([at[contrast.generator] for contrast in present], dtype=np.int64)
    second = np.array([at[contrast.against] for contrast in present], dtype=np.int64)
    frames = []
    for measure, values in measures.items():
        if not present:
            break
        differences = values[first] - values[second]
        p = p_value(differences, share)
        frames.append(
            pd.DataFrame(
                {
                    "question": [contrast.question for contrast in present],
                    "generator": [contrast.generator for contrast in present],
                    "against": [contrast.against for contrast in present],
                    "measure": measure,
                    "difference": fold_mean(differences),
                    "half_width": half_width(differences, share),
                    "p": p,
                    "p_holm": holm(p),
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
