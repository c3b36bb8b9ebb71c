"""The go/no-go package: one zip that anybody can check without golive, and with it.

It holds the answer and everything that the answer was made from, so that whoever has it can come
to the answer again. ``SHA256SUMS`` names every file; people sign that. The zip itself is written
in one way only (sorted, without times, sealed by the digest of its own bytes in its comment), so
that nothing can be hidden between its files and no byte of it can change.
"""

from golive.package.form import About as About
from golive.package.form import zipped as zipped
from golive.package.opening import Package as Package
from golive.package.opening import named as named
from golive.package.opening import opened as opened
from golive.package.signing import sign as sign
from golive.package.verifying import Trust as Trust
from golive.package.verifying import Verified as Verified
from golive.package.verifying import verify as verify
from golive.package.writing import build as build
from golive.package.writing import public_roster as public_roster
from golive.package.writing import write as write
