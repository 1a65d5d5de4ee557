"""Names of metrics as the page writes them."""

from gexbench.tasks.panel.catalogue import split_key, words


def label_of(key: str) -> tuple[str, str]:
    """A metric's short name, and the label or the space that it is taken in."""
    name, label = split_key(key)
    short, detail = words(name)
    return short, label or detail


def readable(key: str) -> str:
    """Both in one line: `tstr_lr_recall[project]` reads TSTR recall (LR), project; a key of another form as it is."""
    try:
        return ", ".join(part for part in label_of(key) if part)
    except ValueError:
        return key
