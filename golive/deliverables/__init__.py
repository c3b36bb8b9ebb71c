"""Deliverables of a day: made from the newest verdicts, signed by their owners, checked here."""

from golive.deliverables.basis import Basis as Basis
from golive.deliverables.basis import digest_of as digest_of
from golive.deliverables.contents import FILES as FILES
from golive.deliverables.contents import Write as Write
from golive.deliverables.contents import documents_of as documents_of
from golive.deliverables.contents import manifest_of as manifest_of
from golive.deliverables.contents import overview_of as overview_of
from golive.deliverables.contents import tally_of as tally_of
from golive.deliverables.contents import with_tables as with_tables
from golive.deliverables.document import NOBODY_LOOKED as NOBODY_LOOKED
from golive.deliverables.document import NOBODY_WROTE as NOBODY_WROTE
from golive.deliverables.document import NOT_GREEN as NOT_GREEN
from golive.deliverables.document import NOT_JUDGED as NOT_JUDGED
from golive.deliverables.document import Deliverable as Deliverable
from golive.deliverables.making import Deliverables as Deliverables
