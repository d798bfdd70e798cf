"""Development: a process beside the server that asks for a reload when a source has changed.

`sources.py` says what is watched, `__main__.py` is the process, and `beside.py` begins and ends it.  Knows the server
by its configuration and its control socket alone.
"""
