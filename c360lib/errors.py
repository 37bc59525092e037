"""What can go wrong, in words a user can act on.

A bad *row* is never an exception: it is kept, counted as a duplicate or quarantined with its reason. These errors are
for a wrong shape or a misuse. The command line and notebooks show the message alone, without a traceback.
"""


class C360Error(Exception):
    """Base of every error that c360lib raises on purpose; catch this to catch them all."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ContractError(C360Error):
    """An input cannot be read as the data contract says: a missing file or column, no rows, an unreadable file."""


class BusyError(C360Error):
    """Another run holds this workspace."""


class IntegrityError(C360Error):
    """What stands on disk is not what its manifest promises."""


class EngineError(C360Error):
    """An engine broke on something that it should have been able to do."""


class UsageError(C360Error):
    """A call asks for something that does not exist or cannot be had: an unknown engine, profile, table or option."""
