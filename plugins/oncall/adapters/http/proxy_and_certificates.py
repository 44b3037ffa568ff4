"""The way out of a company's own network: which certificates are trusted and which proxy is asked. Calls nobody.

As curl and requests do it, for both far sides alike: SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE beside the
system's own store; HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY in capitals or not, or the connection's `proxy`.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies_environment

import httpx

from oncall.adapters.http.connections import is_host, is_loopback
from oncall.core.errors import LockedOut

BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trusted() -> ssl.SSLContext:
    """What certificates are checked against; without a variable Mozilla's list too, for an image without a store.

    Raises LockedOut when a variable names what cannot be read."""
    named = {name: path for name in BUNDLES if (path := os.environ.get(name, "").strip())}
    context = ssl.create_default_context() if named else httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    for name, path in named.items():
        where = {"capath" if os.path.isdir(path) else "cafile": path}
        try:
            context.load_verify_locations(**where)
        except OSError as error:  # ssl's own errors are of this kind
            raise LockedOut(f"{name}={path!r} names no readable certificates ({error}); mend it") from None
    return context


def proxy_for(url: str, written: str, at: str) -> httpx.Proxy | None:
    """The proxy on the way to `url`: the one `written` in the connection, else the environment's.

    Raises LockedOut, beginning with `at`, when it is no address; what is written is not repeated: it may hold a
    password.
    """
    source = "the extra proxy"
    if not written:
        parts = urlsplit(url)
        proxies = getproxies_environment()
        written = proxies.get(parts.scheme) or proxies.get("all") or ""
        source = f"{parts.scheme.upper()}_PROXY"
        # A stand-in on this very machine is never behind a proxy.
        if not written or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return None
        if _past_the_proxy(parts, proxies.get("no", "")):
            return None
    try:
        proxy = httpx.Proxy(written if "://" in written else f"http://{written}")
        if not is_host(proxy.url.host, may_lack_dot="://" in written or proxy.url.port is not None):
            raise ValueError
    except (ValueError, httpx.InvalidURL):
        raise LockedOut(
            f"{at}: {source} is no address of a proxy; write for example http://proxy:3128"
        ) from None
    return proxy


def name_of(proxy: httpx.Proxy) -> str:
    """The proxy for a person's eyes: without its user and password."""
    return proxy.url.host if proxy.url.port is None else f"{proxy.url.host}:{proxy.url.port}"


def _past_the_proxy(parts: SplitResult, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: by name, by suffix (`.corp`, `*.corp`), by `*`, or by its network."""
    host = (parts.hostname or "").lower()
    for entry in no_proxy.lower().replace(",", " ").split():
        name = entry.removesuffix(f":{parts.port}").lstrip("*.")
        if entry == "*" or host == name or (name and host.endswith(f".{name}")) or _holds(entry, host):
            return True
    return False


def _holds(network: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
