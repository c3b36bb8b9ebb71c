"""What documents tell beyond verdicts, from what the probes of their items have on record.

Each module knows one document: ``written`` says what stands in it, ``judged`` what has to hold of
that. Both read the newest record of each item; nothing is looked at again unless it says so.
"""
