"""What pages say to show a drawing: it stands in the page, and so takes the page's colours."""

import inspect
import re
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .command import help_of, subcommands
from .figures import component_designs, draw
from .svg import STYLE

__all__ = ["setup"]


def _write_style(app: Sphinx) -> None:
    """Put the colours and fonts of all drawings into one file."""
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drawings.css").write_text(PAGE_STYLE + STYLE)


PAGE_STYLE = """\
/* A drawing keeps its size; on a narrow window it scrolls, and the page does not. */
figure.drawing { margin: 1rem 0; }
figure.drawing .drawing-scroll { overflow-x: auto; }
figure.drawing figcaption { font-size: var(--font-size--small); opacity: 0.85; }
"""


def _figure(name: str, caption: str) -> list[nodes.Node]:
    svg = draw(name).svg(style=False)
    html = f'<figure class="drawing"><div class="drawing-scroll">{svg}</div>'
    html += f"<figcaption>{caption}</figcaption></figure>" if caption else "</figure>"
    return [nodes.raw("", html, format="html")]


class DrawingDirective(SphinxDirective):
    """Show the drawing that the argument names, with the caption below it."""

    required_arguments = 1
    option_spec: ClassVar = {"caption": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            return _figure(self.arguments[0], self.options.get("caption", ""))
        except ValueError as error:
            raise self.error(str(error)) from error


class SchematicsDirective(SphinxDirective):
    """Show the schematics of all components of a package, by the folders of their files."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        package = f"{self.arguments[0]}."
        designs = [
            design
            for design in component_designs().values()
            if design.component.__module__.startswith(package)
        ]
        if not designs:
            raise self.error(f"Package must have components, not {package!r}")
        sections: list[nodes.Node] = []
        for design in designs:
            section = nodes.section(ids=[f"schematic-{design.name.lower()}"])
            section += nodes.title("", design.name)
            module = design.component.__module__
            line = (inspect.getdoc(design.component) or "").partition("\n")[0]
            line = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", line.replace("``", "`"))
            section += self.parse_text_to_nodes(f"{line} (`{module}`)")
            section += _figure(f"schematic/{design.name}", "")
            sections.append(section)
        return sections


class CommandsDirective(SphinxDirective):
    """Show the help of each subcommand of `spiker`."""

    def run(self) -> list[nodes.Node]:
        sections: list[nodes.Node] = []
        for name in subcommands():
            text = help_of(name)
            section = nodes.section(ids=[f"spiker-{name}"])
            section += nodes.title("", f"spiker {name}")
            section += nodes.literal_block(text, text, language="text")
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx know the directives."""
    app.connect("builder-inited", _write_style)
    app.add_css_file("drawings.css")
    app.add_directive("commands", CommandsDirective)
    app.add_directive("drawing", DrawingDirective)
    app.add_directive("schematics", SchematicsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
