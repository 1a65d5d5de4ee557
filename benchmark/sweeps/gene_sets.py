"""The gene sets that a user gives to a sweep: which file they come from, and the check that a cohort can use them."""

from collections.abc import Sequence
from pathlib import Path

from gexbench.leaderboards.records.parts import GeneSetsFile
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.gene_sets import SET_GENES, GeneSets, GeneSetsError, read_gene_sets, usable_sets


def file_of(gene_sets: GeneSets) -> GeneSetsFile:
    """What is stated of gene sets that were read."""
    return GeneSetsFile(name=gene_sets.name, sha256=gene_sets.sha256)


def given_gene_sets(path: Path, genes: Sequence[str]) -> GeneSets:
    """The gene sets of the file that `--gene-sets` names.

    Raises:
        InputError: a file that is not well-formed (all problems at once), or none of whose sets has enough of the
            cohort's genes.
    """
    try:
        found = read_gene_sets(path)
    except GeneSetsError as error:
        raise InputError([f"--gene-sets {problem}" for problem in error.problems]) from None
    if not usable_sets(found, genes)[0]:
        raise InputError(
            f"--gene-sets {path.name}: none of its {len(found.sets)} sets has at least {SET_GENES} of the cohort's "
            f"{len(genes)} genes; give a file that names genes as the cohort does ({', '.join(genes[:3])}, …)"
        )
    return found


def matching(stated: GeneSetsFile | None, found: GeneSets | None) -> GeneSets | None:
    """The gene sets, checked to be those that a sweep states: values under another file's key would be wrong.

    Raises:
        ValueError: another file, or one where none is stated, or none where one is.
    """
    if (None if found is None else file_of(found)) != stated:
        raise ValueError("the gene sets at hand are not those of the sweep's key; make the plan with both")
    return found
