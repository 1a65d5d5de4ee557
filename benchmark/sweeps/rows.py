"""Names of a leaderboard's rows."""

from gexbench.leaderboards.records.parts import DEFAULT


def row_name(generator: str, variant: str, train_fraction: float = 1.0) -> str:
    """Name of a leaderboard's row: the registry key, with the variant and the share where they are not the default."""
    name = generator if variant == DEFAULT else f"{generator}-{variant}"
    return name if train_fraction == 1.0 else f"{name}@{train_fraction:g}"
