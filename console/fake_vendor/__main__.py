"""`python -m console.fake_vendor`: a fake of the vendor for a local stack."""

import asyncio

import click

from console.fake_vendor.centre import Asked, serve
from runtime import logs
from schemas.settings import Settings


@click.command()
@click.option("--listen", required=True, metavar="HOST:PORT")
@click.option("--push-url", required=True)
@click.option("--sessions", type=click.IntRange(1), required=True, help="Of yesterday.")
@click.option(
    "--withhold", type=click.FloatRange(0, 1), required=True, help="Share of calls that are not pushed."
)
def main(listen: str, push_url: str, sessions: int, withhold: float) -> None:
    """Serve DescribeTelCdr, and push the same sessions but for some."""
    logs.configure(Settings())
    asyncio.run(serve(Asked(listen=listen, push_url=push_url, sessions=sessions, withhold=withhold)))


if __name__ == "__main__":
    main()
