"""Plants faults in a copy of the package and runs the tests that must find them."""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from mutation_list import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("benchmark", "leaderboards", "metrics", "models", "tasks")
TIME_LIMIT_S = 300
HEAVY = ("numpy", "pandas", "scipy.stats", "sklearn.linear_model", "hypothesis", "pytest", "torch", "anndata")
DESCRIPTION = """Mutation tests: is every metric and every statistic tested for what it computes?

Run it from a checkout with the test dependencies (pip install -e '.[test]'); nothing in the checkout is changed:

    python tests/mutations.py                 all faults, some minutes
    python tests/mutations.py --only holm     those whose name or file holds a word

Each fault (a sign, a ddof, a missing square, an off-by-one ...) is planted in a temporary copy of the package, where
the tests that must find it are run up to the first failure. Prints a line for each: the fault, and the test that found
it or SURVIVED. Exit code 0: all found; 1: one survived; 2: the tests fail without any fault, or a fault no longer fits
the code.
"""


def copied(folder: Path) -> None:
    """Packages as `folder/gexbench/X`, the tests and pytest's settings; byte code is left behind."""
    junk = shutil.ignore_patterns("__pycache__", "published", "*.pyc")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / "gexbench" / name, ignore=junk)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=junk)
    shutil.copy(ROOT / "pyproject.toml", folder)


def pytest_in(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and output of the given test files in the copy, up to the first failure.

    Runs in a fork of this process, which has imported the heavy libraries but nothing of gexbench.
    """
    output = folder / "output.txt"
    child = os.fork()
    if not child:
        _run_and_exit(folder, output, tests)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), output.read_text(errors="replace")


def _run_and_exit(folder: Path, output: Path, tests: tuple[str, ...]) -> None:
    import pytest

    signal.alarm(TIME_LIMIT_S)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # byte code could outlive a fault
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 3
    try:
        import gexbench.metrics

        if Path(gexbench.metrics.__file__).is_relative_to(folder):
            quiet = ("-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider")
            code = pytest.main([*quiet, *(f"tests/{name}" for name in tests)])
        else:
            print(f"Python imports {gexbench.metrics.__file__}, not the copy")
    finally:
        sys.stdout.flush()
        os._exit(int(code))


def problems(folder: Path, chosen: list[Mutation]) -> list[str]:
    """Why the chosen mutations would say nothing."""
    found = []
    for mutation in chosen:
        count = (ROOT / mutation.path).read_text().count(mutation.old)
        if count != 1:
            found.append(f"{mutation.name}: its text occurs {count} times in {mutation.path}; fix mutation_list.py")
    if not found:
        code, output = pytest_in(folder, tuple(sorted({name for mutation in chosen for name in mutation.tests})))
        if code:
            found.append(f"the tests fail without any fault (exit code {code}):\n{output}")
    return found


def outcome(folder: Path, mutation: Mutation) -> str:
    """The test that found the planted fault, or SURVIVED."""
    path = folder / "gexbench" / mutation.path
    right = path.read_text()
    path.write_text(right.replace(mutation.old, mutation.new))
    try:
        code, output = pytest_in(folder, mutation.tests)
    finally:
        path.write_text(right)
    # An error in a fixture finds a fault as well as a failed test does; one while collecting does not.
    found = re.search(r"^(?:FAILED|ERROR) tests/(\S+::\S+)", output, re.MULTILINE)
    if code == 1 and found:
        return found[1]
    if code == -signal.SIGALRM:
        return f"found: still running after {TIME_LIMIT_S} s"
    return "SURVIVED" if code == 0 else f"SURVIVED (pytest ended with {code}: {output[-300:]!r})"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="WORD", default="", help="mutations whose name or file holds this word")
    word = parser.parse_args().only.lower()
    chosen = [each for each in MUTATIONS if word in f"{each.name} {each.path}".lower()]
    if not chosen:
        print(f"no mutation holds {word!r}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        folder = Path(name).resolve()
        os.environ["OMP_NUM_THREADS"] = "1"
        for library in HEAVY:
            import_module(library)
        copied(folder)
        if found := problems(folder, chosen):
            print("\n".join(found), file=sys.stderr)
            return 2
        survived = 0
        width = max(len(each.name) for each in chosen)
        for number, mutation in enumerate(chosen, start=1):
            began = time.monotonic()
            result = outcome(folder, mutation)
            survived += result.startswith("SURVIVED")
            seconds = time.monotonic() - began
            print(f"{number:3}/{len(chosen)}  {mutation.name:<{width}}  {result}  ({seconds:.0f} s)", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} mutations found, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
