"""One pytest session as a run: what is collected, permitted, judged, kept and reported.

The plugin's hooks call :class:`Session`, which holds the rest; everything else here is its own.
"""

from golive.session.collecting import probe_fixtures
from golive.session.running import Session
from golive.session.terminal import status_of

__all__ = ["Session", "probe_fixtures", "status_of"]
