"""What is raised in the thread of an application that has had its time, and how.

Knows the interpreter's means for it; knows nothing of calls and of when.
"""

from __future__ import annotations

import ctypes


class RequestTimeout(BaseException):
    """Raised in the application's thread when its request has had its time.

    No Exception: who handles those means to go on with the request.
    """


class _Nothing(BaseException):
    """Raised in place of a timeout that is taken back."""


def raise_in(thread: int, error: type[BaseException]) -> None:
    """Have a thread, known by its identifier, raise at its next step in Python, and nothing else that was to come.

    See PyThreadState_SetAsyncExc.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def take_back(thread: int) -> None:
    """In that thread itself: nothing comes after this; RequestTimeout when it comes now.

    It could be taken back without anything in its place.  But before Python 3.13 the interpreter goes on looking for
    what it was told of until that was raised, at each step of every thread: calls of functions take half as long again.
    """
    try:
        raise_in(thread, _Nothing)
        while True:
            pass  # it comes at once
    except _Nothing:
        return
