"""Inside one worker: an epoll loop and its connections.

Knows sockets and the protocol; forks nothing and knows of no other process but through what it was handed.
"""
