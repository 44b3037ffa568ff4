"""A connection to the address of a name that answers first.

A name often has several, and one of them may be dead without anybody saying so: a network that swallows IPv6, one
server of a far side. So each is begun a little after the one before, and the first to answer is taken (RFC 8305).
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from typing import Any

import httpcore
from httpcore._backends.sync import SyncStream

from oncall.adapters.http.calls import CONNECT_S

NEXT_AFTER_S = 0.25  # what RFC 8305 recommends
_ON_ITS_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class AnyAddress(httpcore.SyncBackend):
    """How httpcore connects; the rest is as it has it.

    `silent`: when an address that took a connection last gave no answer. It comes after the others: a network may lose
    all packets but the first small ones.
    """

    def __init__(self) -> None:
        self.silent: dict[Any, float] = {}

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any
    ) -> httpcore.NetworkStream:
        """`timeout`: seconds for all addresses together, CONNECT_S where none is said. Raises ConnectError and
        ConnectTimeout.
        """
        ends = time.monotonic() + (CONNECT_S if timeout is None else timeout)
        try:
            found = _in_turn(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            left = sorted(found, key=lambda each: self.silent.get(each[4], 0.0))
            connected = _first_to_answer(host, left, ends)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(error) from error
        except OSError as error:
            raise httpcore.ConnectError(error) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return SyncStream(connected)


def _first_to_answer(host: str, left: list[Any], ends: float) -> socket.socket:
    said = OSError(f"{host} has no address")
    with ExitStack() as others, selectors.DefaultSelector() as opening:
        while left or opening.get_map():
            if left:
                try:
                    opening.register(others.enter_context(_begun(*left.pop(0))), selectors.EVENT_WRITE)
                except OSError as error:  # this machine has no such network
                    said = error
                    continue
            wait_s = ends - time.monotonic()
            if wait_s <= 0:
                raise TimeoutError("timed out")
            for key, _ in opening.select(min(wait_s, NEXT_AFTER_S) if left else wait_s):
                opening.unregister(key.fileobj)
                answered: Any = key.fileobj
                refused = answered.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not refused:
                    return socket.socket(fileno=answered.detach())
                said = OSError(refused, os.strerror(refused))
    raise said


def _begun(family: int, kind: int, protocol: int, _: str, address: Any) -> socket.socket:
    begun = socket.socket(family, kind, protocol)
    begun.setblocking(False)
    refused = begun.connect_ex(address)
    if refused not in _ON_ITS_WAY:
        begun.close()
        raise OSError(refused, os.strerror(refused))
    return begun


def _in_turn(found: list[Any]) -> Iterator[Any]:
    """IPv6 and IPv4 by turns, beginning with what the machine prefers: all of one of them may be dead."""
    first = [each for each in found if each[0] == found[0][0]]
    second = [each for each in found if each[0] != found[0][0]]
    for pair in zip_longest(first, second):
        yield from (each for each in pair if each)
