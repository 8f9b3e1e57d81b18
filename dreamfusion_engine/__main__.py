"""`python -m dreamfusion_engine`: the same as the command `dreamfusion-engine`."""

import sys

from dreamfusion_engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
