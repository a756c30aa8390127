"""The drawings of the documentation, made from the library itself while the pages are built."""
