"""The order of the folders: imports go down only, without a circle, and no folder grows past what a reader takes in."""

import ast
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("gexbench", "benchmark", "leaderboards", "models", "tasks", "metrics")
"""The top folders; each may import those after it."""
BY_OLD_NAME = ("metrics", "tasks.")
"""`gexbench.metrics` also gives names that users' files import from it and that have moved to the tasks."""
STUDIES = "benchmark.studies"
MOST_ENTRIES = 16
NOT_COUNTED = frozenset({"__init__.py", "py.typed"})
TOOLS_OWN = frozenset({"pyproject.toml", "tox.ini", "mkdocs.yml", "LICENSE"})
"""Files of the top folder that have no other place; they are not counted there."""

GENERATED = frozenset({"__pycache__", "build", "dist", "gexbench-results"})

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the source tree")


@dataclass(frozen=True, slots=True)
class Arrow:
    """An import, wherever it stands: at the top, in a function or under TYPE_CHECKING.

    Attributes:
        source, target: modules named by their folders, such as `benchmark.cells.jobs`.
        place: file:line.
    """

    source: str
    target: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}: {self.source} → {self.target}"


def modules_of(root: Path) -> dict[str, Path]:
    """Module → file; a package is named by its folder."""
    found = {}
    for layer in LAYERS:
        for path in (root / layer).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def arrows_of(root: Path) -> list[Arrow]:
    """Every import of one module of the project by another, once a line; relative ones are refused by the linter."""
    modules = modules_of(root)
    found = {}
    for source, path in sorted(modules.items()):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        data = {id(given) for node in ast.walk(tree) if _opens_files(node) for given in node.args}
        for node in ast.walk(tree):
            for name in () if id(node) in data else _imported(node, modules):
                target = _module(name, modules)
                if target is not None and target != source:
                    found[source, node.lineno, target] = f"{path.relative_to(root).as_posix()}:{node.lineno}"
    return [Arrow(source, target, place) for (source, _, target), place in sorted(found.items())]


def _opens_files(node):
    """Whether a call asks for a package's data files, whose code it does not import."""
    return isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", None)) == "files"


def _imported(node, modules):
    """Full names that a statement imports, or that a string names for `import_module`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        name = node.value.partition(":")[0].removeprefix("gexbench.")
        return [f"gexbench.{name}"] if "." in name and name in modules else []
    return []


def _module(name, modules):
    """The module that a full name belongs to: itself, or the longest part of it that is one; None for a stranger's."""
    first, *parts = name.split(".")
    if first != "gexbench":
        return None
    for end in range(len(parts), 0, -1):
        for candidate in (".".join(parts[:end]), f"gexbench.{'.'.join(parts[:end])}"):
            if candidate in modules:
                return candidate
    return "gexbench"


def layer_of(module: str) -> str:
    return module.partition(".")[0]


def room_of(module: str, modules: dict[str, Path]) -> str:
    """The subfolder that a module lies in; one that lies directly in a top folder is a room of its own."""
    parts = module.split(".")
    directly = len(parts) == 1 or (len(parts) == 2 and modules[module].name != "__init__.py")
    return module if directly else ".".join(parts[:2])


def against_the_layers(arrows: list[Arrow]) -> list[Arrow]:
    """Arrows from a top folder to one above it."""
    return [
        arrow
        for arrow in arrows
        if LAYERS.index(layer_of(arrow.source)) > LAYERS.index(layer_of(arrow.target))
        and not (arrow.source == BY_OLD_NAME[0] and arrow.target.startswith(BY_OLD_NAME[1]))
    ]


def towards_the_studies(arrows: list[Arrow]) -> list[Arrow]:
    """Arrows from the engine to the studies."""
    return [arrow for arrow in arrows if arrow.target.startswith(STUDIES) and not arrow.source.startswith(STUDIES)]


