"""What hostile or broken clients say: replays, forgeries, bombs, extremes, strange text, guesses.

Each test tries its fault `--times` times, counts what it saw, and then asks whether the hub still serves
and whether its database is whole.
"""

import datetime
import gzip
import random
import re
import secrets
import struct
import sys
import unicodedata

import grpc
import pytest
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

import lianxin_client as lx
import peers
from conftest import EAST, REFUSALS, WEST, serving
from lianxin_client import CLASS_HELD, CLASS_LEDGER, CLASS_SHARED, MEMBER, PERSON, Client, values_of

Code = grpc.StatusCode
MIB = 1024 * 1024
# A batch of four MiB, and what the brief of the fault allows beyond it.
BOMB_MAX = 4 * MIB + 16 * MIB
REMARKS = 26
UNKNOWN_KIND = 60_001
SYNC = "/lianxin.sync.v1.Sync/"
U32_MAX, U63_MAX, U64_MAX = 2**32 - 1, 2**63 - 1, 2**64 - 1


def refused(call, *codes) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = caught.value
    assert error.code() in (codes or REFUSALS), f"{error.code()}: {error.details()}"
    return error


def answered_or_refused(call):
    """The answer, or nothing where the call was refused as the sender's fault."""
    try:
        return call()
    except grpc.RpcError as error:
        assert error.code() in REFUSALS, f"{error.code()}: {error.details()}"
        return None


def digests(client: Client) -> dict:
    """What the hub says of every feed of a client: its head, and the digest there."""
    ends = {}
    for page, _ in client.pages(client.pull_request(cursors=dict.fromkeys(client.feeds, 0))):
        if page.HasField("digest"):
            ends[page.feed] = (page.to_sequence, page.digest.sum, page.digest.count)
    return ends


def reasons(answer) -> dict:
    return {verdict.sequence: verdict.reason for verdict in answer.verdicts}


def edit(client: Client, record: bytes, fields, kind=PERSON, class_=CLASS_SHARED, **more) -> int:
    return client.append(client.header(kind, class_, lx.SET, record, **more), client.body(fields))


def retract(client: Client) -> None:
    """Forgets what the hub did not take."""
    del client.journal[client.acknowledged :], client.chains[client.acknowledged :]


@pytest.fixture(scope="module")
def shared(tmp_path_factory, wire):
    """One hub for the tests of this file that leave it alive, which is all of them."""
    with serving(tmp_path_factory.mktemp("abused"), wire) as hub:
        yield hub


@pytest.fixture
def enter(shared):
    """Enrols machines; afterwards an honest one works with the hub as ever, and the database is whole."""
    clients = []

    def enter_office(office: str = EAST) -> Client:
        client = Client(shared.wire, shared.code(office))
        clients.append(client)
        client.enroll()
        client.connect().hello()
        return client

    yield enter_office
    honest = enter_office()
    record = honest.person("照常办理")
    assert not honest.push().verdicts
    ends = honest.pull()
    assert honest.row(PERSON, record) is not None
    for feed, page in ends.items():
        rows = honest.rows[feed].values()
        assert (page.digest.sum, page.digest.count) == lx.digest_of(rows)
    for client in clients:
        client.close()
    assert shared.process.poll() is None and "panicked" not in shared.log()
    shared.run("verify")


# --- M2: what was said once is said again ---------------------------------------------------------


def test_captured_messages_change_nothing_when_they_come_again(enter, times, met):
    client, other = enter(), enter(WEST)
    person = client.person("张三")
    said = [("Hello", client.hello_request()), ("Push", client.push_request())]
    client.push(said[1][1])
    for round_ in range(times):
        edit(client, person, [(REMARKS, f"第{round_}次", client.version(len(client.journal)))])
        said.append(("Push", client.push_request()))
        assert not client.push(said[-1][1]).verdicts
        said.append(("Renew", client.wire.sync.RenewRequest(signing_request=lx.signing_request(client.tls_key))))
        before = digests(client)
        own, foreign = client.sync, other.sync
        for call, request in said[-6:] + random.Random(round_).sample(said, min(4, len(said))):
            answered_or_refused(lambda: getattr(own, call)(request, timeout=20))
            met("M2 captured messages replayed by the same machine")
            if call == "Push":
                # The office is the certificate's: at another machine the signature is a stranger's.
                refused(lambda: foreign.Push(request, timeout=20), Code.INVALID_ARGUMENT)
                met("M2 captured messages replayed by another machine")
        assert digests(client) == before, "a replay moved a record"
        client.confirmed_nonce = b""
        answer = client.hello()
        assert (answer.received.sequence, answer.received.chain) == (len(client.journal), client.chains[-1])


