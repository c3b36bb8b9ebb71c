"""Statements: what a person says of an item, signed with that person's own SSH key.

A statement is one folder that is never changed:

``statement.json``      canonical JSON: what is said, of what, by whom, until when
``statement.json.sig``  the signature over it, by ``ssh-keygen -Y sign`` for golive-statement
``evidence/``           the files it names, each as ``<sha256>-<name>``

Nothing in it is believed: whoever uses a statement has it checked again. One that does not hold
is kept with the reason, so that a page can show it. docs/statements.md tells the format, and how
to check one by hand.
"""

from golive.people.statements.asking import Statements as Statements
from golive.people.statements.entitlement import Entitlement as Entitlement
from golive.people.statements.model import BODY as BODY
from golive.people.statements.model import DECISIONS as DECISIONS
from golive.people.statements.model import EVIDENCE as EVIDENCE
from golive.people.statements.model import FOR_GOOD as FOR_GOOD
from golive.people.statements.model import MOST_EVIDENCE_BYTES as MOST_EVIDENCE_BYTES
from golive.people.statements.model import Evidence as Evidence
from golive.people.statements.model import Exempted as Exempted
from golive.people.statements.model import Exemption as Exemption
from golive.people.statements.model import Kind as Kind
from golive.people.statements.model import Signed as Signed
from golive.people.statements.model import Statement as Statement
from golive.people.statements.model import canonical as canonical
from golive.people.statements.model import fingerprint as fingerprint
from golive.people.statements.model import identify as identify
from golive.people.statements.model import is_no_go as is_no_go
from golive.people.statements.model import takes_away as takes_away
from golive.people.statements.reading import UNREADABLE as UNREADABLE
from golive.people.statements.reading import digest_of as digest_of
from golive.people.statements.reading import read_statement as read_statement
from golive.people.statements.vouching import Vouched as Vouched
from golive.people.statements.vouching import made_before as made_before
from golive.people.statements.writing import evidence_name as evidence_name
from golive.people.statements.writing import evidence_of as evidence_of
from golive.people.statements.writing import keep as keep
from golive.people.statements.writing import sayable as sayable
