"""Keys of a profile in the files that Amazon's tools share, which the object store's client does not read.

docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from llmbatch.core.errors import UsageError

_OTHER_WAYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)
"""Variables in which the client finds credentials; they take precedence over a profile."""
_CONFIG = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
"""The client's names of settings, by those in the files."""
_BEFORE_FILES = {
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
}
"""Variables that take precedence over the files."""
_ELSEWHERE = ("sso_session", "sso_start_url", "credential_process", "role_arn", "login_session")


def profile_config() -> Mapping[str, str]:
    """The client's configuration from AWS_PROFILE, otherwise from the profile `default`; empty if variables set it.

    Raises:
        UsageError: there is no such profile, or its keys have another source.
    """
    named = os.environ.get("AWS_PROFILE")
    if any(os.environ.get(variable) for variable in _OTHER_WAYS):
        return {}
    profile = named or "default"
    found = {
        **_section("AWS_CONFIG_FILE", "config", profile if profile == "default" else f"profile {profile}"),
        **_section("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile),
    }
    if named and not found:
        raise UsageError(f"AWS_PROFILE: no such profile {named!r}", hint="see ~/.aws/config and ~/.aws/credentials")
    if "aws_access_key_id" not in found and (way := next((way for way in _ELSEWHERE if way in found), None)):
        raise UsageError(
            f"the AWS profile {profile!r} has {way} instead of keys",
            hint=f'export them first: eval "$(aws configure export-credentials --profile {profile} --format env)"',
        )
    config = {ours: found[theirs] for theirs, ours in _CONFIG.items() if theirs in found}
    return {name: value for name, value in config.items() if not any(map(os.environ.get, _BEFORE_FILES.get(name, ())))}


def _section(variable: str, name: str, section: str) -> dict[str, str]:
    path = Path(os.environ.get(variable) or os.path.expanduser(f"~/.aws/{name}"))  # noqa: PTH111 - without a home, too
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None
    return dict(parser[section]) if parser.has_section(section) else {}
