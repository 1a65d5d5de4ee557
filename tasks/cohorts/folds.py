"""Patient-level folds: hashed, stratified, by random patients or by whole tissue-source sites."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.dealing import FOLD_SEED, PARTS, most_frequent, one_in_five, sites_of_one_in_five
from gexbench.tasks.cohorts.vocabulary import Track
from gexbench.tasks.errors import InputError

SMALLEST_COHORT = 60
ROLES = ("train", "validation", "test", "audit")
SITE_MINIMUM = {"test": 8, "audit": 8, "train": 10}
SCARCE_MINIMUM = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Sample ids of train, validation, test and audit, by name.

    No generator, tuning or checkpoint sees audit patients: they are the ceiling and the null of every gate. `left_out`
    names the classes of the finest label that are not tested: their patients train, or take no part (track `site`).
    """

    track: str
    index: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    audit: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def hash(self) -> str:
        """SHA-256 of the four id lists in order (hexadecimal)."""
        text = json.dumps([self.train, self.validation, self.test, self.audit])
        return hashlib.sha256(text.encode()).hexdigest()

    def opaque(self, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.str_]:
        """Ids that stand for sample ids before a generator, see `opaque_ids`."""
        return opaque_ids(self.hash(), ids)


def opaque_ids(fold_hash: str, ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.str_]:
    """Ids that tell nothing of a sample and are the same within a fold, (n,): 16 digits of a hash keyed with its."""
    key = bytes.fromhex(fold_hash)
    digests = (hashlib.blake2b(str(name).encode(), key=key, digest_size=8).hexdigest() for name in ids)
    return np.array(list(digests), dtype="<U16")


def folds(cohort: Cohort, track: Track = "random") -> tuple[Fold, ...]:
    """The cohort's five folds: test = part k, audit = part k + 1 (mod 5), development = the other three.

    In every class one development patient in five is a validation patient, by hash; on the track `site` these are the
    patients of whole sites. The part of every patient is stored with the cohort when it is built (`fold_random`,
    `fold_site` in its clinical table). Samples of one patient always share a part.

    A class with fewer than 5 patients stays in training. So do the samples of a class that training, test or audit
    would be without; the others of it leave the fold. On the track `site` a class below `SITE_MINIMUM` takes no part.

    Raises:
        InputError: the site-held-out track of a cohort without sites; fewer than 60 patients.
    """
    column = f"fold_{track}"
    if column not in cohort.clinical:
        raise InputError(f"cohort {cohort.name}: no site column, hence no track site; use --track random")
    check_size(cohort)
    samples = samples_of(cohort).assign(part=cohort.clinical[column].astype(int))
    return tuple(_fold(samples, index, track) for index in range(PARTS))


def check_size(cohort: Cohort) -> None:
    """Raises InputError for a cohort whose folds could not tell one generator from another."""
    patients = len(set(cohort.groups.tolist()))
    if patients < SMALLEST_COHORT:
        raise InputError(
            f"cohort {cohort.name}: {patients} patients are too few to judge a generator: a fold tests it on a fifth "
            f"of them, and sets its gates by another fifth; bring at least {SMALLEST_COHORT}"
        )


def samples_of(cohort: Cohort) -> pd.DataFrame:
    """By sample id, in hashed order: patient, label (finest), and the class and site of the patient."""
    frame = pd.DataFrame({"patient": cohort.groups, "label": cohort.labels(cohort.finest_label)}, index=cohort.samples)
    frame["class"] = frame["patient"].map(most_frequent(frame["patient"], frame["label"]))
    if cohort.site_column is not None:
        sites = pd.Series(cohort.labels(cohort.site_column), index=frame.index)
        frame["site"] = frame["patient"].map(most_frequent(frame["patient"], sites))
    return frame.iloc[hash_order("order", cohort.samples)]


def _fold(samples: pd.DataFrame, index: int, track: Track) -> Fold:
    patients = samples.groupby("label")["patient"].nunique()
    rare = samples["label"].isin(patients.index[patients < PARTS])
    stays = samples["patient"].isin(samples["patient"][rare])
    role = pd.Series("train", index=samples.index)
    role[~stays & (samples["part"] == index)] = "test"
    role[~stays & (samples["part"] == (index + 1) % PARTS)] = "audit"
    development = samples[~stays & (role == "train")]
    role[samples["patient"].isin(fifth(development, "validation", whole_sites=track == "site"))] = "validation"
    left_out = _left_out(samples["label"], role, SITE_MINIMUM if track == "site" else dict.fromkeys(SITE_MINIMUM, 1))
    gone = samples["label"].isin(left_out) & ((track == "site") | (role != "train"))
    ids = {name: tuple(samples.index[~gone & (role == name)].tolist()) for name in ROLES}
    return Fold(track, index, **ids, left_out=left_out)