def test_captured_sessions_say_nothing_to_the_hub(enter, shared, times, met):
    client = enter()
    tap = peers.Tap(shared.address)
    direct, client.address = client.address, tap.address
    client.connect()
    client.person("张三")
    client.push()
    client.close()
    client.address = direct
    client.connect()
    before = digests(client)
    (session,) = [bytes(kept) for kept in tap.sent if len(kept) > 500]
    tap.close()
    for _ in range(times):
        with peers.plain(shared.address) as line:
            line.sendall(session)
            said, is_closed = peers.said_until_closed(line, 20)
        # The hub answers the first flight with keys of its own, and can read nothing after it.
        assert is_closed and len(said) < 8_192
        met("M2 captured sessions replayed")
    assert digests(client) == before


# --- M3: another author ---------------------------------------------------------------------------


def test_forged_batches_are_refused_and_nothing_is_stored(enter, times, met):
    client, other = enter(), enter(WEST)
    chance = random.Random(3)
    person = client.person("张三")
    client.push()
    for _ in range(times * 4):
        edit(client, person, [(REMARKS, secrets.token_hex(20), client.version(len(client.journal)))])
        right = client.push_request()
        raw = bytearray(client.batch_raw(client.journal[-1:]))
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        flipped = bytearray(right.signature)
        flipped[chance.randrange(64)] ^= 1 << chance.randrange(8)
        chain = bytearray(right.chain)
        chain[chance.randrange(32)] ^= 1 << chance.randrange(8)
        parts = (client.node, 1, right.first_sequence, 1, right.chain)
        foreign = lx.sign(other.signing_key, "batch", lx.batch_text(*parts))
        as_other = lx.batch_text(other.node, *parts[1:])
        forged = [
            client.push_request(batch=lx.pack(bytes(raw)), raw_bytes=len(raw)),
            client.push_request(signature=bytes(flipped)),
            client.push_request(chain=bytes(chain), signature=right.signature),
            client.push_request(chain=bytes(chain)),
            client.push_request(signature=foreign),
            client.push_request(signature=lx.sign(client.signing_key, "batch", as_other)),
            client.push_request(signature=lx.sign(client.signing_key, "digest", lx.batch_text(*parts))),
        ]
        for request in forged:
            refused(lambda: client.sync.Push(request, timeout=20), Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION)
            met("M3 forged batches refused")
        # One that another machine signed and sent as its own is of no journal that it has.
        refused(lambda: other.sync.Push(right, timeout=20), Code.INVALID_ARGUMENT)
        met("M3 forged batches refused")
        head = client.hello().received
        assert (head.sequence, head.chain) == (client.acknowledged, client.chains[client.acknowledged - 1])
        client.push(right)


def test_a_change_that_names_another_author_is_refused_to_be_one(enter, times, met):
    """What a body says of versions and former places gives nobody's change another writer."""
    east, west = enter(EAST), enter(WEST)
    person = east.person("张三")
    east.push()
    for round_ in range(times):
        stolen = east.version(1)
        # What it says to replace counts once for its sender: the next ones are others.
        hash_ = east.journal[0].hash() if round_ == 0 else secrets.token_bytes(32)
        more = {"replaces": stolen, "replaces_body_hash": hash_, "actor": "东湖社区 王小明"}
        edit(west, person, [(1, "李四", stolen)], **more)
        more["replaces_body_hash"] = secrets.token_bytes(32)
        west.append(
            west.header(PERSON, CLASS_SHARED, lx.CREATE, lx.new_record(), **more), west.body([(1, f"王{round_}")])
        )
        answer = west.push()
        assert reasons(answer) == {len(west.journal) - 1: "not_yours"}
        met("M3 changes that name another author refused or counted as their sender's")
    east.pull()
    assert values_of(east.row(PERSON, person))[1] == "张三".encode()
    west.pull()
    assert all(row.office == west.office for row in west.rows[west.own_feed].values())


