"""`python -m gexbench`: the command line."""

from gexbench.benchmark.cli import main

if __name__ == "__main__":
    main()
