"""What is measured, a file a section of the report.

In: a report, programs or traces, how often. Out: figures, added to the report.
"""
