"""`python -m forkserver` is `forkserver`."""

import sys

from forkserver.cli import main

if __name__ == "__main__":
    sys.exit(main())
