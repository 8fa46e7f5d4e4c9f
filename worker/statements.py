"""Takes a file of SQL apart into its statements.

Citus passes ALTER TABLE on to the data nodes as it was sent, and they refuse it with others beside it.
"""

import re
from collections.abc import Iterator

# What may hold a semicolon that ends nothing; and the words between which a function's body stands without quotes.
_TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<tag>\$\w*\$).*?(?P=tag)"""
    r"""|(?P<begin>\bBEGIN\s+ATOMIC\b|\bCASE\b)|(?P<end>\bEND\b)|(?P<stop>;)""",
    re.DOTALL | re.IGNORECASE,
)


def statements(sql: str) -> Iterator[str]:
    """In order, each with the comments before it and without its semicolon; E'' strings with a quote in them are not understood."""
    start, depth = 0, 0
    for token in _TOKEN.finditer(sql):
        if token["begin"]:
            depth += 1
        elif token["end"]:
            depth -= 1
        elif token["stop"] and depth == 0:
            yield sql[start : token.start()]
            start = token.end()
    if _TOKEN.sub("", sql[start:]).strip():
        yield sql[start:]
