"""`tccc receive` and `tccc work`: one receiver, one worker, as `python -m receiver` and `python -m worker`."""

import sys

import click


@click.command(
    "receive", epilog="Example:\n\n  TCCC_KAFKA_BOOTSTRAP=kafka:9092 TCCC_LISTEN=0.0.0.0:8080 tccc receive"
)
def receive() -> None:
    """Run one receiver, configured by the environment, until SIGTERM or Ctrl-C."""
    from receiver.__main__ import main

    sys.exit(main())


@click.command(
    "work",
    epilog="Example:\n\n  TCCC_DATABASE_URL=postgresql://tccc@db/tccc TCCC_KAFKA_BOOTSTRAP=kafka:9092 tccc work",
)
def work() -> None:
    """Run one worker, configured by the environment, until SIGTERM or Ctrl-C."""
    from worker.__main__ import main

    sys.exit(main())
