"""Certificate files named in the environment: the authorities trusted to certify servers."""

from llmbatch.core.errors import UsageError


def unreadable_authorities(variable: str, file: str | None, error: OSError) -> UsageError:
    """The error for a certificate file that cannot be used.

    Args:
        variable: the environment variable that names the file.
        file: the variable's value.
        error: the error from the system or the TLS library.
    """
    return UsageError(
        f"{variable} {file!r}: cannot be read ({error.strerror or error})",
        hint="set it to a PEM file of certificates, or unset it",
    )
