"""Failpoints: the one seam where a test stops or fails the spool at an instant that matters.

Names: `before-append`, `after-append`, `before-forget`, `after-forget` around a commit; `set-aside`,
`salvaged` after the step they are named for.
"""

from collections.abc import Callable

Failpoint = Callable[[str], None]


def ignore(name: str) -> None:
    """What runs in production: nothing."""
