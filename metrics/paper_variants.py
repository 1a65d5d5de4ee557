"""Metrics as the GeMM-GAN paper and its code compute them: for comparison with its figures, never in a score.

Support with k = 10 and Manhattan distance. Train-on-synthetic fitted on the synthetic rows of the test patients and
evaluated on the real training rows, which the generator itself was fitted to: a generator that remembers them does
well, so the suite's own TSTR (train on the synthetic training rows, test on real test rows) is the one that counts.
"""

from typing import Any

from gexbench.metrics.classifiers import Classification, train_and_test
from gexbench.metrics.support import Support, support_measures

K = 10


def paper_support(real: Any, synthetic: Any, k: int = K) -> Support:
    """Precision, recall, density and coverage by Manhattan distance, k = 10.

    real (n, genes), synthetic (m, genes). Ranges and directions as ``support_measures``. Time O((n + m)² genes),
    memory O(n + m). Kynkäänniemi et al. 2019; Naeem et al. 2020; k and distance of the paper.
    """
    return support_measures(real, synthetic, k, distance="manhattan")


def paper_tstr_on_training_rows(
    synthetic: Any, synthetic_labels: Any, train: Any, train_labels: Any, *, left_out: tuple[str, ...] = ()
) -> Classification:
    """Logistic regression fitted on synthetic rows of the test patients, evaluated on real training rows.

    synthetic (n_test, genes), train (n_train, genes), both standardised, with a label per row; left_out: classes
    that take no part. Scores in [0, 1], of which none says how well the rows would serve on new patients. The
    classifier is this suite's, so that the protocol is the only difference. Time O(n genes) per step.
    """
    return train_and_test("lr", synthetic, synthetic_labels, train, train_labels, left_out=left_out)
