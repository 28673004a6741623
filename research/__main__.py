"""``python -m research`` is ``earnings-study``."""

import sys

from research.cli import main

if __name__ == "__main__":
    sys.exit(main())
