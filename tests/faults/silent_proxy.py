"""A network that goes silent: a TCP proxy that still takes what it gets, so that no kernel notices."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict

from local.servers import Server


class SilentProxy:
    """
    A proxy on loopback in front of a server.

    :param server: where it connects to.
    :param silent_after: what a client sends before nothing is passed on any more; by default only on request.
    """

    def __init__(self, server: Server, silent_after: bytes | None = None) -> None:
        self._target = conninfo_to_dict(server.uri)
        self._silent_after = silent_after
        self.is_silent = False
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = self._connect()
                self._sockets += [client, upstream]
                threading.Thread(target=self._pass_on, args=(client, upstream), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(upstream, client), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = str(self._target["host"]), int(self._target.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(f"{host}/.s.PGSQL.{port}")
        return upstream

    def _pass_on(self, origin: socket.socket, destination: socket.socket) -> None:
        with suppress(OSError):
            while data := origin.recv(65536):
                if self._silent_after and self._silent_after in data:
                    self.is_silent = True
                if not self.is_silent:
                    destination.sendall(data)
            if not self.is_silent:
                destination.shutdown(socket.SHUT_WR)


@contextmanager
def silent_proxy(server: Server, silent_after: bytes | None = None) -> Iterator[SilentProxy]:
    """Run one for the block."""
    proxy = SilentProxy(server, silent_after)
    try:
        yield proxy
    finally:
        proxy.close()
