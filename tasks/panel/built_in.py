"""The built-in tasks; their order is that of the tables."""

from gexbench.tasks.panel.declarations.task import Task
from gexbench.tasks.panel.questions import (
    augmentation,
    biology,
    classification,
    detection,
    distribution,
    paired,
    paper_variants,
    privacy,
    structure,
    support,
)

BUILT_IN: tuple[Task, ...] = tuple(
    module.TASK
    for module in (
        support,
        distribution,
        structure,
        detection,
        classification,
        augmentation,
        biology,
        paired,
        privacy,
        paper_variants,
    )
)
CATALOGUE = tuple(metric for task in BUILT_IN for metric in task.metrics)
"""Every metric of the suite, in the order of the tables."""
