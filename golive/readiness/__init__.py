"""From the verdicts of many runs, and from what people have signed, to one answer.

Fails closed: what was not looked at, does not hold any more, cannot be read, or is about another
candidate or environment is never counted towards GO.
"""

from golive.readiness.assessing import assess as assess
from golive.readiness.assessing import counts as counts
from golive.readiness.changes import changed_rules as changed_rules
from golive.readiness.fresh import suspect as suspect
from golive.readiness.runs import Finding as Finding
from golive.readiness.runs import Look as Look
from golive.readiness.runs import looks as looks
from golive.readiness.runs import newest as newest
from golive.readiness.runs import oldest_facts as oldest_facts
from golive.readiness.runs import red as red
from golive.readiness.wording import as_line as as_line