# --- V1, V2: what a newer version wrote -----------------------------------------------------------


def test_unknown_kinds_and_fields_reach_another_client_byte_for_byte(enter, times, met):
    writer, reader = enter(), enter()
    chance = random.Random(9)
    for _ in range(times):
        expected = {}
        for class_ in (CLASS_SHARED, CLASS_LEDGER):
            kind = chance.randrange(20, 65_536)
            numbers = sorted(chance.sample(range(1, 65_536), 5) + [9_999])
            fields = [(number, chance.randbytes(chance.randrange(1, 300))) for number in numbers]
            record = writer.record(kind, class_, fields)
            expected[kind, record] = dict(fields)
        named = [(1, "张三"), (9_999, chance.randbytes(2_000))]
        expected[PERSON, writer.person("张三", named[1])] = {1: "张三".encode(), 9_999: named[1][1]}
        # Further fields of the messages themselves stay under the chain.
        later = b"\xfa\xf0\x04" + bytes([200, 1]) + chance.randbytes(200)
        record = lx.new_record()
        header = writer.header(PERSON, CLASS_SHARED, lx.CREATE, record) + later
        writer.append(header, writer.body([(1, "李四")]) + later)
        expected[PERSON, record] = {1: "李四".encode()}
        assert not writer.push().verdicts
        reader.pull()
        for key, fields in expected.items():
            assert values_of(reader.row(*key)) == fields
        places = range(1, len(writer.journal) + 1)[-64:]
        request = writer.wire.sync.CheckpointsRequest(epoch=1, sequences=places)
        heads = writer.sync.Checkpoints(request, timeout=20).heads
        assert [head.chain for head in heads] == writer.chains[-64:]
        met("V1 unknown kinds carried byte for byte", 2)
        met("V2 unknown fields carried byte for byte", 13)
        met("V2 unknown fields of messages kept in the journal", 2)


# --- D15, M4, M5: sizes ---------------------------------------------------------------------------


def test_a_change_that_is_too_large_is_set_aside_and_the_batch_goes_on(enter, times, met):
    client = enter()
    for round_ in range(times):
        begun = len(client.journal)
        client.person("在前")
        client.record(UNKNOWN_KIND, CLASS_SHARED, [(1, secrets.token_bytes(33_000))])
        client.record(UNKNOWN_KIND, CLASS_SHARED, [(number, bytes(20_000)) for number in (1, 2, 3, 4)])
        client.record(UNKNOWN_KIND, CLASS_SHARED, [(number, b"x") for number in range(1, 300)])
        client.person("长" * 51)
        last = client.person("在后")
        answer = client.push()
        assert answer.decided_through == len(client.journal)
        assert reasons(answer) == {
            begun + 2: "unreadable",
            begun + 3: "unreadable",
            begun + 4: "unreadable",
            begun + 5: "value_invalid",
        }
        met("D15 oversized records set aside, the batch went on", 4)
    client.pull()
    assert client.row(PERSON, last) is not None


