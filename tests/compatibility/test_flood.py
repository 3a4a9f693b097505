"""What hostile or broken peers do below the messages: they are slow, never read, flood with frames, speak
another version of TLS. Meanwhile an honest office works, and its waiting is measured.
"""

import contextlib
import secrets
import socket
import ssl
import statistics
import struct
import threading
import time

import grpc
import pytest

import lianxin_client as lx
import peers
from conftest import Hub, serving
from lianxin_client import CLASS_SHARED, Client
from peers import frame

MIB = 1024 * 1024
SYNC = "/lianxin.sync.v1.Sync/"
UNKNOWN_KIND = 60_001
# The hub gives a handshake fifteen seconds, a silent connection two pings of twenty, and a call a minute.
HANDSHAKE_S, SILENT_S, CALL_S = 15, 40, 120
# What a call may take beyond twice the usual: two cores are shared with whatever else runs here.
JITTER_S = 0.5


@pytest.fixture(scope="module")
def flooded(tmp_path_factory, wire):
    """One hub for the tests of this file that leave it alive, which is all of them."""
    with serving(tmp_path_factory.mktemp("flooded"), wire) as hub:
        yield hub


class Honest:
    """An office that goes on with its work, and measures how long the hub takes."""

    def __init__(self, hub: Hub):
        self.hub = hub
        self.client = Client(hub.wire, hub.code())
        self.client.enroll()
        self.client.connect().hello()
        self.work()

    def work(self) -> float:
        """A save, its upload and what comes down; how long that took."""
        client, begun = self.client, time.monotonic()
        record = client.person("照常办理")
        assert not client.push().verdicts
        client.pull()
        assert client.row(lx.PERSON, record) is not None
        return time.monotonic() - begun

    def come(self) -> float:
        """A new connection with a greeting; how long that took."""
        begun = time.monotonic()
        self.client.connect()
        self.client.hello()
        return time.monotonic() - begun

    def measured(self, count: int) -> tuple[list, list]:
        works = sorted(self.work() for _ in range(count))
        return works, sorted(self.come() for _ in range(max(3, count // 5)))


@pytest.fixture
def honest(flooded):
    """Afterwards it still works, and the database is whole."""
    made = Honest(flooded)
    yield made
    made.come()
    made.work()
    ends = made.client.pull()
    assert ends or made.client.cursors
    made.client.close()
    assert flooded.process.poll() is None and "panicked" not in flooded.log()
    flooded.run("verify")


def at_most_twice(usual: list, now: list, what: str) -> float:
    """The slowest but one in a hundred is compared; how many times the usual it takes."""
    place = -1 - len(usual) // 100
    before, after = usual[place], now[place]
    assert after <= 2 * before + JITTER_S, f"{what}: {after:.3f} s and not {before:.3f} s"
    assert statistics.median(now) <= 2 * statistics.median(usual) + JITTER_S / 5, what
    return after / before


# --- M6: slow peers -------------------------------------------------------------------------------


def only_tcp(hub: Hub, _) -> socket.socket:
    return peers.plain(hub.address)


def half_a_handshake(hub: Hub, _) -> socket.socket:
    line = peers.plain(hub.address)
    greeting = peers.client_hello()
    line.sendall(greeting[: len(greeting) // 2])
    return line


def only_tls(hub: Hub, _) -> socket.socket:
    return peers.secure(hub.address)


def half_a_preface(hub: Hub, _) -> socket.socket:
    line = peers.secure(hub.address)
    line.sendall(peers.PREFACE[:10])
    return line


def half_of_headers(hub: Hub, _) -> socket.socket:
    line = peers.opened(hub.address)
    line.sendall(frame(peers.HEADERS, 0, 1, peers.headers(SYNC + "Hello")))
    return line


def half_a_body(hub: Hub, client: Client) -> socket.socket:
    # A stranger is let go of whatever he says; this is an office's machine.
    line = peers.opened(hub.address, client)
    line.sendall(frame(peers.HEADERS, peers.END_HEADERS, 1, peers.headers(SYNC + "Push")))
    line.sendall(frame(peers.DATA, 0, 1, b"\0" + struct.pack(">I", 600_000) + b"x" * 100))
    return line


def a_silent_stream(hub: Hub, client: Client) -> socket.socket:
    line = peers.opened(hub.address, client)
    request = client.wire.sync.WatchRequest(incarnation=client.incarnation).SerializeToString()
    line.sendall(frame(peers.HEADERS, peers.END_HEADERS, 1, peers.headers(SYNC + "Watch")))
    line.sendall(frame(peers.DATA, peers.END_STREAM, 1, peers.message(request)))
    return line


# Each with the seconds after which the hub must have let go of it.
SLOW = {
    only_tcp: HANDSHAKE_S,
    half_a_handshake: HANDSHAKE_S,
    only_tls: SILENT_S,
    half_a_preface: SILENT_S,
    half_of_headers: SILENT_S,
    half_a_body: SILENT_S,
    a_silent_stream: SILENT_S,
}


@pytest.mark.parametrize("stage", SLOW, ids=lambda stage: stage.__name__)
def test_slow_peers_hold_nobody_up_and_are_let_go_of(stage, flooded, honest, times, met):
    # More than there may be handshakes at once.
    count = 1_000 if times >= 100 and stage is only_tcp else 300 if times >= 100 or stage is only_tcp else 40
    rounds = 100 if times >= 100 else 20
    usual = honest.measured(rounds)
    held = flooded.connections()
    lines = [stage(flooded, honest.client) for _ in range(count)]
    begun = time.monotonic()
    try:
        now = honest.measured(rounds)
        ratio = at_most_twice(usual[0], now[0], f"work beside {count} peers of {stage.__name__}")
        at_most_twice(usual[1], now[1], f"coming beside {count} peers of {stage.__name__}")
        met(f"M6 slow peers beside honest work: {stage.__name__.replace('_', ' ')}", count)
        print(f"{stage.__name__}: {count} peers, {ratio:.2f} times the usual")
        end = begun + SLOW[stage] + 15
        for line in lines:
            _, is_closed = peers.said_until_closed(line, max(0.1, end - time.monotonic()))
            assert is_closed, f"still held after {time.monotonic() - begun:.0f} s"
        met("M6 slow peers let go of", count)
    finally:
        for line in lines:
            line.close()
    for _ in range(100):
        if flooded.connections() <= held + 5:
            break
        time.sleep(0.1)
    assert flooded.connections() <= held + 5, "their sockets are kept"


def test_a_body_that_drips_is_ended_by_its_deadline(flooded, honest, times, met):
    """Who answers pings and sends a byte now and then is no dead line; the call has a deadline all the same."""
    count = 100 if times >= 100 else 5
    lines = [half_a_body(flooded, honest.client) for _ in range(count)]
    ended = [False] * count
    end = time.monotonic() + CALL_S + 20
    acknowledged = frame(peers.SETTINGS, peers.ACK)
    for line in lines:
        line.sendall(acknowledged)
    while time.monotonic() < end and not all(ended):
        time.sleep(1)
        for place, line in enumerate(lines):
            if ended[place]:
                continue
            with contextlib.suppress(OSError):
                line.sendall(frame(peers.DATA, 0, 1, b"x"))
            said, is_closed = peers.said_until_closed(line, 0.01)
            for start in range(len(said) - 16):
                if said[start : start + 3] == b"\0\0\x08" and said[start + 3] == peers.PING and said[start + 4] == 0:
                    with contextlib.suppress(OSError):
                        line.sendall(frame(peers.PING, peers.ACK, 0, said[start + 9 : start + 17]))
            ended[place] = is_closed or has_ended(said)
        honest.work()
    for line in lines:
        line.close()
    assert all(ended), f"{ended.count(False)} of {count} calls are still open after {CALL_S + 20} s"
    met("M6 dripping bodies ended by their deadline", count)


def has_ended(said: bytes) -> bool:
    """Whether a frame says that the first stream is at its end: headers with the flag, or a reset."""
    place = 0
    while place + 9 <= len(said):
        length = int.from_bytes(said[place : place + 3], "big")
        kind, flags = said[place + 3], said[place + 4]
        stream = int.from_bytes(said[place + 5 : place + 9], "big")
        if stream == 1 and (kind == peers.RST_STREAM or (kind == peers.HEADERS and flags & peers.END_STREAM)):
            return True
        place += 9 + length
    return False


# --- N17: peers that never read -------------------------------------------------------------------


def test_peers_that_never_read_cost_little(flooded, times, met):
    count = 100 if times >= 100 else 20
    office = flooded.new_office()
    writer = Client(flooded.wire, flooded.code(office))
    writer.enroll()
    writer.connect().hello()
    for _ in range(80):
        writer.record(UNKNOWN_KIND, CLASS_SHARED, [(number, secrets.token_bytes(20_000)) for number in (1, 2, 3)])
    for first in range(1, 81, 4):
        writer.push(writer.push_request(first, first + 3))
    readers = []
    for _ in range(count // 4):
        reader = Client(flooded.wire, flooded.code(office))
        reader.enroll()
        reader.connect().hello()
        readers.append(reader)
    base, lines = flooded.forget_peak(), []
    for reader in readers:
        request = reader.pull_request(cursors={reader.own_feed: 0}).SerializeToString()
        for _ in range(4):
            line = peers.opened(flooded.address, reader)
            # The window lets the first pages into the line, and nobody takes them out of it.
            line.sendall(frame(peers.WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30)))
            line.sendall(frame(peers.HEADERS, peers.END_HEADERS, 1, peers.headers(SYNC + "Pull")))
            line.sendall(frame(peers.DATA, peers.END_STREAM, 1, peers.message(request)))
            lines.append(line)
    time.sleep(3)
    writer.hello()
    grown = (flooded.memory_peak() - base) / len(lines)
    assert grown <= 8 * MIB, f"{grown / MIB:.1f} MiB for each"
    met("N17 peers that never read", len(lines))
    # They answer no ping, so the hub drops them, and their place is free.
    end = time.monotonic() + SILENT_S + 15
    free = False
    while time.monotonic() < end and not free:
        time.sleep(2)
        try:
            free = bool(list(readers[0].pages(readers[0].pull_request())))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    for line in lines:
        line.close()
    assert free, "the streams of dead lines are held"
    for client in [writer, *readers]:
        client.close()
    flooded.run("verify")


# --- N16: other TLS -------------------------------------------------------------------------------


def test_only_tls_1_3_with_the_protocol_named_is_spoken(flooded, honest, times, met):
    weak = peers.context(version=ssl.TLSVersion.TLSv1_2)
    eleven = peers.context(alpn=("http/1.1",))
    for _ in range(times):
        with pytest.raises(OSError):
            peers.secure(flooded.address, weak).close()
        met("N16 TLS 1.2 refused")
        with pytest.raises(OSError):
            with peers.secure(flooded.address, eleven) as line:
                line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                if not line.recv(1):
                    raise OSError("closed")
        met("N16 another protocol refused")
        with peers.secure(flooded.address, peers.context(alpn=())) as line:
            with contextlib.suppress(OSError):
                line.sendall(peers.PREFACE + frame(peers.SETTINGS))
            said, is_closed = peers.said_until_closed(line, 5)
        assert is_closed and not said, "served without the protocol's name"
        met("N16 no protocol named: refused")
        with peers.secure(flooded.address) as line:
            assert line.version() == "TLSv1.3" and line.selected_alpn_protocol() == "h2"
            assert line.cipher()[0] in {
                "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
            }
        with peers.plain(flooded.address) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            said, is_closed = peers.said_until_closed(line, 20)
            assert is_closed and b"HTTP" not in said
        met("N16 plain text refused")


# --- M9: frames -----------------------------------------------------------------------------------


def begun(stream: int, path: str = SYNC + "Hello", flags: int = peers.END_HEADERS) -> bytes:
    return frame(peers.HEADERS, flags, stream, peers.headers(path))


def rapid_reset():
    for stream in range(1, 8_000, 2):
        yield begun(stream) + frame(peers.RST_STREAM, 0, stream, struct.pack(">I", 8))


def continuation_flood():
    yield frame(peers.HEADERS, 0, 1, peers.headers(SYNC + "Hello"))
    for _ in range(3_000):
        yield frame(peers.CONTINUATION, 0, 1, b"\x10\x04name" + b"\x7f\xc9\x06" + b"v" * 968)


def empty_continuation_flood():
    yield frame(peers.HEADERS, 0, 1, peers.headers(SYNC + "Hello"))
    yield from (frame(peers.CONTINUATION, 0, 1) * 100 for _ in range(200))


def settings_flood():
    yield from (frame(peers.SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 50 for _ in range(100))


def ping_flood():
    yield from (frame(peers.PING, 0, 0, secrets.token_bytes(8)) * 50 for _ in range(100))


def priority_flood():
    yield from (frame(peers.PRIORITY, 0, 1 + 2 * at, struct.pack(">IB", 0, 5)) * 20 for at in range(200))


def empty_data_flood():
    yield begun(1)
    yield from (frame(peers.DATA, 0, 1) * 50 for _ in range(100))


def streams_without_end():
    yield from (begun(stream, SYNC + "Push") for stream in range(1, 2_000, 2))


def table_bomb():
    """A large entry in the header table, named again and again (HPACK bomb)."""
    value = b"v" * 3_900
    entry = b"\x40\x01x" + b"\x7f" + b"\xbd\x1d" + value
    block = peers.headers(SYNC + "Hello") + entry + b"\xbe" * 10_000
    yield frame(peers.HEADERS, peers.END_HEADERS, 1, block)


def large_headers():
    more = [(f"x-{number}", "v" * 1_000) for number in range(40)]
    block = peers.headers(SYNC + "Hello", more)
    yield frame(peers.HEADERS, 0, 1, block[:16_000])
    yield frame(peers.CONTINUATION, peers.END_HEADERS, 1, block[16_000:32_000])


def unknown_frames():
    yield from (frame(0xBE, 0xFF, 1, secrets.token_bytes(1_000)) for _ in range(1_000))


def one(payload: bytes):
    return lambda: iter([payload])


# Whatever a flood does: the hub goes on, its memory hardly grows, others hardly wait.
FLOODS = {
    "rapid reset": rapid_reset,
    "continuations": continuation_flood,
    "empty continuations": empty_continuation_flood,
    "settings": settings_flood,
    "pings": ping_flood,
    "priorities": priority_flood,
    "empty data": empty_data_flood,
    "streams without end": streams_without_end,
    "a table bomb": table_bomb,
    "large headers": large_headers,
    "unknown frames": unknown_frames,
}
WINDOW = struct.pack(">I", 2**31 - 1)
# What RFC 9113 calls an error of the connection: the hub says so and closes.
ERRORS = {
    "a frame of 16 MiB": frame(peers.DATA, 0, 1, b"x", 2**24 - 1),
    "a frame above the size": frame(peers.SETTINGS, 0, 0, b"\0" * 16_386),
    "data on no stream": frame(peers.DATA, 0, 0, b"x"),
    "data on an idle stream": frame(peers.DATA, 0, 7, b"x"),
    "headers on no stream": frame(peers.HEADERS, peers.END_HEADERS, 0, peers.headers(SYNC + "Hello")),
    "headers on the server's stream": begun(2),
    "a stream below the last": begun(9) + begun(5),
    "a reset of an idle stream": frame(peers.RST_STREAM, 0, 11, struct.pack(">I", 8)),
    "a reset of no stream": frame(peers.RST_STREAM, 0, 0, struct.pack(">I", 8)),
    "settings of another length": frame(peers.SETTINGS, 0, 0, b"\0\1\2"),
    "settings on a stream": frame(peers.SETTINGS, 0, 1, b""),
    "an answer to settings with content": frame(peers.SETTINGS, peers.ACK, 0, b"\0" * 6),
    "an initial window above the limit": frame(peers.SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31)),
    "a frame size below the least": frame(peers.SETTINGS, 0, 0, struct.pack(">HI", 5, 100)),
    "a ping of another length": frame(peers.PING, 0, 0, b"short"),
    "a ping on a stream": frame(peers.PING, 0, 1, b"\0" * 8),
    "a window grown by nothing": frame(peers.WINDOW_UPDATE, 0, 0, struct.pack(">I", 0)),
    "a window above the limit": frame(peers.WINDOW_UPDATE, 0, 0, WINDOW) * 2,
    "a window update of another length": frame(peers.WINDOW_UPDATE, 0, 0, b"\0\0\1"),
    "a continuation of nothing": frame(peers.CONTINUATION, peers.END_HEADERS, 1, b"\x82"),
    "another frame among the headers": frame(peers.HEADERS, 0, 1, b"\x82") + frame(peers.PING, 0, 0, b"\0" * 8),
    "a promise from a client": frame(peers.PUSH, peers.END_HEADERS, 1, struct.pack(">I", 2)),
    "a header index of nothing": frame(peers.HEADERS, peers.END_HEADERS, 1, b"\xff\xff\xff\x7f"),
    "a header string that is cut": frame(peers.HEADERS, peers.END_HEADERS, 1, b"\x10\x7f\xff\xff\x03"),
    "padding longer than the frame": frame(peers.DATA, 0x8, 1, b"\xff"),
    "HTTP/1.1 after the preface": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 200,
    "bytes of chance": b"\xff" * 300,
}
# And errors of one stream: the connection may live on.
STREAM_ERRORS = {
    "no method": b"\x10\x05:path\x01/",
    "capital letters": peers.headers(SYNC + "Hello", [("X-Up", "1")]),
    "pseudo headers behind": peers.headers(SYNC + "Hello", [(":path", "/x")]),
    "an unknown pseudo header": b"\x10\x02:x\x01y" + peers.headers(SYNC + "Hello"),
    "a connection header": peers.headers(SYNC + "Hello", [("connection", "close")]),
    "another te": peers.headers(SYNC + "Hello", [("te", "gzip")]),
    "a length that is none": peers.headers(SYNC + "Hello", [("content-length", "-1")]),
    "no such call": peers.headers(SYNC + "Nothing"),
    "no such service": peers.headers("/nothing/Nothing"),
    "a path of many bytes": peers.headers("/" + "x" * 10_000),
    "no gRPC": peers.headers(SYNC + "Hello", [("content-type", "text/html")]),
    "a window grown by nothing": peers.headers(SYNC + "Push"),
}


class Beside:
    """An honest office that works while something else happens; its slowest work."""

    def __init__(self, honest: Honest):
        self.honest, self.waits, self.stop = honest, [], threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.stop.is_set():
            self.waits.append(self.honest.work())
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def sent(line: socket.socket, parts) -> None:
    line.settimeout(10)
    with contextlib.suppress(OSError):
        for part in parts:
            line.sendall(part)


@pytest.mark.parametrize("case", FLOODS)
def test_a_flood_of_frames_costs_little_and_stops_nobody(case, flooded, honest, times, met):
    usual = max(honest.measured(20)[0])
    with peers.opened(flooded.address) as line:
        sent(line, FLOODS[case]())
    base, cpu = flooded.forget_peak(), flooded.cpu_seconds()
    rounds = max(1, times)
    with Beside(honest) as beside:
        for _ in range(rounds):
            with peers.opened(flooded.address, honest.client if secrets.randbelow(2) else None) as line:
                sent(line, FLOODS[case]())
            met(f"M9 floods of frames: {case}")
    grown = flooded.memory_peak() - base
    used = (flooded.cpu_seconds() - cpu) / rounds
    assert grown <= 16 * MIB, f"{grown / MIB:.1f} MiB"
    assert used <= 3, f"{used:.1f} s of processor for each"
    assert max(beside.waits) <= 4 * usual + 1, f"{max(beside.waits):.2f} s beside it, {usual:.2f} s else"


def test_errors_of_a_connection_end_it(flooded, honest, times, met):
    for _ in range(times):
        for case, wrong in ERRORS.items():
            with peers.opened(flooded.address) as line:
                sent(line, [wrong])
                said, is_closed = peers.said_until_closed(line, 10)
            assert is_closed, f"{case}: the connection lives on ({said[-60:]!r})"
            met("M9 errors of a connection met")
    honest.work()


def test_errors_of_a_stream_are_answered_or_reset(flooded, honest, times, met):
    for _ in range(times):
        for case, block in STREAM_ERRORS.items():
            with peers.opened(flooded.address) as line:
                sent(line, [frame(peers.HEADERS, peers.END_HEADERS | (0 if "window" in case else 1), 1, block)])
                if "window" in case:
                    sent(line, [frame(peers.WINDOW_UPDATE, 0, 1, struct.pack(">I", 0))])
                said, is_closed, end = b"", False, time.monotonic() + 10
                while not is_closed and not has_ended(said) and time.monotonic() < end:
                    more, is_closed = peers.said_until_closed(line, 0.1)
                    said += more
            assert is_closed or has_ended(said), f"{case}: no answer"
            met("M9 errors of a stream met")
    honest.work()
