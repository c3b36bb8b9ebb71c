"""A go-live procedure in Markdown, held against the items of a procedure.toml.

``read`` finds the lines that somebody has to do, know or decide, with the block, task, owner and
times that apply to them; ``trace`` compares them with items in both directions; ``write`` makes
items of them. Markdown is read as a tree of its elements, so code, comments and front matter are
never lines. What counts as a line:

- a checkbox, wherever it stands;
- a bullet, number or table row below a heading or bold line about deliverables, triggers,
  metrics, contacts or escalation;
- in a block (a day, a clock time, a phase, a rollback) that has no checkbox at all: a bullet or
  number, or a table row. An entry that is bold, or ends with a colon, is a task of the list nested
  in it; what is nested in another entry is a note on it.

Other bullets, numbers and rows are prose; they are told apart from lines, never dropped silently.
At the end every line of the source that looks like a checkbox, a bullet or a row is either one of
these or named. A day, time, owner or duration that cannot be read is named too, never guessed.
"""

from golive.tracing.comparing import Difference as Difference
from golive.tracing.comparing import Trace as Trace
from golive.tracing.comparing import trace as trace
from golive.tracing.document import TIMED as TIMED
from golive.tracing.document import Block as Block
from golive.tracing.document import Document as Document
from golive.tracing.document import Line as Line
from golive.tracing.reading import parse as parse
from golive.tracing.reading import read as read
from golive.tracing.writing import Written as Written
from golive.tracing.writing import write as write
