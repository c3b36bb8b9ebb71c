"""``python -m rehearsal``."""

from rehearsal.cli import main

raise SystemExit(main())
