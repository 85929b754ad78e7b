"""One program or recorded run on every engine there is, compared: for `pvm compare`.

In: tasks, contestants. Out: how each run ended, in what they differ, tables.
"""
