"""Compares the database with the vendor's API, hour by hour, and fills in what is missing.

span, vendor, pace, listing     what the API has: ranges, pages, retries, its rate limit
element, stored, compare        a session as the API tells of it, as it is stored, and where the two differ
run, watermark                  what a run has found so far, so that it goes on where it stopped; what is signed off
settling, reconciler            waiting for the workers, and the comparison itself
report, command, service        what is told, and the verbs
"""