def test_sizes_and_counts_that_lie_are_refused_before_they_cost_anything(enter, shared, times, met):
    client = enter()
    client.person("张三")
    chance = random.Random(4)
    base = shared.forget_peak()
    for round_ in range(times * 2):
        count = chance.choice([0, 2, 4_097, 2**31, U32_MAX])
        raw = chance.choice([0, 1, 4 * MIB + 1, 2**31, U32_MAX])
        large = secrets.token_bytes(chance.choice([256 * 1024 + 1, 600 * 1024, 700 * 1024, 4 * MIB]))
        empties = b"\x0a\x00" * chance.choice([4_097, 100_000, 2 * MIB])
        wrong = [
            client.push_request(1, 1, count=count),
            client.push_request(1, 1, raw_bytes=raw),
            client.push_request(1, 1, batch=large),
            client.push_request(1, 1, batch=lx.pack(empties), raw_bytes=len(empties), count=len(empties) // 2),
        ]
        for request in wrong:
            error = refused(lambda: client.sync.Push(request, timeout=30))
            assert error.details()
            met("M4 sizes and counts that lie refused")
    grown = shared.memory_peak() - base
    assert grown <= 2 * BOMB_MAX, f"{grown / MIB:.1f} MiB for messages of 4 MiB"
    assert client.hello().received.sequence == 0
    assert client.push().received.sequence == 1


def bomb(megabytes: int, level: int = 19) -> bytes:
    """Few bytes that become many; the frame does not say how many."""
    packer = zstandard.ZstdCompressor(level=level, write_content_size=False).compressobj()
    return b"".join(packer.compress(bytes(MIB)) for _ in range(megabytes)) + packer.flush()


def test_a_bomb_is_refused_at_the_limit_and_memory_stays_small(enter, shared, times, met):
    client = enter()
    client.person("张三")
    packed = bomb(200)
    assert 200 * MIB > 1_000 * len(packed)
    squeezed = gzip.compress(bytes(600 * MIB), 9)
    assert 600 * MIB > 1_000 * len(squeezed)
    # Once before, so that what is kept for good is not counted as growth.
    grown = []
    for round_ in range(times + 1):
        base = shared.forget_peak()
        for raw in (1_000, 4 * MIB, U32_MAX):
            request = client.push_request(1, 1, batch=packed, raw_bytes=raw)
            refused(lambda: client.sync.Push(request, timeout=30), Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED)
            met("M5 bombs refused")
        grown.append(shared.memory_peak() - base)
        if round_ % 10 == 0:
            base = shared.forget_peak()
            for encoding in ("gzip", "zstd", "deflate"):
                body = squeezed if encoding == "gzip" else packed
                more = [("grpc-encoding", encoding)]
                answer = peers.call(shared.address, SYNC + "Push", peers.message(body, 1), more, client)
                assert answer.get("grpc-status", "reset") not in ("0", "13"), answer
                met("M5 bombs refused")
            grown.append(shared.memory_peak() - base)
    assert max(grown[1:]) <= BOMB_MAX, f"{max(grown) / MIB:.1f} MiB"
    assert client.push().received.sequence == 1


# --- D9, D18: time and numbers --------------------------------------------------------------------


def test_a_clock_in_the_future_poisons_nobody(enter, times, met):
    ahead, other = enter(), enter()
    chance = random.Random(5)
    for _ in range(times):
        years = chance.choice([1, 10, 100, 8_000])
        now = int(lx.time.time() * 1000)
        stamp = min(now + years * 31_536_000_000, 2**48 - 1) << 16 | 0xFFFF
        fields = [(1, "张三"), (REMARKS, "未来")]
        person = ahead.record(PERSON, CLASS_SHARED, fields, timestamp=stamp)
        ahead.push()
        other.pull()
        row = other.row(PERSON, person)
        received = int(lx.time.time() * 1000) + 1_000
        assert max(version.ordered_at for version in row.versions) <= received
        # The honest machine has not seen it, writes later, and wins.
        edit(other, person, [(REMARKS, "现在")], timestamp=int(lx.time.time() * 1000 + 2) << 16)
        lx.time.sleep(0.005)
        answer = other.push()
        assert not answer.verdicts, reasons(answer)
        other.pull()
        row = other.row(PERSON, person)
        assert values_of(row)[REMARKS] == "现在".encode()
        met("D9 timestamps of the future that ordered nothing")
    # A machine whose clock is far off at its greeting never wins by it.
    request = ahead.hello_request()
    request.clock += 3_600_000
    ahead.sync.Hello(request, timeout=20)
    ahead.confirmed_nonce = request.proposed_nonce
    edit(ahead, person, [(REMARKS, "再来")], timestamp=(int(lx.time.time() * 1000) + 3_600_000) << 16)
    (verdict,) = ahead.push().verdicts
    assert verdict.outcome == ahead.wire.sync.OUTCOME_LOST


EDGES = [0, 1, 2**15, 2**16, 2**31 - 1, 2**31, U32_MAX, 2**32, U63_MAX, 2**63, U64_MAX]


def test_numbers_at_the_ends_of_their_range_are_refused_or_kept_and_never_wrap(enter, times, met):
    client = enter()
    messages = client.wire.sync
    person = client.person("张三")
    client.push()
    before = digests(client)[client.own_feed]
    chance = random.Random(18)

    def edge(bits: int) -> int:
        return chance.choice([value for value in EDGES if value < 2**bits])

    for _ in range(times):
        head = messages.Head(sequence=edge(64), chain=bytes(32))
        calls = {
            "Push": client.push_request(1, 1, first_sequence=max(2, edge(64)), count=edge(32), epoch=edge(32)),
            "Checkpoints": messages.CheckpointsRequest(epoch=edge(32), sequences=[edge(64) for _ in range(9)]),
            "Reconcile": messages.ReconcileRequest(
                incarnation=client.incarnation,
                epoch=client.epoch,
                feed=client.own_feed,
                proof=messages.Proof(
                    incarnation=bytes(16),
                    sequence=edge(64),
                    sum=bytes(32),
                    count=edge(64),
                    hub_signature=bytes(64),
                    epoch=edge(32),
                    decided_through=edge(64),
                ),
            ),
            "Hello": messages.HelloRequest(
                epoch=chance.choice([0, 7, U32_MAX]),
                head=head,
                proposed_nonce=secrets.token_bytes(16),
                clock=edge(64),
                waiting=edge(64),
                schema=edge(32),
                leases=[messages.Lease(year=edge(32), first=edge(32), end=edge(32), next=edge(32), issuer=bytes(16))],
            ),
        }
        for call, request in calls.items():
            answered_or_refused(lambda: getattr(client.sync, call)(request, timeout=20))
            met("D18 numbers at the ends of their range met")
        request = client.pull_request(cursors={client.own_feed: edge(64)}, folded_through=edge(64))
        answered_or_refused(lambda: list(client.sync.Pull(request, timeout=20)))
        assert digests(client)[client.own_feed] == before, "a number moved a record"
    days = [b"0000-01-01", b"-001-01-01", b"9999-12-31", b"10000-01-01", b"2023-02-29", b"2024-02-30", b"-9999-01-01"]
    for day in days:
        fields = [(1, person), (2, "full"), (3, "FULL"), (7, day)]
        header = client.header(MEMBER, CLASS_HELD, lx.CREATE, lx.new_record(), timestamp=edge(64))
        client.append(header, client.body(fields, seen_revision=edge(64)))
        answered = reasons(client.push())
        assert set(answered.values()) <= {"value_invalid"}, (day, answered)
        assert bool(answered) == (day not in (b"0000-01-01", b"9999-12-31")), day
        met("D18 years at the ends of the calendar met")


# --- D16: text ------------------------------------------------------------------------------------

HIDDEN = {*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF}
BROKEN = [b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe4\xb8", b"\x80"]
RARE = ["䶮", "𠮷", "𬎆", "𬺰", "𮯠", "𰀀", "𱍊", "𪚥", "·", "é", "e\u0301", "Å", "A\u030a", "ﬁ", "가", "가"]


def is_shown(character: str) -> bool:
    number = ord(character)
    is_control = unicodedata.category(character) == "Cc" and character not in "\n\t"
    return not is_control and number not in HIDDEN


def test_text_is_kept_byte_for_byte_or_refused(enter, times, met):
    writer, reader = enter(), enter()
    chance = random.Random(16)
    for _ in range(times):
        texts = ["a\0b", "\u202eabc", "\u200b", "李\u2066四", "\x1b[31m", "长" * 51, "\x7f", "\x85", *RARE, "长" * 50]
        for _ in range(30):
            number = chance.randrange(sys.maxunicode + 1)
            if not 0xD800 <= number < 0xE000:
                texts.append("王" + chr(number) + "明")
        expected, broken = {}, set()
        for text in [*(text.encode() for text in texts), *BROKEN]:
            record = writer.record(PERSON, CLASS_SHARED, [(1, text)])
            is_text = text not in BROKEN
            decoded = text.decode() if is_text else ""
            if is_text and len(decoded) <= 50 and all(map(is_shown, decoded)):
                expected[record] = text
            else:
                broken.add(len(writer.journal))
        answer = writer.push()
        assert reasons(answer) == dict.fromkeys(broken, "value_invalid")
        reader.pull()
        for record, text in expected.items():
            assert values_of(reader.row(PERSON, record))[1] == text
        met("D16 texts kept byte for byte", len(expected))
        met("D16 texts that nobody could read refused", len(broken))


# --- M17, M21: guessing ---------------------------------------------------------------------------


def test_codes_cannot_be_guessed_used_twice_or_late(enter, shared, times, met):
    applicant = Client(shared.wire, shared.code())
    with applicant.open_channel() as channel:
        stub = applicant.wire.enrolment_grpc.EnrolmentStub(channel)

        def shown(secret: bytes):
            request = applicant.enroll_request()
            request.secret = secret
            refused(lambda: stub.Enroll(request, timeout=20), Code.UNAUTHENTICATED)

        for _ in range(times * 4):
            right = bytearray(applicant.code.secret)
            right[secrets.randbelow(16)] ^= 1 << secrets.randbelow(8)
            for guess in (secrets.token_bytes(16), bytes(right)):
                shown(guess)
                met("M17 guessed codes refused")
    applicant.enroll()
    for _ in range(times):
        used = Client(shared.wire, shared.code())
        used.enroll()
        thief = Client.__new__(Client)
        thief.__dict__.update(used.__dict__)
        thief.tls_key, thief.signing_key = lx.new_tls_key(), lx.ed25519.Ed25519PrivateKey.generate()
        refused(thief.enroll, Code.UNAUTHENTICATED)
        met("M17 used codes refused to other keys")
    stored = b"".join(file.read_bytes() for file in shared.data.rglob("*") if file.is_file())
    assert applicant.code.secret not in stored and used.code.secret not in stored
    assert used.code.secret.hex().encode() not in stored, "codes are stored as hashes only"


def test_a_code_ends(own_hub, times, met):
    late = [Client(own_hub.wire, own_hub.code()) for _ in range(times)]
    own_hub.stop()
    own_hub.start(clock_offset_s=8 * 86_400)
    for client in late:
        refused(client.enroll, Code.UNAUTHENTICATED)
        met("M17 codes past their end refused")
    fresh = Client(own_hub.wire, own_hub.code())
    fresh.enroll()


WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_number(serial: int) -> str:
    """An invented number with the right check digit (GB 11643); the area code is of no place."""
    body = f"990102{1950 + serial // 999 % 50}0101{serial % 999:03}"
    total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS))
    return body + "10X98765432"[total % 11]


