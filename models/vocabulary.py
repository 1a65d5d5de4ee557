"""Words that generators, their settings and the registry share; imports nothing."""

from typing import Literal

Condition = Literal["labels", "text", "patches"]
BudgetName = Literal["quick", "cpu", "full"]
