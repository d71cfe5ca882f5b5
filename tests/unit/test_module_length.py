"""No module, and no function, is too long to be read at once; of the page's functions, biome.json says the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from local import ROOT

PLUGINS = ROOT / "plugins"
STATIC = PLUGINS / "communication_trends" / "web" / "static"

MOST_LINES = 350

MOST_LINES_OF_A_FUNCTION = 50
"""Without its docstring."""


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function of the package with its number of lines."""
    for path in PLUGINS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                yield node.name, (node.end_lineno or 0) - first.lineno + 1


def test_no_module_and_no_page_script_is_longer_than_that():
    modules = [*PLUGINS.rglob("*.py"), *STATIC.glob("*.js")]
    lines = {str(path.relative_to(PLUGINS)): path.read_text(encoding="utf-8").count("\n") for path in modules}
    assert {"communication_trends/settings.py", "communication_trends/web/static/page.js"} <= lines.keys()
    assert [name for name, count in lines.items() if count > MOST_LINES] == []


def test_no_function_is_longer_than_that():
    lines = list(functions())
    assert "create_app" in dict(lines)
    assert [name for name, count in lines if count > MOST_LINES_OF_A_FUNCTION] == []