def test_entering_id_numbers_tells_nobody_whom_another_office_knows(enter, shared, times, met):
    east, west = enter(EAST), enter(shared.new_office())
    count = max(25, times * 2)
    for serial in range(count):
        east.person("张三", (8, id_number(serial)))
    assert not east.push().verdicts
    west.pull()
    answers = []
    for serial in range(count):
        for number in (id_number(serial), id_number(serial + 20_000)):
            before = west.cursors[west.own_feed]
            west.person("李四", (8, number))
            answer = west.push()
            came = [row for _, rows in west.pages(west.pull_request()) for row in rows]
            west.pull()
            answers.append((len(answer.verdicts), answer.feed_to - answer.feed_from, len(came),
                            west.cursors[west.own_feed] - before))
            met("M21 ID numbers of other offices' people asked for")
    assert len(set(answers)) == 1, "a known number is answered otherwise than an unknown one"
    assert all(row.office == west.office for row in west.rows[west.own_feed].values())
    alarms = [note for note in shared.run("quarantine") if "claim_rate" in str(note)]
    assert alarms, "nobody is told of a machine that asks for so many"


# --- M20, M23: bytes that mean to harm whoever reads them ------------------------------------------


def varint(value: int, width: int = 0) -> bytes:
    out = bytearray()
    while value > 127 or len(out) + 1 < width:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def test_messages_that_nest_repeat_and_sprawl_cost_little(enter, shared, times, met):
    client = enter()
    push = client.channel.unary_unary(SYNC + "Push")
    hello = client.channel.unary_unary(SYNC + "Hello")
    nested = b""
    for _ in range(5_000):
        nested = b"\x1a" + varint(len(nested)) + nested
    groups = b"\xfb\xf0\x04" * 100_000
    sprawling = b"".join(varint(number << 3) + b"\x01" for number in range(1_000, 60_000))
    right = client.hello_request().SerializeToString()
    slowest = 0.0
    for _ in range(times):
        bodies = {
            "nested messages": b"\x12" + varint(len(nested)) + nested,
            "nested groups": groups,
            "groups that never end": b"\x0b" * 50_000,
            "overlong numbers": b"\x08" + varint(1, 11) + right,
            "numbers of ten bytes": b"\x08" + varint(1, 10),
            "fields twice": right + right + client.hello_request().SerializeToString(),
            "unknown fields by the thousand": right + sprawling,
            "one field by the thousand": right + b"\x40\x01" * 100_000,
            "packed numbers": b"\x42" + varint(400_000) + b"\x01" * 400_000,
        }
        for case, body in bodies.items():
            for call in (push, hello):
                begun, used = lx.time.monotonic(), shared.cpu_seconds()
                try:
                    call(body, timeout=20)
                except grpc.RpcError as error:
                    assert error.code() in REFUSALS, f"{case}: {error}"
                slowest = max(slowest, min(lx.time.monotonic() - begun, shared.cpu_seconds() - used))
                met("M23 messages that nest, repeat or sprawl met")
        client.confirmed_nonce = b""
    assert slowest < 0.5, f"{slowest:.2f} s for one message"


