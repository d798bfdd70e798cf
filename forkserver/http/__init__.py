"""HTTP/1.1 as pure functions of bytes.

Nothing here opens a socket, reads a clock or writes a log; the same bytes give the same result however they
were cut.  What is wrong with a message of the peer's is raised as `BadRequest`, and nothing else is ever
raised. An application that asks for an impossible answer gets a ValueError.
"""
