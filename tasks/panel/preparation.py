"""The work on the real side of a fold that all generators share, done once."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gexbench.metrics import support
from gexbench.metrics.biology import RealBiology
from gexbench.metrics.label_reference import label_crps, mean_by_class
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.row_samples import MOST_ROWS, sampled, sampled_places
from gexbench.metrics.shared.row_samples import notes as sampling_notes
from gexbench.metrics.space import Space, fit_space, near_constant
from gexbench.metrics.structure import Correlations, correlations
from gexbench.tasks.panel.catalogue import panel_specifications
from gexbench.tasks.panel.declarations.metric import PANEL_SCHEMA, Panel
from gexbench.tasks.panel.declarations.rows import ClassifierReferences, Prepared, RealRows, TrainingRows
from gexbench.tasks.panel.gene_sets import GeneSets, usable_sets
from gexbench.tasks.panel.questions.augmentation import RELEASE_SIZES, copied_anchors, release
from gexbench.tasks.panel.questions.classification import ANCHORS, Asked, anchor_values, asked, real_classifiers
from gexbench.tasks.panel.questions.privacy_grounds import compared, not_exchangeable, pools

NEIGHBOURS = (3, 5, 10)
"""Neighbours whose distance is a ball's radius; support is the mean over them."""


def prepare(
    rows: RealRows,
    *,
    seed: int,
    panel: Panel = "core",
    cached: Mapping[str, Any] | None = None,
    gene_sets: GeneSets | None = None,
) -> Prepared:
    """Do the shared work of a fold; ``cached`` is an earlier ``cacheable``, ignored when it is of other data.

    panel: the largest panel to be computed; the parts of ``core`` and ``extended`` are cached apart, so that a fold
    cached for ``core`` saves that part of ``extended``. gene_sets: for the pathway metrics, matched to the fold's
    genes by name. Scaling, components and kernel width are fitted on real training rows only.
    """
    sizes = (len(rows.train), len(rows.validation), len(rows.test), len(rows.set_rows), len(rows.genes))
    if len(rows.set_rows) > MOST_ROWS:
        kept = sampled_places(rows.test_ids[rows.set_rows], MOST_ROWS)
        rows = replace(rows, set_rows=rows.set_rows[kept])
    space = fit_space(rows.train)
    train, test = space.standardise(rows.train, "train"), space.standardise(rows.test, "test")
    real = np.asarray(test[rows.set_rows])
    pcs = space.project(real)
    of_genes = correlations(real)
    neighbours = tuple(dict.fromkeys(min(k, len(real) - 1) for k in NEIGHBOURS))
    key = fingerprint(rows, seed)
    if cached is None or cached.get("fingerprint") != key:
        cached = {"fingerprint": key, "values": _core_anchors(rows, train, test, seed)}
    training, extended = _training_rows(rows, space, train, test, seed), None
    if panel == "extended":
        cached = {**cached, "extended": _extended_part(rows, train, test, seed, cached)}
        extended = ClassifierReferences(cached["extended"]["values"], cached["extended"]["release"])
        training = replace(training, classifiers=real_classifiers(rows, train, seed))
    return Prepared(
        rows=rows,
        seed=seed,
        space=space,
        test=test,
        real=real,
        real_pcs=pcs,
        neighbours=neighbours,
        grid=np.sort(rows.train, axis=0),
        radii=support.radii_over(real, neighbours),
        pc_radii=support.radii_over(pcs, neighbours),
        correlations=of_genes,
        biology=_biology(rows, of_genes, gene_sets),
        training=training,
        reference_values={name: dict(values) for name, values in cached["values"].items()},
        cacheable=dict(cached),
        extended=extended,
        notes=(*sampling_notes(*sizes, classes=_classes(rows)), *_gene_notes(rows)),
    )


def _gene_notes(rows: RealRows) -> Iterator[str]:
    """Names the genes that one training row decides."""
    names = [rows.genes[gene] for gene in near_constant(rows.train)]
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        yield f"near-constant genes (half of the variance or more is one training row's): {shown}; z-scores end at 10"


