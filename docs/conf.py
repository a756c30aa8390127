"""How Sphinx builds these pages."""

from importlib.metadata import version as installed

project = "Spiker HDL"
author = "The Spiker HDL authors"
version = release = installed("spiker-hdl")
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.doctest"]
exclude_patterns = ["_build"]
numpydoc_show_class_members = False
html_theme = "alabaster"
