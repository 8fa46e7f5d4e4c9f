"""Files of SQL are taken apart where a statement ends, and nowhere else."""

import re

from worker.citus.forms import FORMS, read
from worker.migrate import migrations
from worker.statements import statements


def test_semicolons_that_end_nothing() -> None:
    parts = [
        "SELECT 'a;''b;'",
        ' SELECT ";" -- ; a comment\n AS x',
        " /* ; */ SELECT 1",
        "\nDO $x$ BEGIN PERFORM $$;$$; END $x$",
        "\nCREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
        '\nSELECT CASE WHEN true THEN 1 END AS "END"',
    ]
    assert list(statements(";".join(parts) + ";\n-- the end\n")) == parts
    assert list(statements("SELECT 1;SELECT 2")) == ["SELECT 1", "SELECT 2"]


def test_every_statement_of_every_migration_begins_with_its_word() -> None:
    words = re.compile(
        r"(--[^\n]*|\s)*(CREATE|ALTER|COMMENT|INSERT|SELECT|DO|GRANT|REVOKE|DROP|UPDATE|DELETE|TRUNCATE|LOCK|SET)\b"
    )
    texts = [migration.sql for migration in migrations()] + [read(name) for name in FORMS]
    for sql in texts:
        found = list(statements(sql))
        assert [part for part in found if not words.match(part)] == []
        assert ";".join(found) == sql[: len(";".join(found))]
