"""The store of a results folder, its cap, reuse of records, and estimates from them."""