def named(client: Client, text: str) -> bytes:
    """A certificate that the client made itself, in which this is everybody's name."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:60])])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
    builder = builder.public_key(client.tls_key.public_key())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("x"), x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01\x1b")])
    made = builder.add_extension(names, critical=True).sign(client.tls_key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def test_no_control_byte_of_a_client_reaches_the_log(shared, enter, times, met):
    client = enter()
    evil = "\x1b[2J\x1b]0;x\x07\r\n2026-01-01T00:00:00Z ERROR injected\x00\x9b31m\u202e"
    for round_ in range(times):
        applicant = Client(shared.wire, shared.code())
        request = applicant.enroll_request()
        request.machine = request.version = evil
        applicant.enroll(request)
        request.signing_request = evil.encode()
        refused(lambda: applicant.enroll(request))
        hello = client.hello_request()
        hello.version = evil
        answered_or_refused(lambda: client.sync.Hello(hello, timeout=20))
        client.confirmed_nonce = hello.proposed_nonce
        pull = client.pull_request(cursors={evil: 0})
        refused(lambda: list(client.sync.Pull(pull, timeout=20)))
        client.person(evil)
        client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, lx.new_record(), actor=evil), b"\xff")
        client.push()
        # A certificate of nobody, with such a name: this the hub logs.
        client.close()
        pair = (lx.pem_of_key(client.tls_key), named(client, evil))
        with client.open_channel(*pair) as channel:
            refused(lambda: client.wire.sync_grpc.SyncStub(channel).Hello(hello, timeout=20), Code.UNAVAILABLE)
        client.connect()
        more = [("user-agent", "a\tb"), ("x-evil", "\x80\x9b31m")]
        peers.call(shared.address, "/" + "%1b%0ainjected", peers.message(b""), more)
        met("M20 control bytes given to the hub", 7)
    log = (shared.folder / "hub.log").read_bytes()
    assert log.count(b"certificate refused") >= times, "what is logged is what was looked at"
    assert b"injected" not in log
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", log), "a raw control byte stands in the log"
    met("M20 bytes of the hub's log looked at", len(log))


def test_health_is_told_and_nothing_is_told_of_the_services(shared, enter, times, met):
    client = enter()
    for _ in range(times):
        checked = peers.call(shared.address, "/grpc.health.v1.Health/Check", peers.message(b""))
        assert checked["grpc-status"] == "0" and checked["body"][5:] == b"\x08\x01", "serving"
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            for caller in (None, client):
                answer = peers.call(shared.address, path, peers.message(b"\x3a\x00"), client=caller)
                assert answer["grpc-status"] == "12", answer
                met("M1 reflection is off")
