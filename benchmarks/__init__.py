"""Side-by-side measurements of forkserver and of other servers: `python -m benchmarks`; see README.md here.

Standard library only; the load is made by wrk.  Knows forkserver only from outside, as a command and a port.
"""
