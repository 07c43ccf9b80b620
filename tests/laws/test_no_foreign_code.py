"""No file that lies in a folder can run code: nothing in the bot unpickles or evaluates a file.

What goes between our own processes (multiprocessing's pickles, and those that a command sends to the workers
of its Ray cluster, `bot/app/executors/`) is no file, and no other module of ours sees it. The one place that runs a source is `bot/parts/plugins.py`, with files
that the user's own settings or command line name, and none that a run's folder does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

SOURCES = sorted(Path(bot.__file__).parent.rglob("*.py"))
FORBIDDEN_MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml",
    "runpy", "code", "codeop", "importlib.abc", "importlib.machinery",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.jit.load", "pd.read_pickle",
    "pandas.read_pickle", "pd.read_hdf", "pandas.read_hdf", "np.fromfile",
}  # fmt: skip
SEEN_IN = {
    "parts/plugins.py": ["importlib.abc"],
    "app/executors/ray_node.py": ["pickle"],
    "app/executors/units.py": ["pickle"],
}
"""The modules that may have one of them."""
ARRAY_READERS = {"np.load", "numpy.load", "np.lib.format.read_array"}


def is_forbidden(module: str) -> bool:
    return module in FORBIDDEN_MODULES or module.split(".", maxsplit=1)[0] in FORBIDDEN_MODULES


def faults(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (n.name for n in node.names if is_forbidden(n.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.level == 0 and is_forbidden(node.module):
                yield node.module
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in FORBIDDEN_CALLS:
                yield called
            refused = any(
                k.arg == "allow_pickle"
                and isinstance(k.value, ast.Constant)
                and k.value.value is False
                for k in node.keywords
            )
            if called in ARRAY_READERS and not refused:
                yield f"{called} without allow_pickle=False"
            if any(k.arg == "allow_pickle" for k in node.keywords) and not refused:
                yield f"{called} with allow_pickle"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(SOURCES[0].parent)))
def test_no_module_runs_what_it_reads(path: Path) -> None:
    found = list(faults(path.read_text(encoding="utf-8")))
    assert found == SEEN_IN.get(path.relative_to(SOURCES[0].parent).as_posix(), [])


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import numpy as np\nnp.load(f)", "eval(text)",
        "import torch\ntorch.load(f)", "np.load(f, allow_pickle=True)", "import yaml",
        "pd.read_pickle(f)",
    ],
)  # fmt: skip
def test_the_law_sees_what_it_forbids(source: str) -> None:
    assert list(faults(source))