def fifth(development: pd.DataFrame, salt: str, *, whole_sites: bool) -> set[str]:
    """One development patient in five of every class; columns `patient`, `class` and, for whole sites, `site`."""
    first = development.drop_duplicates("patient").set_index("patient")
    classes = first["class"].to_dict()
    return sites_of_one_in_five(classes, first["site"].to_dict(), salt) if whole_sites else one_in_five(classes, salt)


def _left_out(labels: pd.Series, role: pd.Series, least: Mapping[str, int]) -> tuple[str, ...]:
    """Classes with fewer samples in a role than `least` asks for, sorted."""
    sizes = pd.crosstab(labels, role).reindex(columns=list(least), fill_value=0)
    return tuple(sorted(sizes.index[(sizes < pd.Series(least)).any(axis=1)].tolist()))


def rows_of(cohort: Cohort, ids: tuple[str, ...]) -> NDArray[np.intp]:
    """Row of each sample id in the cohort.

    Raises:
        InputError: ids that the cohort does not hold.
    """
    return places_of(cohort.name, cohort.samples, ids)


def places_of(cohort: str, samples: NDArray[np.str_], ids: tuple[str, ...]) -> NDArray[np.intp]:
    """Place of each id among the samples; errors as of `rows_of`, naming the cohort."""
    position = {name: row for row, name in enumerate(samples.tolist())}
    missing = [name for name in ids if name not in position]
    if missing:
        raise InputError(f"cohort {cohort}: {len(missing)} unknown sample ids ({', '.join(missing[:3])})")
    return np.asarray([position[name] for name in ids], dtype=np.intp)


def share_of(fold: Fold, cohort: Cohort, fraction: float) -> Fold:
    """The fold with a share of its training and validation patients, for a generator that is fitted on few.

    Of every class of the finest label at least 5 patients (all of a smaller class) stay in each part, among them one
    of every label combination, so that none is unknown to the generator. Chosen by hashed id: those of a smaller
    fraction are among those of a larger one. All samples of a chosen patient stay.

    Raises:
        ValueError: unless 0 < fraction <= 1.
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction is {fraction}; it must be above 0 and at most 1")
    labels = {column: cohort.labels(column) for column in cohort.label_columns}
    frame = pd.DataFrame({**labels, "patient": cohort.groups}, index=cohort.samples)
    parts = {part: _share(frame.loc[list(getattr(fold, part))], fraction) for part in ("train", "validation")}
    return replace(fold, train=parts["train"], validation=parts["validation"])


def _share(samples: pd.DataFrame, fraction: float) -> tuple[str, ...]:
    """Ids of the share, in the order of the samples; columns: labels, finest first, and `patient`."""
    first = samples.drop_duplicates("patient").set_index("patient")
    first = first.iloc[hash_order(FOLD_SEED, first.index.to_numpy(dtype=str))]
    finest = first.columns[0]
    # The first patient of every combination comes before the second of any.
    repeated = first.duplicated().to_numpy()
    first = pd.concat([first[~repeated], first[repeated]])
    combinations = first[finest][: int((~repeated).sum())].value_counts()
    shares = (first[finest].value_counts() * fraction).round().astype(int)
    wanted = np.maximum(np.maximum(shares, SCARCE_MINIMUM), combinations[shares.index])
    place = first.groupby(finest).cumcount()
    chosen = first.index[(place < first[finest].map(wanted)).to_numpy()]
    return tuple(samples.index[samples["patient"].isin(chosen)].tolist())


def equal_size_rows(fold: Fold, test_labels: NDArray[np.str_], audit_labels: NDArray[np.str_]) -> NDArray[np.intp]:
    """Rows of test that set metrics use: per class min(test, audit) patients, ascending.

    n is then equal for all generators. The patients come first in the hashed order of the ids that generators see, so
    that `real-holdout`, which deals its rows in that order, repeats no row.
    """
    chosen = []
    order = hash_order(FOLD_SEED, fold.opaque(fold.test))
    for name in np.unique(test_labels):
        rows = order[test_labels[order] == name]
        chosen.append(rows[: int((audit_labels == name).sum())])
    return np.sort(np.concatenate(chosen))
