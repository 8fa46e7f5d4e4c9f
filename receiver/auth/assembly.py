"""Puts together what TCCC_AUTH asks for, and exchanges its credentials while the receiver serves."""

from receiver.auth.basic import Basic
from receiver.auth.gate import Gate
from receiver.client_address import ClientAddresses
from schemas.auth import basic_pairs, check_auth
from schemas.settings import Settings


class Auth:
    """`gate` is asked before every push; None lets all pass. Raises SettingsError if TCCC_AUTH lacks what it needs."""

    def __init__(self, settings: Settings, addresses: ClientAddresses) -> None:
        check_auth(settings)
        self.gate: Gate | None = None
        if settings.auth == "basic":
            self.gate = Gate(Basic(basic_pairs(settings)), addresses, settings.auth_failures_per_minute)

    def adopt(self, settings: Settings) -> None:
        """Take other credentials from the next request on; raises SettingsError and keeps those in force."""
        check_auth(settings)
        if self.gate is not None:
            self.gate.check = Basic(basic_pairs(settings))
