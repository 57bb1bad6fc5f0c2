"""`python -m ledger`: the command line."""

import sys

from ledger.cli.main import main

sys.exit(main())
