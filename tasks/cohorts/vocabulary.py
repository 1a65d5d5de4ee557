"""Words that name a choice of folds or of where data lies; imports nothing, so that a command line can list them."""

from typing import Literal

Track = Literal["random", "site"]
"""Who is held out: random patients, or whole tissue-source sites."""

PatchPlace = Literal["auto", "held", "streamed"]
"""Where patches lie: on the device, in the cohort's file, or `auto`: held where they fit (`mapped_rows.HELD_SHARE`)."""
Condition = Literal["labels", "text", "patches"]
"""What a generator may see of a patient beside training expression."""
