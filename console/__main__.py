"""The `tccc` command: finds the verb, and turns every error into one clear line and an exit status."""

import importlib
import logging
import os
import signal
import sys
from typing import Any, NoReturn

import click

from runtime import crash
from schemas.errors import DependencyAway, OperatorError, SettingsError

OK, FAILED, USAGE, DIFFERENCES, INTERRUPTED = 0, 1, 2, 3, 130

# Verb -> the module that has it, imported when it is asked for: `tccc send` needs no Postgres driver.
VERBS = {
    "up": "console.up",
    "receive": "console.roles",
    "work": "console.roles",
    "migrate": "console.migrate",
    "topics": "console.topics",
    "send": "console.send",
    "status": "console.status.command",
    "report": "console.report.command",
    "audit": "console.audit.command",
    "dead": "console.dead.command",
    "trace": "console.trace",
    "reconcile": "console.reconcile.command",
    "backfill": "console.backfill",
    "drift": "console.drift",
    "rewind": "console.rewind",
    "erase": "console.erase.command",
    "purge": "console.purge",
    "spool": "console.spool",
    "config": "console.config",
    "doctor": "console.doctor.command",
}


class Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tccc-ingest", prog_name="tccc")
def tccc() -> None:
    """Takes the call records that Tencent Cloud Contact Center pushes, into Kafka and Postgres.

    Settings come from the environment (TCCC_…): see 'tccc config show'. Exit status: 0 ok, 1 failed, 2 usage or
    settings, 3 differences found, 130 interrupted.
    """


def main(argv: list[str] | None = None) -> NoReturn:
    crash.without_data()
    if (
        os.getpid() == 1
    ):  # of a container: there SIGTERM does nothing until somebody handles it, as a role does later
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    logging.getLogger().addHandler(logging.NullHandler())  # a verb tells itself what libraries would log
    try:
        status: Any = tccc.main(args=argv, prog_name="tccc", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except SettingsError as exc:
        _fail(USAGE, str(exc))
    except (OperatorError, DependencyAway) as exc:
        _fail(FAILED, str(exc))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(FAILED)
    sys.exit(status if isinstance(status, int) else OK)


def _fail(status: int, message: str) -> NoReturn:
    click.echo(f"tccc: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
