"""A contact centre that never was: its sessions, told by the pushes that the vendor would make of them.

session    the shapes: a session, its truth, its pushes
dice       chance that can be repeated
arrivals, mix, centre, numbers       when sessions begin, of what kinds, served by whom, for whom
inbound, outbound, chat, legs        how each kind goes
regulars   who calls again
bodies, quirks, pushes               how the vendor tells of it
stream, delivery                     sessions and pushes in order, or out of it
vendor, load, tally                  pushing them to a URL, and what came of it
"""

from console.simulator.session import Kind, Push, Session, Truth
from console.simulator.stream import first_pushes, in_order, simulate

__all__ = ["Kind", "Push", "Session", "Truth", "first_pushes", "in_order", "simulate"]
