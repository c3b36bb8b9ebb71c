"""A nameserver on loopback for the records that receivers of mail ask for.

It answers over UDP and TCP from `records()`: the name, the type, the texts of its records.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Callable

Records = dict[tuple[str, str], list[str]]
"""By name, without the last dot, and type: the records' texts as a zone file has them."""
TTL_S = 60


def answer(wire: bytes, records: Records) -> bytes:
    """The answer to a question, CNAMEs followed as far as they are known."""
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype
    import dns.rrset

    question = dns.message.from_wire(wire)
    reply = dns.message.make_response(question, recursion_available=True)
    reply.flags |= dns.flags.AA
    asked = question.question[0]
    name, kind = asked.name, dns.rdatatype.to_text(asked.rdtype)
    for _ in range(8):
        plain = name.to_text(omit_final_dot=True).lower()
        if found := records.get((plain, kind)):
            reply.answer.append(dns.rrset.from_text(name, TTL_S, "IN", kind, *found))
            break
        alias = records.get((plain, "CNAME"))
        if not alias:
            if not any(known == plain for known, _ in records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            break
        made = dns.rrset.from_text(name, TTL_S, "IN", "CNAME", *alias)
        reply.answer.append(made)
        name = made[0].target
    return reply.to_wire()


def serve(port: int, records: Callable[[], Records]) -> None:
    """Answer on that port of 127.0.0.1 from now on, in threads of this process."""

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            content, socket = self.request
            socket.sendto(answer(content, records()), self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = self.rfile.read(2)
            if len(head) == 2:  # whoever only looks whether the port is open sends nothing
                reply = answer(self.rfile.read(struct.unpack("!H", head)[0]), records())
                self.wfile.write(struct.pack("!H", len(reply)) + reply)

    class TcpServer(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    servers = (
        socketserver.ThreadingUDPServer(("127.0.0.1", port), Udp),
        TcpServer(("127.0.0.1", port), Tcp),
    )
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
