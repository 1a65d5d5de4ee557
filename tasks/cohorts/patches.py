"""The order in which a patient's image patches are drawn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.hashing import hash_keys
from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.errors import InputError

DRAW_SEED = 0
_SEPARATOR = "\x1f"


def in_draw_order(
    patches: Ragged,
    samples: Sequence[str] | NDArray[np.str_],
    region_ids: Sequence[str] | NDArray[np.str_] | None = None,
) -> Ragged:
    """Each patient's patches in the order of their seeded draw, so that the first m are a random m.

    The order is that of SHA-256 of (seed, sample id, region id): it depends neither on the other patients nor,
    when region ids are given, on the position of a patch in its file.

    Args:
        patches: (n_i, d) rows per sample.
        samples: (n,) sample ids.
        region_ids: (total rows,) ids, unique within a sample; None takes the row's position within its sample.

    Raises:
        InputError: a number of samples or of region ids that does not fit, or a region id twice in a sample.
    """
    counts = patches.counts
    if len(samples) != len(counts):
        raise InputError(f"patches cover {len(counts)} samples, {len(samples)} sample ids were given")
    total = len(patches.values)
    if region_ids is None:
        region_ids = [str(place) for place in np.arange(total) - np.repeat(patches.offsets[:-1], counts)]
    elif len(region_ids) != total:
        raise InputError(f"{total} patches have {len(region_ids)} region ids; give one id per patch")
    owner = np.repeat(np.arange(len(counts)), counts)
    owners = np.asarray(samples, dtype=str)[owner]
    names = [f"{sample}{_SEPARATOR}{region}" for sample, region in zip(owners, region_ids, strict=True)]
    if len(set(names)) != total:
        first = next(name for name, before in zip(sorted(names)[1:], sorted(names), strict=False) if name == before)
        sample, _, region = first.partition(_SEPARATOR)
        raise InputError(f"patches of {sample}: region id {region!r} appears twice; region ids are unique in a sample")
    order = np.lexsort((hash_keys(DRAW_SEED, names), owner))
    return Ragged(patches.values[order], patches.offsets)
