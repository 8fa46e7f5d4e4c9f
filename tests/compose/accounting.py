"""What must be true of a stack after whatever was done to it: nothing that was acknowledged is lost."""

from pathlib import Path

from tests.compose.stack import Stack, say, taken, wait_until


def settled(stack: Stack) -> set[str]:
    """The ids of the pushes that the ledger has."""
    return set(stack.query("SELECT DISTINCT push_id FROM tccc.push"))


def assert_nothing_is_lost(stack: Stack, output: Path) -> None:
    """Each push that was acknowledged gets into the ledger, and the auditor finds nothing amiss."""
    acknowledged = taken(output)
    assert acknowledged
    wait_until(lambda: not acknowledged - settled(stack), "every acknowledged push in the ledger")
    say(f"  {len(acknowledged)} acknowledged, all of them in the ledger")
    audit = stack.tccc("audit")  # any other exit status than 0 fails here
    say("  tccc audit:", audit.strip().splitlines()[-1])
