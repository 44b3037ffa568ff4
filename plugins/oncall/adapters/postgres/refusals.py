"""What PostgreSQL, libpq or a pooler says of a refusal, what to do about it, and nothing that is secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from oncall.core.redaction import without

SECRETS = re.compile(r"(:)\S*(?=@)|\b((?:password|passwd|secret|token)\s*[=:]\s*)\S+", re.IGNORECASE)


# What libpq or a pooler says, and what to do about it.
_NO_ENTRY = "pg_hba.conf"  # in whatever language
_REQUIRE = 'write {"sslmode": "require"} into the extra'
_TRUST = "write the path of its CA's certificate, as it is on this host, into the extra sslrootcert"
_ADVICE = (
    (re.escape(_NO_ENTRY), "have an entry in the server's pg_hba.conf made for this host, user and database"),
    ("statement pooling mode", "let PgBouncer pool transactions (pool_mode = transaction)"),
    ("does not support SSL", "switch TLS on there, or write another sslmode into the extra"),
    ("SSL required", _REQUIRE),
    ("invalid sslmode", "write disable, allow, prefer, require, verify-ca or verify-full, in small letters"),
    ("invalid target_session_attrs", "write any or read-write, or leave it out"),
    (
        "is in hot standby mode|session is read-only",
        "write a host that is the primary now, too; or, where it is only read, target_session_attrs any into the extra",
    ),
    (
        "hot standby mode|session is not read-only",
        "leave target_session_attrs out, or write read-write: what is noted there has to be written",
    ),
    (
        "startup parameter",
        "take options out of the extra, or let the pooler ignore it (ignore_startup_parameters)",
    ),
    ("command-line argument", 'write each setting of the extra options as "-c name=value"'),
    (
        r"on socket \S+ failed: No such file",
        "write the server's name into the host; in a URI write every / : @ # ? and % of the password as a code",
    ),
    (r"FATAL: +database .* does not exist", "write the database's name into the field schema"),
    (r"invalid port number", "write the port into its field, such as 5432"),
    # Either side may miss the other's certificate: libpq does not say which.
    ("SSL error: no SSL error", f"{_TRUST}, or, where it asks for a client's, sslcert and sslkey"),
    # libpq says the same of a certificate that has expired.
    (
        "certificate verify failed",
        f"{_TRUST}; where that stands there, have the server's certificate renewed",
    ),
    (r"self-signed|no SSL error reported|root certificate file", _TRUST),
    ("does not match host name", "write the name for which the certificate was made into the host"),
    ("response to SSL negotiation", "write the host and port of a PostgreSQL server"),
    ("no password supplied", "write the role's password into the connection"),
)
# The server's own words may be in any language; these say that it is not the password.
_NOT_THE_PASSWORD = re.compile(
    r"\b(database|connections|permitted|starting up|shutting down|recovery|session)\b"
)
_MAY_HAVE_EXPIRED = (
    "a password that has expired (`valid until`) is refused as a wrong one is: if it is that, set it anew"
)


def _advice(error: Exception) -> str:
    """What to do about a connection that was refused, where that is known; with what a server does not say."""
    said = str(error)
    advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, said)), "")
    tried = getattr(error, "pgconn", None)
    if tried and tried.used_password and not (advice or _NOT_THE_PASSWORD.search(said)):
        advice = _MAY_HAVE_EXPIRED
    if _NO_ENTRY in said and _may_do_without_tls(tried):
        advice = f"{advice}; or {_REQUIRE}, where there is one for encrypted connections alone"
    return f"; {advice}" if advice and advice not in said else ""


def _may_do_without_tls(tried: Any) -> bool:
    """Whether the connection was to be made without TLS, or without it at first; libpq does so where it is told to."""
    said = {option.keyword: option.val for option in tried.info} if tried else {}
    return said.get(b"sslmode") in (b"disable", b"allow")


# What no server is called may be a password in the wrong field.
_UNKNOWN_HOST = re.compile(r"""(?<=host name )".*"(?= to address)|(?<=resolve host )'.*'(?=:)""")


def first_line(error: Exception, secrets: Iterable[str] = ()) -> str:
    """What went wrong, without the connection string that a driver may append and without what is secret."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    text = without(_UNKNOWN_HOST.sub("***", text), secrets)
    return SECRETS.sub(lambda found: f"{found[1] or found[2]}***", text)[:500] + _advice(error)
