"""Who hears of things, on loopback: a mail server, a web server that takes webhooks, a StatsD server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """What an SMTP server got: recipients and mail."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a mail."""
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"

    @property
    def connection(self) -> str:
        """Airflow's connection to it, as JSON."""
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"}
        return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra})


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run a mail server."""
    mailbox = Mailbox()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        mailbox.port = listener.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


class Webhook(ThreadingHTTPServer):
    """What was posted, as JSON."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def slack_connection(self) -> str:
        """Airflow's connection to it as if it were Slack, as JSON."""
        return json.dumps({"conn_type": "slackwebhook", "password": f"http://127.0.0.1:{self.server_port}/T0/B0/X"})


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def webhook_server() -> Iterator[Webhook]:
    """Run a web server."""
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class StatsdServer(threading.Thread):
    """Keeps every packet that comes over UDP."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.packets: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self.socket.getsockname()[1])

    def run(self) -> None:
        """Receive until a client sends the word end."""
        while (packet := self.socket.recv(65536).decode()) != "end":
            self.packets += packet.splitlines()

    def gauges(self, prefix: str) -> dict[str, list[float]]:
        """Return the gauges of a prefix by the rest of their names, each as often as it came."""
        found: dict[str, list[float]] = {}
        for packet in self.packets:
            name, _, rest = packet.partition(":")
            value, _, kind = rest.partition("|")
            if name.startswith(prefix):
                assert kind == "g"
                found.setdefault(name.removeprefix(prefix), []).append(float(value))
        return found


@contextmanager
def statsd_server() -> Iterator[StatsdServer]:
    """Run a StatsD server."""
    server = StatsdServer()
    server.start()
    try:
        yield server
    finally:
        server.socket.sendto(b"end", server.socket.getsockname())
        server.join()
        server.socket.close()
