"""The spool: takes pushes durably on the local disk while Kafka is away, and gives them back in order.

Names to use from outside: `Spool` and `SpoolStatus` in spool.py, `Drainer` in drainer.py, `inspect` in
inspection.py. The layout on disk and the reasons for it are in frame.py, segment.py and adoption.py.
"""