def circles(arrows: list[Arrow], names: dict[str, str]) -> list[list[Arrow]]:
    """The arrows inside each circle of modules, or of what `names` calls them."""
    targets = defaultdict(set)
    for arrow in arrows:
        targets[names[arrow.source]].add(names[arrow.target])
    reached = {name: _reached(name, targets) for name in [*targets]}
    members = {
        frozenset(other for other in reached[name] if name in reached.get(other, ()))
        for name in reached
        if name in reached[name]
    }
    within = [
        [arrow for arrow in arrows if {names[arrow.source], names[arrow.target]} <= circle
         and names[arrow.source] != names[arrow.target]]
        for circle in members
    ]  # fmt: skip
    return sorted((circle for circle in within if circle), key=lambda circle: str(circle[0]))


def _reached(start, targets):
    """What can be reached from a place in one step or more, by other places."""
    found, waiting = set(), [*(targets[start] - {start})]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += targets.get(place, set()) - {place}
    return found


def crowded(root: Path) -> list[str]:
    """Folders with more entries side by side than `MOST_ENTRIES`, published records apart."""
    problems = []
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        parts = folder.relative_to(root).parts
        if any(part.startswith(".") or part.endswith(".egg-info") or part in GENERATED for part in parts):
            continue
        if parts[:2] == ("leaderboards", "published"):
            continue
        shown = [
            path.name
            for path in folder.iterdir()
            if not (path.name.startswith(".") or path.name.endswith(".egg-info"))
            and path.name not in NOT_COUNTED | GENERATED | (TOOLS_OWN if folder == root else frozenset())
        ]
        if len(shown) > MOST_ENTRIES:
            problems.append(f"{folder.relative_to(root).as_posix()}/: {len(shown)} entries, at most {MOST_ENTRIES}")
    return sorted(problems)


def lines(arrows: list[Arrow]) -> str:
    return "\n".join(map(str, arrows))


@pytest.fixture(scope="module")
def arrows():
    return arrows_of(ROOT)


@pytest.fixture(scope="module")
def modules():
    return modules_of(ROOT)


def test_imports_go_down_the_layers_only(arrows):
    assert not (found := against_the_layers(arrows)), f"imports that run back up {' → '.join(LAYERS)}:\n{lines(found)}"


def test_no_module_imports_itself_through_others(arrows, modules):
    found = circles(arrows, {name: name for name in modules})
    assert not found, "circles of modules:\n\n" + "\n\n".join(map(lines, found))


def test_no_subfolder_imports_itself_through_others(arrows, modules):
    found = circles(arrows, {name: room_of(name, modules) for name in modules})
    assert not found, "circles of folders:\n\n" + "\n\n".join(map(lines, found))


def test_the_engine_does_not_import_the_studies(arrows):
    assert not (found := towards_the_studies(arrows)), f"imports of the studies:\n{lines(found)}"


def test_no_folder_is_crowded():
    assert not (found := crowded(ROOT)), "\n".join(["make a subfolder:", *found])


def planted(root: Path, **files: str) -> Path:
    """A tree with a module per name: `benchmark__cells__jobs="import …"` is benchmark/cells/jobs.py."""
    for layer in LAYERS:
        (root / layer).mkdir(exist_ok=True)
        (root / layer / "__init__.py").touch()
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return root


HIDDEN = {
    "at the top": "{}\n",
    "in a function": "def f():\n    if True:\n        {}\n",
    "under TYPE_CHECKING": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}\n",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize(
    "statement",
    [
        "import gexbench.models.contract",
        "from gexbench.models import contract",
        "from gexbench.models.contract import A",
    ],
)
def test_an_arrow_that_runs_back_is_found_with_its_line(statement, text, tmp_path):
    root = planted(tmp_path, models__contract="A = 1\n", tasks__files__reading=text.format(statement))
    (found,) = against_the_layers(arrows_of(root))
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "{}" in line)
    assert str(found) == f"tasks/files/reading.py:{line}: tasks.files.reading → models.contract"


