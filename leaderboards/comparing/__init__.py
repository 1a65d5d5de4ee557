"""From records to ranks, intervals and comparisons."""
