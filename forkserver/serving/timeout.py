"""What is raised in the thread of an application that has had its time, and how.

Knows the interpreter's means for it; knows nothing of calls and of when.
"""

from __future__ import annotations

import ctypes


class RequestTimeout(BaseException):
    """Raised in the application's thread when its request has had its time.

    No Exception: who handles those means to go on with the request.
    """


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Have a thread, known by its identifier, raise at its next step in Python (PyThreadState_SetAsyncExc)."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def take_back(thread: int) -> None:
    """What was to be raised there and has not been yet is not."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)