def _classes(rows: RealRows) -> int:
    """Classes of the finest label that a classifier is asked to tell apart."""
    return len(set(rows.labels[rows.finest].train.tolist()) - set(rows.left_out.get(rows.finest, ()))) or 1


def _core_anchors(rows: RealRows, train: Matrix, test: Matrix, seed: int) -> dict[str, dict[str, float]]:
    """Permuted labels for logistic regression on the finest label; the others are left to `extended` for their cost."""
    wanted: list[Asked] = [
        (classifier, label, ANCHORS if (classifier, label) == ("lr", rows.finest) else ("trtr", "majority"))
        for classifier, label in asked(rows, "core")
    ]
    return anchor_values(rows, train, test, seed, wanted)


def _extended_part(
    rows: RealRows, train: Matrix, test: Matrix, seed: int, core: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Reference values of ``extended``: the part kept in ``core`` when it is of these data, else made."""
    key, kept = fingerprint(rows, seed, "extended"), core.get("extended")
    if kept is not None and kept.get("fingerprint") == key:
        return dict(kept)
    wanted: list[Asked] = [(classifier, label, ANCHORS) for classifier, label in asked(rows, "extended")]
    shuffled: tuple[Asked, ...] = tuple(
        (classifier, label, ("shuffled_labels",))
        for classifier, label in asked(rows, "core")
        if (classifier, label) != ("lr", rows.finest)
    )
    values = anchor_values(rows, train, test, seed, [*wanted, *shuffled])
    for name, known in values.items():
        known |= copied_anchors(rows, {**core["values"][name], **known})
    alone = {str(size): release(rows, train, None, test, size, seed).accuracy for size in RELEASE_SIZES}
    return {"fingerprint": key, "values": values, "release": alone}


def _biology(rows: RealRows, of_genes: Correlations, gene_sets: GeneSets | None) -> RealBiology:
    membership = None if gene_sets is None else usable_sets(gene_sets, rows.genes)[1]
    return RealBiology(rows.test[rows.set_rows], rows.test_labels[rows.set_rows], of_genes, membership)


def _training_rows(rows: RealRows, space: Space, train: Matrix, test: Matrix, seed: int) -> TrainingRows:
    labels = rows.labels[rows.finest]
    of_label = label_crps(train, labels.train, test, labels.test)
    validation = sampled(space.standardise(rows.validation, "validation"), rows.validation_ids)
    audit = sampled(space.standardise(rows.audit, "audit"), rows.audit_ids)
    reason = not_exchangeable(rows, space)
    return TrainingRows(
        rows=train,
        validation=validation,
        audit=audit,
        label_crps=of_label,
        label_crps_mean=mean_by_class(of_label, labels.test),
        pools=pools(train, validation, sampled(test, rows.test_ids), audit),
        compared={} if reason else compared(rows, space, seed),
        not_exchangeable=reason,
    )


def fingerprint(rows: RealRows, seed: int, panel: Panel = "core") -> str:
    """SHA-256 of the data, names, labels, schema and metric versions that a panel's reference values depend on."""
    digest = hashlib.sha256(repr((PANEL_SCHEMA, seed, rows.genes, rows.finest, sorted(rows.left_out.items()))).encode())
    classified = [metric for metric in panel_specifications(panel, plug_ins=False) if metric.family == "utility"]
    digest.update(repr([(metric.name, metric.version) for metric in classified]).encode())
    for name in ("train", "test"):
        values = np.ascontiguousarray(getattr(rows, name))
        digest.update(repr((name, values.shape, values.dtype.str)).encode())
        digest.update(values.tobytes())
        digest.update("\x1f".join(getattr(rows, f"{name}_ids").tolist()).encode())
    for column, parts in sorted(rows.labels.items()):
        digest.update("\x1f".join([column, *parts.train.tolist(), "", *parts.test.tolist()]).encode())
    return digest.hexdigest()
