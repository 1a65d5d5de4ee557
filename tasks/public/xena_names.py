"""Names that UCSC Xena gives its matrices, and the units they stand for."""

import re

_NAMES = (
    (re.compile(r"EBPlusPlusAdjustPANCAN.*", re.IGNORECASE), None),  # the GDC's copy is linear, Xena's is not
    (re.compile(r".*RSEM_genes_normalized__data.*", re.IGNORECASE), "log2(rsem+1)"),
    (re.compile(r".*RSEM_normalized_log2.*", re.IGNORECASE), "log2(rsem+1)"),
    (re.compile(r"HiSeqV2(_PANCAN)?(\.gz)?|.*norm_count.*|.*RNASeqV2.*", re.IGNORECASE), "log2(rsem+1)"),
    (re.compile(r".*rsem_gene_tpm.*", re.IGNORECASE), "log2(tpm+0.001)"),
    (re.compile(r".*star_tpm.*", re.IGNORECASE), "log2(tpm+1)"),
    (re.compile(r".*(star_counts|htseq_counts).*", re.IGNORECASE), "log2(count+1)"),
)
"""Names that Xena gives its matrices, and their units."""


def named_unit(name: str) -> str | None:
    """The unit of a matrix by the name of its file; None for a name that is none of Xena's."""
    return next((unit for pattern, unit in _NAMES if pattern.fullmatch(name)), None)


def is_named(name: str) -> bool:
    """Whether a file is named as a known matrix is."""
    return any(pattern.fullmatch(name) for pattern, _ in _NAMES)
