"""A pre-forking, multi-process web server daemon in plain Python.

This file knows the version and nothing else, so that setup.cfg can read it without importing a thing.
"""

__version__ = "0.1.0"
