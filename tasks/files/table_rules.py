"""What a user says of a file's table: which column holds the ids, what is no gene, which way it is turned."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableRules:
    """How an expression file is to be read, beyond what the file says itself.

    Attributes:
        id_column: column with the sample ids (of genes × samples: with the gene names); None takes the first.
        gene_column: column of AnnData's `var`, or of a GCT file, with the gene names; None takes the index.
        ignore: columns that are neither genes nor clinical.
        transpose: whether rows are genes and columns samples.
        layer: AnnData layer to read instead of X.
        raw: whether to read AnnData's `raw` instead of X.
        absent: fields that stand for no value, beside the usual ones.
    """

    id_column: str | None = None
    gene_column: str | None = None
    ignore: tuple[str, ...] = ()
    transpose: bool = False
    layer: str | None = None
    raw: bool = False
    absent: tuple[str, ...] = ()


AS_IT_IS = TableRules()
