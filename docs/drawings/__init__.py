"""The drawings of the documentation, made from the library itself while the pages are built.

A page shows one by its name: ``{drawing} house``, ``{drawing} timing/SCENE``, ``{schematics}
PACKAGE``, or the help of the command by ``{commands}``. The picture of the README is the one that
is kept, since a README is read without being built: ``python -m drawings.flow``, in ``docs/``,
makes it anew.
"""
