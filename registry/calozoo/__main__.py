"""`python -m calozoo`."""

import sys

from calozoo.cli import main

if __name__ == "__main__":
    sys.exit(main())
