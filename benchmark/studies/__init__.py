"""Studies that measure the benchmark itself and write pages of `docs/`; the engine imports none of them.

`python -m gexbench.benchmark.studies` lists them.
"""
