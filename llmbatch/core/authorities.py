"""Files of certificates that the environment names: who may vouch for a server."""

from llmbatch.core.errors import UsageError


def unreadable_authorities(variable: str, file: str | None, error: OSError) -> UsageError:
    """The error if such a file cannot be used.

    Args:
        variable: names the file.
        file: the variable's value.
        error: what the system or the TLS library said of it.
    """
    return UsageError(
        f"{variable} {file!r}: cannot be read ({error.strerror or error})",
        hint="name a file of certificates in PEM form, or unset it",
    )