def test_an_arrow_down_is_none_that_runs_back(tmp_path):
    root = planted(tmp_path, models__a="from gexbench.tasks.b import c\n", tasks__b="import gexbench.metrics\n")
    arrows = arrows_of(root)
    assert [(arrow.source, arrow.target) for arrow in arrows] == [("models.a", "tasks.b"), ("tasks.b", "metrics")]
    assert not against_the_layers(arrows)


def test_the_package_at_the_top_is_imported_by_none_below(tmp_path):
    root = planted(tmp_path, benchmark__a="from gexbench import run\n", gexbench__sweep_runs="run = 1\n")
    (found,) = against_the_layers(arrows_of(root))
    assert str(found) == "benchmark/a.py:1: benchmark.a → gexbench"


def test_a_module_named_in_a_string_is_an_arrow_and_one_whose_files_are_read_is_none(tmp_path):
    root = planted(
        tmp_path,
        tasks__a='LAZY = {"models.b.c": "Thing"}\nTEXT = "models.b.c is good"\n',
        tasks__d='cards = files("gexbench.models.b"), resources.files("gexbench.models.b")\n',
        models__b__c="Thing = 1\n",
    )
    (found,) = against_the_layers(arrows_of(root))
    assert str(found) == "tasks/a.py:1: tasks.a → models.b.c"


def test_circles_of_modules_and_of_folders_are_told_apart(tmp_path):
    root = planted(
        tmp_path,
        tasks__x__one="from gexbench.tasks.x.two import a\n",
        tasks__x__two="def f():\n    from gexbench.tasks.x.one import b\n",
        tasks__y__three="import gexbench.tasks.z.four\n",
        tasks__z__four="",
        tasks__z__five="import gexbench.tasks.y.three\n",
    )
    arrows, modules = arrows_of(root), modules_of(root)
    (of_modules,) = circles(arrows, {name: name for name in modules})
    assert lines(of_modules) == (
        "tasks/x/one.py:1: tasks.x.one → tasks.x.two\ntasks/x/two.py:2: tasks.x.two → tasks.x.one"
    )
    (of_folders,) = circles(arrows, {name: room_of(name, modules) for name in modules})
    assert {arrow.place for arrow in of_folders} == {"tasks/y/three.py:1", "tasks/z/five.py:1"}


def test_modules_directly_in_a_top_folder_make_no_circle_with_its_subfolders(tmp_path):
    root = planted(
        tmp_path,
        tasks__errors="",
        tasks__loading="from gexbench.tasks.files.reading import a\n",
        tasks__files__reading="from gexbench.tasks.errors import b\n",
    )
    arrows, modules = arrows_of(root), modules_of(root)
    assert len(arrows) == 2
    assert not circles(arrows, {name: room_of(name, modules) for name in modules})


def test_an_engine_that_imports_a_study_is_found(tmp_path):
    root = planted(
        tmp_path,
        benchmark__running__pool="def f():\n    from gexbench.benchmark.studies.speed import scale\n",
        benchmark__studies__speed__scale="import gexbench.benchmark.running.pool\n",
    )
    (found,) = towards_the_studies(arrows_of(root))
    assert str(found) == "benchmark/running/pool.py:2: benchmark.running.pool → benchmark.studies.speed.scale"


def test_a_crowded_folder_is_found(tmp_path):
    full, published = tmp_path / "tests" / "full", tmp_path / "leaderboards" / "published" / "tcga"
    for folder in (full, published):
        folder.mkdir(parents=True)
        for name in [*(f"{number}.py" for number in range(MOST_ENTRIES)), *NOT_COUNTED, ".hidden"]:
            (folder / name).touch()
    assert crowded(tmp_path) == []
    for folder in (full, published):
        (folder / "one_more.py").touch()
    assert crowded(tmp_path) == ["tests/full/: 17 entries, at most 16"]
