"""Names of metrics as the page writes them."""

from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.protocols import Protocol


def label_of(protocol: Protocol, key: str) -> tuple[str, str]:
    """A metric's short name, and the label or the space that it is taken in."""
    name, label = split_key(key)
    short, detail = protocol.words(name)
    return short, label or detail


def readable(protocol: Protocol, key: str) -> str:
    """Both in one line: `tstr_lr_recall[project]` reads TSTR recall (LR), project; a key of another form as it is."""
    try:
        return ", ".join(part for part in label_of(protocol, key) if part)
    except ValueError:
        return key
