"""Peers that do not keep to the rules: bare sockets, TLS by hand, HTTP/2 frames that no library would send."""

import contextlib
import socket
import ssl
import struct
import tempfile
import threading
import time
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import hpack

from lianxin_client import HUB_NAME, Client, pem_of_key

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK = END_STREAM = 0x1
END_HEADERS = 0x4


def address_of(address: str) -> tuple:
    host, port = address.rsplit(":", 1)
    return host, int(port)


def plain(address: str) -> socket.socket:
    """A connection on which nothing was said yet."""
    return socket.create_connection(address_of(address), timeout=20)


def context(client: Client | None = None, alpn=("h2",), version=ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """TLS that trusts anybody, with the certificate of a client if one is given."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = min(version, ssl.TLSVersion.TLSv1_2)
    made.maximum_version = version
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if client is not None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "client.pem"
            file.write_bytes(pem_of_key(client.tls_key) + client.chain_pem)
            made.load_cert_chain(file)
    return made


def secure(address: str, settings: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """A connection whose handshake is done."""
    return (settings or context()).wrap_socket(plain(address), server_hostname=HUB_NAME)


def client_hello() -> bytes:
    """The first bytes of a handshake, as a library would send them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context().wrap_bio(incoming, outgoing, server_hostname=HUB_NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
    return outgoing.read()


# --- HTTP/2 -------------------------------------------------------------------------------------


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", length: int | None = None) -> bytes:
    """A frame; a length that lies may be given."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields_of(path: str, more=()) -> list:
    """The header fields of a gRPC call."""
    return [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", HUB_NAME),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *more,
    ]


def headers(path: str, more=(), encoder: hpack.Encoder | None = None) -> bytes:
    """The header block of a gRPC call; without an encoder one that changes no table."""
    fields = fields_of(path, more)
    if encoder is not None:
        return encoder.encode(fields)
    block = b""
    for name, value in fields:
        name, value = name.encode(), value.encode() if isinstance(value, str) else value
        block += b"\x10" + _length(len(name)) + name + _length(len(value)) + value
    return block


def _length(number: int) -> bytes:
    if number < 127:
        return bytes([number])
    out, rest = bytearray([127]), number - 127
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes(out + bytes([rest]))


def message(body: bytes, flag: int = 0) -> bytes:
    """A gRPC message with its prefix."""
    return bytes([flag]) + struct.pack(">I", len(body)) + body


def opened(address: str, client: Client | None = None) -> ssl.SSLSocket:
    """An HTTP/2 connection that has said its preface and settings."""
    line = secure(address, context(client))
    line.sendall(PREFACE + frame(SETTINGS))
    return line


def said_until_closed(line: socket.socket, seconds: float) -> tuple[bytes, bool]:
    """What still comes, and whether the other side has closed by then."""
    said, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        line.settimeout(left)
        try:
            more = line.recv(65_536)
        except TimeoutError:
            break
        except OSError:
            return said, True
        if not more:
            return said, True
        said += more
    return said, False


def call(address: str, path: str, body: bytes, more=(), client: Client | None = None) -> dict:
    """One call made with another HTTP/2 library: the headers and trailers that came."""
    line = secure(address, context(client))
    machine = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    machine.initiate_connection()
    fields = fields_of(path, more)
    stream = machine.get_next_available_stream_id()
    machine.send_headers(stream, fields)
    answered, end = {}, time.monotonic() + 20
    with line:
        while time.monotonic() < end:
            while body and (room := machine.local_flow_control_window(stream)):
                part = body[: min(room, machine.max_outbound_frame_size)]
                body = body[len(part) :]
                machine.send_data(stream, part, end_stream=not body)
            line.sendall(machine.data_to_send())
            got = line.recv(65_536)
            for event in machine.receive_data(got) if got else ():
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    answered.update(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    answered["body"] = answered.get("body", b"") + event.data
                    machine.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    answered["reset"] = int(event.error_code)
                if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    return answered
            if not got:
                break
    return answered


# --- a line between, that keeps what passes ------------------------------------------------------


class Tap:
    """A line to the hub that keeps the bytes which a client sends."""

    def __init__(self, address: str):
        self.target, self.sent = address, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far, kept = plain(self.target), bytearray()
            self.sent.append(kept)
            for source, target, keep in ((near, far, kept), (far, near, None)):
                threading.Thread(target=self._carry, args=(source, target, keep), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket, keep: bytearray | None) -> None:
        source.settimeout(None)
        with contextlib.suppress(OSError):
            while got := source.recv(65_536):
                if keep is not None:
                    keep += got
                target.sendall(got)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.close()
