"""Names of metrics as the page writes them."""

from gexbench.leaderboards.pages.main_table import SHORT
from gexbench.metrics.catalogue.built_in import split_key

_SPACES = {"_genes": "genes", "_pcs": "components"}
_CLASSIFIERS = {"lr": "LR", "xgb": "XGB", "mlp": "MLP"}
_WORDS = {
    "auc": "AUC", "crps": "CRPS", "dcr": "DCR", "de": "DE", "f1": "F1", "gamma": "γ", "ks": "KS", "mae": "error",
    "mmd": "MMD", "nndr": "NNDR", "nonuniformity": "non-uniformity", "tpr": "TPR", "trts": "TRTS", "tstr": "TSTR",
    "wasserstein": "Wasserstein",
}  # fmt: skip


def label_of(key: str) -> tuple[str, str]:
    """A metric's short name, and the label or the space that it is taken in."""
    name, label = split_key(key)
    for end, space in _SPACES.items():
        if name.endswith(end):
            return _words(name.removesuffix(end)), space
    return SHORT.get(name) or _words(name), label or ""


def readable(key: str) -> str:
    """Both in one line: `tstr_lr_recall[project]` reads TSTR recall (LR), project; a key of another form as it is."""
    try:
        split_key(key)
    except ValueError:
        return key
    return ", ".join(part for part in label_of(key) if part)


def _words(name: str) -> str:
    words = name.split("_")
    classifier = [f"({_CLASSIFIERS[word]})" for word in words if word in _CLASSIFIERS]
    return " ".join([*(_WORDS.get(word, word) for word in words if word not in _CLASSIFIERS), *classifier])
