"""Compiles the copy catalogue before Django reads it, so that no test sees yesterday's words.

A plugin (`-p tests.habits.plugin`); tests/habits/conftest.py does the same for these tests alone.
"""

from config import catalogue

if catalogue.PO.exists():
    catalogue.compile_if_stale()
