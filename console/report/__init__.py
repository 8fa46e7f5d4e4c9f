"""`tccc report`: the answers of docs/answers.md on a terminal, as data, and as one page."""
