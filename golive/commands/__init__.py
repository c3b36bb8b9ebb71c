"""The words of the command ``golive``.

Each is a module of this package with two functions: ``arguments(parser)`` declares what it
takes, ``run(options)`` does it and returns the exit status. A mistake of the user's is a
GoliveError. Only the module of the word that is used is imported.
"""

COMMANDS = {
    "approve": "decide go or no-go on the launch",
    "attest": "state an item that people vouch for, signed with your SSH key",
    "not-applicable": "declare an item not applicable; two people sign",
    "doctor": "what of an environment answers from here, and what to grant or declare",
    "package": "everything that the decision rests on, in one zip; and its signatures",
    "pull": "fetch the runs, statements and signed documents of others from the store",
    "push": "send runs, statements and signed documents to the store that others pull from",
    "init": "lay out a launch folder with a template of every document",
    "report": "build the report of a run, finished or killed",
    "revoke": "take back a statement",
    "set-aside": "count without a record that is damaged or missing; two people sign",
    "sign": "sign a document with your SSH key",
    "statements": "what people have signed, and why what does not hold does not",
    "status": "GO or NO-GO, what is in the way, and whose it is",
    "trace": "hold a procedure in Markdown against the items, or make items of it",
    "verify": "whether a package is whole, signed, and says what its records say",
    "waive": "let the launch go without an item, until a date; two people sign",
}
