"""Where runs, statements and signed documents meet: a shared folder or an object store.

One object holds one bundle, the folder of one of them, and is never changed:

``runs/<id>.<sha256>.tar``  ``statements/<id>.<sha256>.tar``  ``documents/<id>.<sha256>.tar``

The name holds the digest of the object's own bytes. The same folder always makes the same bytes,
so an object that is there need not be sent again, and people who push at the same time cannot
harm one another. The list of objects is the only index. What comes out of a store is believed
only as far as it fits its name, and is never put over something that lies here.
"""

from golive.store.bundles import pack as pack
from golive.store.comparing import compare as compare
from golive.store.comparing import kept_document as kept_document
from golive.store.limits import DOCUMENTS as DOCUMENTS
from golive.store.limits import KINDS as KINDS
from golive.store.limits import RUNS as RUNS
from golive.store.limits import STATEMENTS as STATEMENTS
from golive.store.limits import Refused as Refused
from golive.store.makers import Makers as Makers
from golive.store.moving import Outcome as Outcome
from golive.store.moving import Progress as Progress
from golive.store.moving import pull as pull
from golive.store.moving import push as push
from golive.store.objects import Kept as Kept
from golive.store.objects import Store as Store
from golive.store.objects import Stored as Stored
