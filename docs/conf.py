"""How Sphinx builds these pages."""

import inspect
import sys
from pathlib import Path

from spiker_hdl import __version__

sys.path.insert(0, str(Path(__file__).parent))  # the drawings


def sign_components(app, what, name, obj, options, signature, result):
    """Show a component with the parameters of its ``__init__``, which its metaclass hides."""
    from amaranth.lib import wiring

    if what == "class" and issubclass(obj, wiring.Component):
        parameters = [*inspect.signature(obj.__init__).parameters.values()][1:]
        plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
        return str(inspect.Signature(plain)), result
    return None


def setup(app):
    app.connect("autodoc-process-signature", sign_components)


project = "Spiker HDL"
author = copyright = "The Spiker HDL authors"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.napoleon",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "drawings.directives",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "dollarmath", "colon_fence"]
myst_heading_anchors = 3
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False  # types are prose, and no cross-references
napoleon_custom_sections = [("Members", "params_style")]
autodoc_typehints = "none"  # the sections of the docstrings have the types
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = f"Spiker HDL {version}"
html_copy_source = False
