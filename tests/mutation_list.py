"""Faults that the tests must find, one line of code each: what `mutations.py` plants.

`old` occurs exactly once in its file; `tests` are the files that must find the fault, relative to the folder of tests.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A planted fault. path: of the mutated file within the checkout; old: its right text; new: the wrong one."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


def _of(path: str, *tests: str) -> "_Maker":
    return _Maker(path, tests)


@dataclass(frozen=True, slots=True)
class _Maker:
    path: str
    tests: tuple[str, ...]

    def __call__(self, name: str, old: str, new: str) -> Mutation:
        return Mutation(name, self.path, old, new, self.tests)


_SUPPORT = _of("metrics/support.py", "metrics/test_support.py", "metrics/test_paper_variants.py")
_DISTRIBUTION = _of("metrics/distribution.py", "metrics/test_distribution.py")
_STRUCTURE = _of("metrics/structure.py", "metrics/test_structure.py")
_COPIES = _of("metrics/memorisation.py", "metrics/test_memorisation.py")
_MEMBERSHIP = _of("metrics/membership.py", "metrics/test_membership.py")
_ARRAYS = _of("metrics/shared/arrays.py", "metrics/test_distribution.py")
_TENSORS = _of("metrics/support.py", "metrics/test_tensors.py")
_PAIRED = _of("metrics/paired.py", "metrics/test_paired.py")
_DETECTION = _of("metrics/detection.py", "metrics/test_detection.py")
_CLASSIFIERS = _of("metrics/classifiers.py", "metrics/test_classifiers.py")
_BIOLOGY = _of("metrics/biology.py", "metrics/test_biology.py")
_SPACE = _of("tasks/panel/preparation.py", "tasks/panel/test_panel.py")
_SCORES = _of("tasks/panel/scores.py", "tasks/panel/test_scores.py")
_STATISTICS = _of("leaderboards/statistics.py", "leaderboards/comparing/test_statistics.py")
_RANKING = _of("leaderboards/comparing/ranking.py", "leaderboards/comparing/test_ranking.py")
_SEEDS = _of("tasks/seeds.py", "tasks/cohorts/test_seeds_names_units.py")
_FUSION = _of(
    "models/conditioning/fusion.py", "models/conditioning/test_fusion.py", "models/wgan_gp/test_wgan_gp_steps.py"
)
_ATTENTION = _of(
    "models/conditioning/attention.py", "models/conditioning/test_fusion.py", "models/wgan_gp/test_wgan_gp_steps.py"
)
_CRITIC = _of("models/wgan_gp/networks.py", "models/wgan_gp/test_wgan_gp_steps.py")
_GAN_STEPS = _of("models/wgan_gp/training.py", "models/wgan_gp/test_wgan_gp_generator.py")
_GAN = _of("models/wgan_gp/generator.py", "models/wgan_gp/test_wgan_gp_generator.py")
_STATE = _of("models/training/state.py", "models/wgan_gp/test_wgan_gp_generator.py")
_LAYER = _of("models/scvi/count_layer.py", "models/scvi/test_scvi_count_layer.py")
_LAYER_ROWS = _of("tasks/cohorts/device_fold.py", "models/scvi/test_scvi_count_layer.py")
_LAYER_KEY = _of("benchmark/sweeps/planning.py", "models/scvi/test_scvi_count_layer.py")
_OPTION = _of("benchmark/sweeps/option.py", "benchmark/commands/test_options.py")
_GATE_TABLE = _of("leaderboards/comparing/gates.py", "leaderboards/comparing/test_table.py")
_BOUND = _of("models/vae/bound.py", "models/vae/test_vae.py")

MUTATIONS = (
    _SUPPORT(
        "precision and recall swapped",
        "precision=float((balls[at] > 0).mean()),\n            recall=float(recalled[at].mean()),",
        "precision=float(recalled[at].mean()),\n            recall=float((balls[at] > 0).mean()),",
    ),
    _SUPPORT(
        "k - 1 neighbours when screened", "last - 1)[:last])[places]", "last - 1)[:last])[[p - 1 for p in places]]"
    ),
    _SUPPORT(
        "ties left out",
        "inside = distances <= inside_real[at, part, None]",
        "inside = distances < inside_real[at, part, None]",
    ),
    _SUPPORT("ties left out when screened", "y, right[of_row]) <= limits[row]", "y, right[of_row]) < limits[row]"),
    _SUPPORT("density without k", "balls[at].mean() / k", "balls[at].mean()"),
    _SUPPORT(
        "coverage counts recalled rows", "coverage=float(covered[at].mean())", "coverage=float(recalled[at].mean())"
    ),
    _DISTRIBUTION("Fréchet: distance of means not squared", "float(shift @ shift)", "float(np.sqrt(shift @ shift))"),
    _DISTRIBUTION("Fréchet: ddof 0", "n, m = len(x) - 1, len(y) - 1", "n, m = len(x), len(y)"),
    _DISTRIBUTION("Fréchet: root counted once", "traces - 2.0 * root", "traces - root"),
    _DISTRIBUTION("MMD: fixed bandwidth", "(2.0 * (base * step) ** 2)", "(2.0 * step**2)"),
    _DISTRIBUTION("MMD: bandwidth not squared", "(2.0 * (base * step) ** 2)", "(2.0 * (base * step))"),
    _DISTRIBUTION("MMD: biased", "- m) / (m * (m - 1))", ") / m**2"),
    _DISTRIBUTION("energy: sign", "2.0 * between - inside", "inside - 2.0 * between"),
    _ARRAYS("Wasserstein: wrong axis", "np.sort(rows, axis=0) if", "np.sort(rows, axis=1) if"),
    _TENSORS(
        "k counts the row itself on a GPU",
        "distance), last)).T[places]",
        "distance), last)).T[[p - 1 for p in places]]",
    ),
    _TENSORS(
        "ties left out on a GPU",
        "(distances <= inside_synthetic[at, None, :])",
        "(distances < inside_synthetic[at, None, :])",
    ),
    _DISTRIBUTION(
        "sliced: directions of no unit length", "np.linalg.norm(directions, axis=0)", "np.linalg.norm(directions)"
    ),
    _DISTRIBUTION("KS: ties between the sets", '(b, at, side="right")', '(b, at, side="left")'),
    _STRUCTURE("constant genes give NaN", "scaled[:, constant] = 0.0", "scaled[:, constant] = np.nan"),
    _STRUCTURE("gamma without centring", "a, b = a - a.mean(), b - b.mean()", "a, b = a + 0.0, b + 0.0"),
    _STRUCTURE("strong pairs of the synthetic set", "strong = abs(a) > threshold", "strong = abs(b) > threshold"),
    _STRUCTURE(
        "variance ratio upside down",
        "within_class_squares(y, classes)[varies] / spread[varies]",
        "spread[varies] / within_class_squares(y, classes)[varies]",
    ),
    _STRUCTURE("values at the floor not counted", "<= floor + tolerance", "< floor - tolerance"),
    _COPIES(
        "copy gate: the nearest row taken twice", "xp.maximum(near[:, 1:], size)", "xp.maximum(near[:, :-1], size)"
    ),
    _COPIES("copy gate: wrong side", "training) < threshold)", "training) > threshold)"),
    _COPIES("copy gate: wrong tail", "COPY_PERCENTILE = 1.0", "COPY_PERCENTILE = 99.0"),
    _COPIES(
        "blends over the nearest neighbour",
        "np.maximum(squares[:, neighbours], size)",
        "np.maximum(squares[:, 1], size)",
    ),
    _COPIES("segments without ends", "1e-300), 0.0, 1.0)", "1e-300), -9.0, 9.0)"),
    _COPIES("donors over the farthest neighbour", "xp.maximum(near[:, 1:], size)", "xp.maximum(near[:, -1:], size)"),
    _COPIES("donors: squared distances", "xp.sqrt(near[:, :-1] / xp", "(near[:, :-1] / xp"),
    _GATE_TABLE(
        "gate: validation rows count for references alone",
        "np.where(reference, trained",
        "np.where(~reference, trained",
    ),
    _GATE_TABLE("gate: the smallest share", "np.fmax.reduce([trained", "np.fmin.reduce([trained"),
    _LAYER(
        "count layer: gene factors upside down",
        "self.gene_factors.double().exp()",
        "(-self.gene_factors.double()).exp()",
    ),
    _LAYER("count layer: rows not brought to their total", "* totals.double().exp()", "* totals.double().exp() ** 0.5"),
    _LAYER("count layer: any layer is taken", "if off > TOLERANCE:", "if off < 0:"),
    _LAYER_ROWS(
        "count layer: of other patients",
        "CountLayer(cohort.counts, rows[part])",
        'CountLayer(cohort.counts, rows["test"])',
    ),
    _LAYER_KEY(
        "count layer: not in the key",
        "counted = entry.reads_counts and cohort.counts is not None",
        "counted = False",
    ),
    _OPTION(
        "options: folds lose their order",
        "return [int(part) for part in parts] or None",
        "return sorted(map(int, parts)) or None",
    ),
    _MEMBERSHIP("membership: sign of the ratio", "logs[1][:, 0] - logs[0][:, 0]", "logs[0][:, 0] - logs[1][:, 0]"),
    _MEMBERSHIP(
        "membership: one false positive too many", 'limit + 1e-12, side="right"))', 'limit + 1e-12, side="right")) + 1'
    ),
    _PAIRED("CRPS: draws not sorted", "np.sort(d[part], axis=1)", "np.asarray(d[part])"),
    _PAIRED("CRPS: not fair", "weights) / (m * (m - 1))", "weights) / (m * m)"),
    _PAIRED("interval one rank too narrow", "round(cut) : ranks - round(cut)", "round(cut) : ranks - round(cut) - 1"),
    _PAIRED("retrieval: wrong direction", "(distances > right).sum(axis=1)", "(distances < right).sum(axis=1)"),
    _PAIRED(
        "correlation not within the class", "rows[mine] - rows[mine].mean(axis=0)", "rows[mine] - rows.mean(axis=0)"
    ),
    _DETECTION("null sd of the wrong sizes", "(12.0 * n * m)", "(12.0 * n * n)"),
    _DETECTION("AUC: ties count for one side", "([high, low]))", "([high, low]), 'max')"),
    _DETECTION(
        "detection folds split a patient", "np.tile(group_folds(groups), 2)", "group_folds(np.arange(2 * len(groups)))"
    ),
    _CLASSIFIERS("F1 without its 2", "2.0 * hits / (wanted + made)", "hits / (wanted + made)"),
    _BIOLOGY("Welch's t: ddof 0", "n * means**2) / (n - 1)", "n * means**2) / n"),
    _BIOLOGY("concordance: difference of means not squared", "(x.mean() - y.mean()) ** 2", "abs(x.mean() - y.mean())"),
    _SPACE("scaling fitted on test rows", "space = fit_space(rows.train)", "space = fit_space(rows.test)"),
    _SCORES("floor is the better trivial reference", "return min(known) if", "return max(known) if"),
    _SCORES("match: only one side punished", "distance = abs(value - ceiling)", "distance = max(value - ceiling, 0.0)"),
    _SCORES(
        "missing values left out of the mean",
        "isfinite(value):\n        return 0.0",
        "isfinite(value):\n        return 1.0",
    ),
    _STATISTICS("population sd over folds", "axis=1) / (count - 1)", "axis=1) / count"),
    _STATISTICS("naive t over folds", "(1 / np.maximum(count, 1) + share)", "(1 / np.maximum(count, 1))"),
    _STATISTICS("one-sided p", "p = 2 * stdtr(", "p = stdtr("),
    _STATISTICS(
        "one-sided interval", "np.maximum(count - 1, 1), 0.5 + CONFIDENCE / 2", "np.maximum(count - 1, 1), CONFIDENCE"
    ),
    _STATISTICS("Holm: Bonferroni instead", "np.arange(len(order), 0, -1)", "np.full(len(order), len(order))"),
    _STATISTICS("Holm: no running maximum", "np.maximum.accumulate(given[order] * factors)", "given[order] * factors"),
    _RANKING("comparison not adjusted", '"p_holm": holm(p)', '"p_holm": p'),
    _SEEDS(
        "seed blind to the axes' names",
        "json.dumps(axes, sort_keys=True, ",
        "json.dumps(sorted(map(str, axes.values())), ",
    ),
    _SEEDS("salted hash", 'int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1', "hash(text) >> 1"),
    _FUSION(
        "GeMM-GAN: a parameter too few",
        "nn.Linear(token_width, 2 * patch_width)",
        "nn.Linear(token_width, 2 * patch_width, bias=False)",
    ),
    _ATTENTION(
        "GeMM-GAN: the order of patches counts",
        "torch.cat([self.summary.expand(size, 1, -1), patches], dim=1)",
        "torch.cat([self.summary.expand(size, 1, -1), patches.cumsum(1)], dim=1)",
    ),
    _ATTENTION("GeMM-GAN: padded patches count", "attn_mask=~mask[:, None, None, :]", "attn_mask=None"),
    _ATTENTION(
        "GeMM-GAN: padded words count",
        "scores.masked_fill(ignored, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(ignored, 0.0)",
        "scores.softmax(-1)",
    ),
    _FUSION("GeMM-GAN: the text does not count", "fused: Tensor = image + text", "fused: Tensor = image + 0.0 * text"),
    _FUSION("GeMM-GAN: the image does not count", "encoded, encoded_mask)", "encoded * 0.0, encoded_mask)"),
    _FUSION(
        "GeMM-GAN: one wiring alone",
        'query = image if self.wiring == "sequential" else encoded[:, 0]',
        "query = image",
    ),
    _ATTENTION(
        "GeMM-GAN: no gradient through the query",
        'torch.einsum("be,hde->bhd", query, query_weight)',
        'torch.einsum("be,hde->bhd", query.detach(), query_weight.detach())',
    ),
    _GAN(
        "GeMM-GAN: critic and generator share their encoder",
        "critic.encoder.load_state_dict(self._generator.encoder.state_dict())",
        "critic.encoder = self._generator.encoder",
    ),
    _CRITIC("GeMM-GAN: penalty about slope 0", "(judged.slopes - 1.0).square()", "judged.slopes.square()"),
    _CRITIC(
        "GeMM-GAN: the critic's output bias gets a gradient",
        "return judged.fake.mean() - judged.real.mean()",
        "return judged.fake.mean() - 0.5 * judged.real.mean()",
    ),
    _GAN_STEPS(
        "GeMM-GAN: the generator is not trained",
        "    torch.autograd.backward(loss, inputs=trained)\n    optimisers[0].step()",
        "    torch.autograd.backward(loss, inputs=trained)",
    ),
    _STATE(
        "GeMM-GAN: a saved one loses a part of its weights",
        "network.load_state_dict(weights, assign=True)",
        'network.load_state_dict({k: v for k, v in weights.items() if "second" not in k}, strict=False, assign=True)',
    ),
    _BOUND("VAE: the KL term adds to the bound", "bound = bound - weighted.sum()", "bound = bound + weighted.sum()"),
)
