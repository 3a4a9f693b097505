"""What a client in another language may rely on, and what the hub must not let it do.

Each test asserts what the protocol promises, whether or not the hub keeps it today.
"""

import datetime
import secrets
import ssl
import struct
import threading
import time

import grpc
import pytest
import zstandard
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lianxin_client as lx
from conftest import EAST, REFUSALS, WEST
from lianxin_client import CLASS_CASE, CLASS_HELD, CLASS_SHARED, MEMBER, ORGANISATION, PERSON
from lianxin_client import Client, CodeError, EnrolmentCode, values_of

Code = grpc.StatusCode
MEMORY_MAX = 150 * 1024 * 1024
MIB = 1024 * 1024
U32_MAX, U64_MAX = 2**32 - 1, 2**64 - 1
UNKNOWN_KIND, UNKNOWN_FIELD = 60_001, 50_001
FUZZ = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def refused(call, *codes) -> grpc.RpcError:
    """The refusal of a call, which must have one of these codes."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = caught.value
    assert error.code() in (codes or REFUSALS), f"{error.code()}: {error.details()}"
    return error


def received(client: Client) -> tuple:
    """What the hub says that it has of the client's journal."""
    head = client.hello().received
    return head.sequence, head.chain


def people(hub, name: str) -> list:
    return hub.run("list", "person", "--where", f"name={name}")


def listed(hub, record: bytes) -> list:
    """The member with this id, as the hub's list shows it."""
    rows = hub.run("list", "member", "--limit", "1000000")
    return [row for row in rows if row["id"].replace("-", "") == record.hex()]


def name() -> str:
    """A name that no other test uses."""
    return "赵" + "".join(chr(0x4E00 + secrets.randbelow(2000)) for _ in range(4))


def outcomes(answer) -> dict:
    return {verdict.sequence: (verdict.outcome, verdict.reason) for verdict in answer.verdicts}


# --- joining and greeting -----------------------------------------------------------------------


def test_mutual_tls_completes_and_hello_answers(join):
    client = join()
    answer = client.hello()
    assert answer.standing == client.wire.sync.STANDING_AGREED
    assert len(answer.incarnation) == 16
    assert (answer.received.sequence, answer.received.chain) == (0, lx.chain_start(client.node, 1))
    assert answer.hub_name == "示范市中心"
    assert set(answer.feeds) > {"city"} and len(answer.feeds) == 2
    assert abs(answer.offset_ms) < 60_000
    assert answer.limits.batch_changes_max > 0 and not answer.renew


def test_hello_names_the_office_for_display(join):
    assert join().hello().office_name == "中共东湖社区委员会"


def test_enrolment_shows_the_same_comparison_number_and_is_idempotent(hub):
    client = Client(hub.wire, hub.code())
    first = client.enroll()
    spki = lx.spki_of(client.tls_key.public_key())
    keys = (spki, lx.raw_public(client.signing_key))
    expected = lx.comparison_number(client.code.secret, *keys, client.code.root_hash)
    assert first.comparison_number == expected
    assert (first.office_id, first.office_code) == (client.code.office, EAST)
    again = client.enroll()
    assert (again.node_id, again.epoch) == (first.node_id, first.epoch)


def test_a_code_that_was_used_is_refused_to_other_keys(hub):
    code = hub.code()
    Client(hub.wire, code).enroll()
    refused(Client(hub.wire, code).enroll, Code.UNAUTHENTICATED)


def test_a_code_whose_request_was_refused_can_still_be_used(hub):
    client = Client(hub.wire, hub.code())
    foreign = [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)]
    for key in foreign:
        request = client.enroll_request()
        request.signing_request = lx.signing_request(key)
        refused(lambda: client.enroll(request))
    client.enroll()
    client.connect().hello()
    client.close()


def test_a_mistyped_code_is_found_before_anything_is_sent(hub):
    code = hub.code()
    place = 20
    other = "2" if code[place] != "2" else "3"
    with pytest.raises(CodeError):
        EnrolmentCode.decode(code[:place] + other + code[place + 1 :])


def test_a_server_without_the_root_of_the_code_is_not_spoken_to(hub):
    address = EnrolmentCode.decode(hub.code()).addresses[0]
    with pytest.raises(ssl.SSLError):
        lx.fetch_root(address, secrets.token_bytes(32))


# --- a registration -----------------------------------------------------------------------------


def test_a_pushed_registration_is_listed_at_the_hub_and_pulled_by_its_own_office_alone(hub, join):
    east, colleague, west = join(EAST), join(EAST), join(WEST)
    person = east.person(name())
    member = east.member(person)
    answer = east.push()
    assert (answer.received.sequence, answer.received.chain) == (2, east.chains[-1])
    assert answer.decided_through == 2 and not answer.verdicts and not answer.out_of_place

    shown = listed(hub, member)
    assert len(shown) == 1
    assert shown[0]["person"].replace("-", "") == person.hex()
    assert shown[0]["holder"].replace("-", "") == east.office.hex()

    colleague.pull()
    row = colleague.row(MEMBER, member)
    assert row is not None and row.office == east.office
    assert values_of(row)[1] == person and values_of(row)[7] == b"2001-07-01"
    assert colleague.row(PERSON, person) is not None

    west.pull()
    assert west.row(MEMBER, member) is None and west.row(PERSON, person) is None
    assert west.row(ORGANISATION, east.office) is not None, "the tree itself is everybody's"


def test_the_digest_of_a_feed_is_that_of_the_rows_pulled(join):
    client = join()
    for _ in range(3):
        client.member(client.person(name()))
    client.push()
    ends = client.pull()
    assert set(ends) == set(client.feeds)
    for feed, page in ends.items():
        rows = client.rows[feed].values()
        assert len(rows) > 0
        assert (page.digest.sum, page.digest.count) == lx.digest_of(rows), feed


def test_an_edit_on_the_shown_version_is_applied_and_moves_the_row(join):
    client = join()
    person = client.person(name())
    client.push()
    client.pull()
    fields = [(26, "第一次备注", None)]
    client.append(client.header(PERSON, CLASS_SHARED, lx.SET, person), client.body(fields))
    fields = [(26, "第二次备注", client.version(2))]
    client.append(client.header(PERSON, CLASS_SHARED, lx.SET, person), client.body(fields))
    assert not client.push().verdicts
    before = client.row(PERSON, person).revision
    client.pull()
    row = client.row(PERSON, person)
    assert values_of(row)[26] == "第二次备注".encode() and row.revision == before + 2


def test_own_changes_that_are_folded_do_not_come_back(join):
    client = join()
    person = client.person(name())
    client.push()
    request = client.pull_request(cursors={client.own_feed: 0}, folded_through=1)
    folded = [row.record for _, rows in client.pages(request) for row in rows]
    assert person not in folded
    request = client.pull_request(cursors={client.own_feed: 0}, folded_through=0)
    assert person in [row.record for _, rows in client.pages(request) for row in rows]


def test_watch_tells_soon_that_a_feed_has_grown(join):
    writer, watcher = join(), join()
    call = watcher.sync.Watch(watcher.wire.sync.WatchRequest(incarnation=watcher.incarnation), timeout=20)
    first = {}
    while set(first) != set(watcher.feeds):
        head = next(call)
        first[head.feed] = head.sequence
    writer.person(name())
    began = time.monotonic()
    writer.push()
    head = next(call)
    assert head.feed == watcher.own_feed and head.sequence > first[head.feed]
    assert time.monotonic() - began < 5
    call.cancel()


# --- repeats, gaps, forgeries -------------------------------------------------------------------


def test_a_repeated_push_doubles_nothing(hub, join):
    client = join()
    called = name()
    client.person(called)
    request = client.push_request()
    first = client.push(request)
    again = client.push(request)
    assert again.received == first.received and not again.out_of_place
    assert received(client) == (1, client.chains[-1])
    assert len(people(hub, called)) == 1


def test_a_repeated_push_is_answered_with_the_same_decisions(join):
    client = join()
    person = client.person(name())
    client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, person), client.body([(1, name())]))
    request = client.push_request()
    first = client.push(request)
    assert first.decided_through == 2 and outcomes(first)[2][1] == "exists"
    again = client.push(request)
    assert again.decided_through == first.decided_through
    assert outcomes(again) == outcomes(first)


def test_a_wrong_signature_is_refused_and_nothing_is_stored(hub, join):
    client, other = join(), join()
    called = name()
    client.person(called)
    right = client.push_request()
    text = lx.batch_text(client.node, 1, 1, 1, right.chain)
    wrong = {
        "one bit": bytes([right.signature[0] ^ 1]) + right.signature[1:],
        "of another machine": lx.sign(other.signing_key, "batch", text),
        "for another purpose": lx.sign(client.signing_key, "digest", text),
        "without a purpose": client.signing_key.sign(text),
        "for another place": lx.sign(
            client.signing_key, "batch", lx.batch_text(client.node, 1, 2, 1, right.chain)
        ),
        "cut": right.signature[:63],
        "absent": b"",
    }
    for case, signature in wrong.items():
        request = client.push_request(signature=signature)
        error = refused(lambda: client.push(request), Code.INVALID_ARGUMENT)
        assert "signature" in error.details(), case
    assert received(client)[0] == 0 and not people(hub, called)
    client.push(right)
    assert len(people(hub, called)) == 1


def test_a_wrong_chain_is_refused_and_nothing_is_stored(hub, join):
    client = join()
    called = name()
    client.person(called)
    chains = [secrets.token_bytes(32), lx.chain_start(client.node, 1)]
    start = lx.chain_start(secrets.token_bytes(16), 1)
    chains.append(lx.chain_over(start, client.journal))
    for chain in chains:
        request = client.push_request(chain=chain)
        refused(lambda: client.push(request), Code.FAILED_PRECONDITION, Code.INVALID_ARGUMENT)
    assert received(client)[0] == 0 and not people(hub, called)


def test_a_gap_is_answered_with_the_place_to_go_on_from_and_nothing_is_stored(hub, join):
    client = join()
    called = [name() for _ in range(3)]
    for one in called:
        client.person(one)
    client.push(client.push_request(1, 1))
    answer = client.push(client.push_request(3, 3))
    assert answer.out_of_place
    assert (answer.received.sequence, answer.received.chain) == (1, client.chains[0])
    assert received(client)[0] == 1
    assert [len(people(hub, one)) for one in called] == [1, 0, 0]
    client.push(client.push_request(2, 3))
    assert [len(people(hub, one)) for one in called] == [1, 1, 1]


def test_batches_in_flight_arrive_in_any_order_and_all_are_stored_once(hub, join):
    client = join()
    called = [name() for _ in range(8)]
    for one in called:
        client.person(one)
    requests = [client.push_request(at, at) for at in range(1, 9)]
    for _ in range(8):
        calls = [client.sync.Push.future(request, timeout=20) for request in reversed(requests)]
        last = max(call.result().received.sequence for call in calls)
        if last == 8:
            break
    assert received(client) == (8, client.chains[-1])
    assert [len(people(hub, one)) for one in called] == [1] * 8


def test_another_history_at_known_places_is_refused_and_never_taken_for_a_repeat(hub, join):
    client = join()
    kept, lost = name(), name()
    client.person(kept)
    client.push()
    client.journal.clear()
    client.chains.clear()
    client.person(lost)
    refused(lambda: client.push(client.push_request(1, 1)), Code.FAILED_PRECONDITION)
    assert len(people(hub, kept)) == 1 and not people(hub, lost)
    answer = client.hello()
    assert answer.standing == client.wire.sync.STANDING_FORKED and answer.offered_epoch == 2


def test_a_push_without_a_greeting_is_told_to_greet_first(join):
    client = join()
    client.person(name())
    for incarnation in (b"", bytes(16), b"abc"):
        request = client.push_request(incarnation=incarnation)
        refused(lambda: client.push(request), Code.FAILED_PRECONDITION)
    refused(lambda: client.push(client.push_request(epoch=7)), Code.PERMISSION_DENIED)
    assert received(client)[0] == 0


def test_checkpoints_give_the_chain_at_any_place_also_inside_a_batch(join):
    client = join()
    for _ in range(6):
        client.person(name())
    client.push(client.push_request(1, 2))
    client.push(client.push_request(3, 5))
    asked = [5, 0, 1, 4, 2, 3, 6, 999, U64_MAX]
    request = client.wire.sync.CheckpointsRequest(epoch=1, sequences=asked)
    heads = client.sync.Checkpoints(request, timeout=20).heads
    expected = {0: lx.chain_start(client.node, 1)}
    expected.update({place: client.chains[place - 1] for place in range(1, 6)})
    assert {head.sequence: head.chain for head in heads} == expected


def test_a_change_whose_body_was_erased_keeps_the_chain_whole(join):
    client = join()
    client.person(name())
    erased = client.journal[0]
    erased.body_hash, erased.body = erased.hash(), b""
    client.person(name())
    answer = client.push()
    assert (answer.received.sequence, answer.received.chain) == (2, client.chains[-1])


# --- what belongs to another office -------------------------------------------------------------


def test_no_change_of_one_office_touches_a_record_of_another(hub, join):
    east, west = join(EAST), join(WEST)
    person = east.person(name())
    member = east.member(person)
    east.push()
    east.pull()
    before = {key: east.row(*key).SerializeToString() for key in [(PERSON, person), (MEMBER, member)]}
    shown = {"person": hub.run("get", person.hex()), "member": hub.run("get", member.hex())}

    actor = "东湖社区 王小明"
    believed = {"tenure_number": 1, "tenure_holder": east.office}
    own = {"tenure_number": 1, "tenure_holder": west.office}

    def change(kind, class_, verb, record, fields=(), body=None, **more):
        header = west.header(kind, class_, verb, record, actor=actor, **more)
        west.append(header, west.body(fields, **(body or {})))

    east_version = east.version(1)
    change(PERSON, CLASS_SHARED, lx.SET, person, [(1, "李四", east_version)])
    change(PERSON, CLASS_SHARED, lx.SET, person, [(UNKNOWN_FIELD, b"x")])
    change(PERSON, CLASS_SHARED, lx.CREATE, person, [(1, "李四")])
    change(PERSON, CLASS_SHARED, lx.DELETE, person, body={"seen_revision": 99, "life_base": east_version})
    change(PERSON, CLASS_HELD, lx.SET, person, [(1, "李四", east_version)], **own)
    change(MEMBER, CLASS_HELD, lx.SET, member, [(13, "书记")], **believed)
    change(MEMBER, CLASS_HELD, lx.SET, member, [(13, "书记")], **own)
    change(MEMBER, CLASS_HELD, lx.SET, member, [(13, "书记")])
    change(MEMBER, CLASS_HELD, lx.SET, member, [(30, "2"), (31, west.office)], **own)
    change(MEMBER, CLASS_HELD, lx.DELETE, member, body={"seen_revision": 99}, **believed)
    change(MEMBER, CLASS_HELD, lx.RESTORE, member, **believed)
    change(MEMBER, CLASS_HELD, lx.STEP, member, [(1, "leave")], **believed)
    change(ORGANISATION, lx.CLASS_REFERENCE, lx.SET, east.office, [(6, west.office)])
    change(ORGANISATION, CLASS_SHARED, lx.SET, east.office, [(1, "改名")])
    member_of_theirs = lx.new_record()
    fields = [(1, person), (2, "full"), (3, "FULL"), (7, "2001-07-01")]
    change(MEMBER, CLASS_HELD, lx.CREATE, member_of_theirs, fields)
    claimed = lx.new_record()
    fields = [(1, name()), (UNKNOWN_FIELD, east.office)]
    change(PERSON, CLASS_SHARED, lx.CREATE, claimed, fields)
    answer = west.push()
    count = len(west.journal)
    assert answer.received.sequence == answer.decided_through == count
    set_aside = west.wire.sync.OUTCOME_SET_ASIDE
    verdicts = outcomes(answer)
    assert set(verdicts) == set(range(1, count)), "every change but the last, which is its own"
    assert {outcome for outcome, _ in verdicts.values()} == {set_aside}, verdicts

    fresh = join(EAST)
    fresh.pull()
    after = {key: fresh.row(*key).SerializeToString() for key in before}
    assert after == before
    assert shown == {"person": hub.run("get", person.hex()), "member": hub.run("get", member.hex())}
    assert fresh.row(PERSON, claimed) is None and fresh.row(MEMBER, member_of_theirs) is None
    west.pull()
    assert west.row(PERSON, person) is None and west.row(MEMBER, member) is None
    assert west.row(PERSON, claimed).office == west.office
    assert values_of(west.row(ORGANISATION, east.office))[1] == "中共东湖社区委员会".encode()
    assert len(listed(hub, member)) == 1 and not listed(hub, member_of_theirs)


def test_the_feed_of_another_office_can_be_neither_pulled_nor_compared(join):
    east, west = join(EAST), join(WEST)
    person = east.person(name())
    east.push()
    east.pull()
    feed = east.own_feed
    wanted = PERSON.to_bytes(2, "big") + person

    def pulled():
        return list(west.pages(west.pull_request(cursors={feed: 0})))

    def compared(**more):
        request = west.wire.sync.ReconcileRequest(incarnation=west.incarnation, epoch=west.epoch, **more)
        return west.sync.Reconcile(request, timeout=20)

    try:
        assert pulled() == []
    except grpc.RpcError as error:
        assert error.code() in REFUSALS
    refused(lambda: compared(feed=feed, prefixes=[b""], wanted=[wanted]), Code.PERMISSION_DENIED)
    assert not compared(feed=west.own_feed, wanted=[wanted]).rows


def test_a_pull_of_a_feed_that_the_office_does_not_read_is_refused_and_not_silently_empty(join):
    client = join()
    for feed in ("office/" + "0" * 32, "", "nothing"):
        request = client.pull_request(cursors={feed: 0})
        refused(lambda: list(client.sync.Pull(request, timeout=20)))


def test_rows_that_a_client_offers_change_no_record(join):
    east = join()
    person = east.person(name())
    east.push()
    east.pull()
    before = east.row(PERSON, person)
    forged = type(before).FromString(before.SerializeToString())
    forged.revision += 100
    forged.fields[0].value = "改过".encode()
    request = east.wire.sync.ReconcileRequest(
        incarnation=east.incarnation,
        epoch=east.epoch,
        feed=east.own_feed,
        **lx.offered(east.wire, [forged]),
        gone=[PERSON.to_bytes(2, "big") + person],
    )
    try:
        assert east.sync.Reconcile(request, timeout=20).adopted == 0
    except grpc.RpcError as error:
        assert error.code() in REFUSALS
    fresh = join()
    fresh.pull()
    assert fresh.row(PERSON, person) == before


# --- equality -----------------------------------------------------------------------------------


def test_the_tree_of_digests_leads_to_every_row(join):
    client = join()
    for _ in range(60):
        client.person(name())
    client.push()
    end = client.pull()[client.own_feed]
    rows = client.rows[client.own_feed]
    found, total, prefixes = {}, 0, [b""]
    while prefixes:
        request = client.wire.sync.ReconcileRequest(
            incarnation=client.incarnation, epoch=client.epoch, feed=client.own_feed, prefixes=prefixes
        )
        prefixes = []
        for below in client.sync.Reconcile(request, timeout=20).below:
            if below.children:
                assert len(below.children) == 16
                prefixes += [below.prefix + bytes([nibble]) for nibble in range(16)]
            for row in below.rows:
                found[(row.kind, row.record)] = row.hash
                total += int.from_bytes(row.hash, "big")
    assert len(rows) > 60
    assert found == {key: lx.row_hash(row) for key, row in rows.items()}
    assert (total % 2**256).to_bytes(32, "big") == end.digest.sum


def test_only_a_true_and_signed_half_of_a_certificate_is_taken(join):
    client = join(EAST)
    client.person(name())
    client.push()
    end = client.pull()[client.own_feed]
    digest = (end.digest.sum, end.digest.count)

    def certify(digest, key=client.signing_key, label="digest"):
        place = (client.own_feed, end.to_sequence)
        text = lx.certificate_text(client.incarnation, client.office, *place, digest)
        equality = client.wire.sync.Equality(
            sequence=end.to_sequence,
            sum=digest[0],
            count=digest[1],
            signature=lx.sign(key, label, text),
        )
        request = client.wire.sync.ReconcileRequest(
            incarnation=client.incarnation, epoch=client.epoch, feed=client.own_feed, equality=equality
        )
        return client.sync.Reconcile(request, timeout=20)

    certify(digest)
    refused(lambda: certify((secrets.token_bytes(32), digest[1])))
    refused(lambda: certify((digest[0], digest[1] + 1)))
    refused(lambda: certify(digest, key=ed25519.Ed25519PrivateKey.generate()), Code.INVALID_ARGUMENT)
    refused(lambda: certify(digest, label="batch"), Code.INVALID_ARGUMENT)


# --- what a newer version wrote -----------------------------------------------------------------


def test_unknown_fields_and_kinds_come_back_byte_for_byte(join):
    writer, reader, west = join(EAST), join(EAST), join(WEST)
    rubbish = bytes(range(256)) + secrets.token_bytes(1000)
    person = writer.person(name(), (200, b"\xff\x00\xfe"), (UNKNOWN_FIELD, rubbish))
    fields = [(1, b""), (7, b"\x00"), (UNKNOWN_FIELD, rubbish), (65_535, b"\xc3\x28")]
    thing = writer.record(UNKNOWN_KIND, CLASS_SHARED, fields)
    entry = writer.record(UNKNOWN_KIND, lx.CLASS_LEDGER, [(3, rubbish)])
    header = writer.header(UNKNOWN_KIND, CLASS_SHARED, lx.SET, thing)
    writer.append(header, writer.body([(9, rubbish[::-1])]))
    assert not writer.push().verdicts
    reader.pull()
    assert values_of(reader.row(PERSON, person))[200] == b"\xff\x00\xfe"
    assert values_of(reader.row(PERSON, person))[UNKNOWN_FIELD] == rubbish
    row = reader.row(UNKNOWN_KIND, thing)
    got = values_of(row)
    assert {7: b"\x00", 9: rubbish[::-1], UNKNOWN_FIELD: rubbish, 65_535: b"\xc3\x28"}.items() <= got.items()
    assert got.get(1, b"") == b"" and len(got) <= 5 and getattr(row, "class") == CLASS_SHARED
    assert values_of(reader.row(UNKNOWN_KIND, entry)) == {3: rubbish}
    writer.pull()
    assert writer.row(UNKNOWN_KIND, thing) == row
    west.pull()
    assert west.row(UNKNOWN_KIND, thing) is None


def test_message_fields_that_the_hub_does_not_know_stay_in_the_journal(join):
    client = join()
    later = b"\xfa\x3f\x05later" + b"\x88\x3f\x2a"
    record = lx.new_record()
    header = client.header(PERSON, CLASS_SHARED, lx.CREATE, record) + later
    client.append(header, client.body([(1, name())]) + later)
    client.person(name())
    assert not client.push().verdicts
    # The first place is inside the batch: the hub answers from the bytes that it stored.
    request = client.wire.sync.CheckpointsRequest(epoch=1, sequences=[1, 2])
    heads = client.sync.Checkpoints(request, timeout=20).heads
    assert [head.chain for head in heads] == client.chains
    client.pull()
    assert client.row(PERSON, record) is not None


def test_a_change_that_cannot_be_read_is_set_aside_and_does_not_stop_the_line(hub, join):
    client = join()
    record = lx.new_record()
    right = client.body([(1, name())])
    client.append(b"\xff\xff\xff", right)
    client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, record), b"\x0a\xff")
    client.append(client.header(PERSON, 9, lx.CREATE, record), right)
    client.append(client.header(PERSON, CLASS_SHARED, 99, record), right)
    client.append(client.header(70_000, CLASS_SHARED, lx.CREATE, record), right)
    client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, b"short"), right)
    client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, record, actor="长" * 101), right)
    client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, record), client.body([(2, "x"), (1, "y")]))
    client.append(client.header(PERSON, CLASS_CASE, lx.CREATE, record), right)
    client.append(client.header(PERSON, CLASS_SHARED, lx.CREATE, record, group_size=3), right)
    client.append(b"", b"")
    called = name()
    person = client.person(called)
    answer = client.push()
    count = len(client.journal)
    assert answer.decided_through == count
    expected = {place: client.wire.sync.OUTCOME_SET_ASIDE for place in range(1, count)}
    assert {place: outcome for place, (outcome, _) in outcomes(answer).items()} == expected
    client.pull()
    assert client.row(PERSON, person) is not None and client.row(PERSON, record) is None
    notes = [row for kind, row in client.rows[client.own_feed].items() if kind[0] == lx.SET_ASIDE]
    of_this = [row for row in notes if client.node in values_of(row).get(4, b"")]
    assert len(of_this) == count - 1, "each is kept with a note in the writer's feed"


# --- sizes --------------------------------------------------------------------------------------


def incompressible(client: Client, count: int) -> None:
    for _ in range(count):
        fields = [(number, secrets.token_bytes(20_000)) for number in (1, 2, 3)]
        client.record(UNKNOWN_KIND, CLASS_SHARED, fields)


def bomb(megabytes: int) -> bytes:
    """Few bytes that become many; the frame does not say how many."""
    packer = zstandard.ZstdCompressor(level=19, write_content_size=False).compressobj()
    zeros = bytes(MIB)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


def test_oversize_lies_and_bombs_are_refused_and_the_hub_stays_up_and_small(own_hub, join):
    client = join(EAST, own_hub)
    incompressible(client, 12)
    raw = client.batch_raw(client.journal[:1])
    large = client.batch_raw(client.journal[:5])
    head_only = struct.pack("<IB", 0xFD2FB528, 0xE0) + struct.pack("<Q", 2**40)
    empties = b"\x0a\x00" * (2 * MIB - 1)
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, compression_level=3)
    )
    stream = wide.compressobj()
    window = stream.compress(bytes(64 * MIB)) + stream.flush()
    bombs = bomb(512)
    assert len(bombs) < 256 * 1024 and len(window) < 256 * 1024
    wrong = {
        "packed bytes above the limit": client.push_request(1, 5),
        "message above the limit": client.push_request(1, 12),
        "a message of 20 MiB": client.push_request(1, 1, batch=secrets.token_bytes(20 * MIB)),
        "declared smaller": client.push_request(1, 1, raw_bytes=len(raw) - 1),
        "declared larger": client.push_request(1, 1, raw_bytes=len(raw) + 1),
        "declared zero": client.push_request(1, 1, raw_bytes=0),
        "declared 4 MiB": client.push_request(1, 1, raw_bytes=4 * MIB),
        "declared above the limit": client.push_request(1, 1, raw_bytes=4 * MIB + 1),
        "declared 32 MiB": client.push_request(1, 1, raw_bytes=32 * MIB),
        "declared 4 GiB": client.push_request(1, 1, raw_bytes=U32_MAX),
        "bomb": client.push_request(1, 1, batch=bombs, raw_bytes=len(raw)),
        "bomb at the limit": client.push_request(1, 1, batch=bombs, raw_bytes=4 * MIB),
        "bomb said to be 4 GiB": client.push_request(1, 1, batch=bombs, raw_bytes=U32_MAX),
        "frames of bombs": client.push_request(1, 1, batch=bomb(1) * 500, raw_bytes=4 * MIB),
        "a window of 128 MiB": client.push_request(1, 1, batch=window, raw_bytes=4 * MIB),
        "a frame that says 1 TiB": client.push_request(1, 1, batch=head_only, raw_bytes=4 * MIB),
        "two million empty changes": client.push_request(
            1, 1, batch=lx.pack(empties), raw_bytes=len(empties), count=len(empties) // 2
        ),
        "no bytes": client.push_request(1, 1, batch=b"", raw_bytes=0),
        "not packed": client.push_request(1, 1, batch=raw, raw_bytes=len(raw)),
        "cut": client.push_request(1, 1, batch=lx.pack(raw)[:-9], raw_bytes=len(raw)),
        "other count": client.push_request(1, 1, count=2),
        "count zero": client.push_request(1, 1, count=0),
    }
    assert len(wrong["packed bytes above the limit"].batch) > 256 * 1024 > len(lx.pack(large)) // 2
    for case, request in wrong.items():
        error = refused(lambda: client.push(request))
        assert own_hub.process.poll() is None, case
        assert own_hub.memory_peak() < MEMORY_MAX, f"{case}: {own_hub.memory_peak() / MIB:.0f} MiB"
        assert error.details(), case
    assert received(client)[0] == 0

    def again(request):
        with client.open_channel(lx.pem_of_key(client.tls_key), client.chain_pem) as channel:
            stub = client.wire.sync_grpc.SyncStub(channel)
            for _ in range(3):
                with pytest.raises(grpc.RpcError):
                    stub.Push(request, timeout=60)

    hard = [case for case in wrong if "bomb" in case or "MiB" in case or "million" in case]
    threads = [threading.Thread(target=again, args=(wrong[case],)) for case in hard * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = own_hub.memory_peak()
    assert peak < MEMORY_MAX, f"{peak / MIB:.0f} MiB"
    assert own_hub.process.poll() is None and "panicked" not in own_hub.log()
    for place in range(1, 13):
        client.push(client.push_request(place, place))
    assert received(client) == (12, client.chains[-1])


def test_pages_that_nobody_reads_do_not_fill_the_memory_of_the_hub(own_hub, join):
    client = join(EAST, own_hub)
    incompressible(client, 60)
    for first in range(1, 61, 4):
        client.push(client.push_request(first, first + 3))
    key = lx.pem_of_key(client.tls_key)
    channels = [client.open_channel(key, client.chain_pem) for _ in range(4)]
    request = client.pull_request(cursors={client.own_feed: 0})
    stubs = [client.wire.sync_grpc.SyncStub(channel) for channel in channels]
    unread = [stub.Pull(request, timeout=60) for stub in stubs for _ in range(60)]
    time.sleep(4)
    peak = own_hub.memory_peak()
    for stream in unread:
        stream.cancel()
    for channel in channels:
        channel.close()
    assert received(client)[0] == 60
    assert peak < MEMORY_MAX, f"{peak / MIB:.0f} MiB"


def test_a_size_that_can_never_be_taken_is_not_answered_with_busy(join):
    client = join()
    client.person(name())
    for size in (4 * MIB + 1, 32 * MIB, U32_MAX):
        error = refused(lambda: client.push(client.push_request(raw_bytes=size)))
        assert "busy" not in error.details(), f"{size}: {error.details()}"


def test_a_large_batch_within_the_limits_is_taken_whole(hub, join):
    client = join(hub.new_office())
    for _ in range(1_500):
        client.person("张三", (26, "备注" * 20))
    request = client.push_request()
    assert len(request.batch) < 256 * 1024
    answer = client.sync.Push(request, timeout=120)
    assert answer.received.sequence == answer.decided_through == 1_500 and not answer.verdicts
    end = client.pull()[client.own_feed]
    rows = client.rows[client.own_feed].values()
    assert len(rows) == 1_500 and (end.digest.sum, end.digest.count) == lx.digest_of(rows)


# --- certificates -------------------------------------------------------------------------------


def every_call(client: Client, sync) -> dict:
    messages = client.wire.sync
    return {
        "Hello": lambda: sync.Hello(client.hello_request(), timeout=10),
        "Push": lambda: sync.Push(client.push_request(1, 1), timeout=10),
        "Pull": lambda: list(sync.Pull(client.pull_request(), timeout=10)),
        "Watch": lambda: next(sync.Watch(messages.WatchRequest(incarnation=client.incarnation), timeout=10)),
        "Checkpoints": lambda: sync.Checkpoints(
            messages.CheckpointsRequest(epoch=1, sequences=[0]), timeout=10
        ),
        "Reconcile": lambda: sync.Reconcile(
            messages.ReconcileRequest(
                incarnation=client.incarnation, epoch=client.epoch, feed=client.own_feed, prefixes=[b""]
            ),
            timeout=10,
        ),
        "Renew": lambda: sync.Renew(
            messages.RenewRequest(signing_request=lx.signing_request(client.tls_key)), timeout=10
        ),
    }


def all_refused(client: Client, key_pem, chain_pem, *codes, but=()) -> None:
    with client.open_channel(key_pem, chain_pem) as channel:
        sync = client.wire.sync_grpc.SyncStub(channel)
        for call_name, call in every_call(client, sync).items():
            if call_name in but:
                continue
            with pytest.raises(grpc.RpcError) as caught:
                call()
            error = caught.value
            assert error.code() in codes, f"{call_name}: {error.code()} {error.details()}"


def office_name(client: Client) -> x509.SubjectAlternativeName:
    """The name in the client's own certificate, which says for which office it speaks."""
    extension = client.leaf().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value


def made_certificate(names, key, issuer_name, issuer_key, days=30) -> bytes:
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, EAST)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(b"\x40" + secrets.token_bytes(15), "big"))
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_every_call_answers_a_client_with_its_certificate(join):
    client = join()
    client.person(name())
    for call_name, call in every_call(client, client.sync).items():
        assert call() is not None, call_name


def test_without_a_certificate_no_call_is_answered(join):
    client = join()
    client.person(name())
    all_refused(client, None, None, Code.UNAUTHENTICATED)
    assert received(client)[0] == 0


def test_a_self_signed_certificate_is_not_let_in(join):
    client = join()
    client.person(name())
    key = lx.new_tls_key()
    chain = made_certificate(office_name(client), key, None, key)
    all_refused(client, lx.pem_of_key(key), chain, Code.UNAVAILABLE, Code.UNAUTHENTICATED)
    assert received(client)[0] == 0


def test_a_certificate_that_an_office_issued_with_its_own_key_is_not_let_in(join):
    east, west = join(EAST), join(WEST)
    east.person(name())
    key = lx.new_tls_key()
    leaf = made_certificate(office_name(east), key, west.leaf().subject, west.tls_key)
    chain = leaf + west.chain_pem
    all_refused(east, lx.pem_of_key(key), chain, Code.UNAVAILABLE, Code.UNAUTHENTICATED)
    assert received(east)[0] == 0


def test_a_certificate_of_another_hub_is_not_let_in(own_hub, join):
    client, stranger = join(), join(EAST, own_hub)
    client.person(name())
    key = lx.pem_of_key(stranger.tls_key)
    all_refused(client, key, stranger.chain_pem, Code.UNAVAILABLE, Code.UNAUTHENTICATED)
    assert received(client)[0] == 0


def test_another_hub_is_not_spoken_to(own_hub, join):
    client = join()
    client.address = own_hub.address
    client.connect()
    error = refused(client.hello, Code.UNAVAILABLE)
    assert "CERTIFICATE_VERIFY_FAILED" in error.details()


# --- revocation ---------------------------------------------------------------------------------


def test_of_a_revoked_office_the_watch_ends_and_every_call_is_refused(hub, join):
    office = hub.new_office()
    client, bystander = join(office), join(EAST)
    client.person(name())
    ended = threading.Event()
    heads, errors = [], []

    def watch():
        request = client.wire.sync.WatchRequest(incarnation=client.incarnation)
        try:
            heads.extend(client.sync.Watch(request, timeout=60))
        except grpc.RpcError as error:
            errors.append(error.code())
        ended.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    time.sleep(1)
    assert not ended.is_set(), "it is open as long as the office may call"
    assert hub.run("office", "revoke", office)["revoked"] == 1
    assert ended.wait(10), "the stream is still open"
    assert Code.DEADLINE_EXCEEDED not in errors
    with pytest.raises(grpc.RpcError):
        client.hello()
    pair = (lx.pem_of_key(client.tls_key), client.chain_pem)
    all_refused(client, *pair, Code.PERMISSION_DENIED)
    # The code with the same keys is answered alike or not at all: it opens no door.
    try:
        client.enroll()
    except grpc.RpcError as error:
        assert error.code() in REFUSALS
    all_refused(client, lx.pem_of_key(client.tls_key), client.chain_pem, Code.PERMISSION_DENIED)
    assert bystander.hello().standing == bystander.wire.sync.STANDING_AGREED


def test_of_a_revoked_office_an_open_pull_ends_before_its_last_page(hub, join):
    office = hub.new_office()
    client = join(office)
    incompressible(client, 240)
    for first in range(1, 241, 4):
        client.push(client.push_request(first, first + 3))
    # What is not read stays at the hub: nothing is fetched ahead.
    client.options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535)]
    client.connect()
    request = client.pull_request(cursors={client.own_feed: 0})
    stream = client.sync.Pull(request, timeout=60)
    next(stream)
    hub.run("office", "revoke", office)
    time.sleep(2)
    reached_the_head = False
    try:
        for page in stream:
            reached_the_head |= page.HasField("digest")
    except grpc.RpcError as error:
        assert error.code() == Code.PERMISSION_DENIED
    assert not reached_the_head, "a revoked office was sent its whole feed"


# --- renewal ------------------------------------------------------------------------------------


def test_renew_gives_a_certificate_for_the_same_node_and_key(join):
    client = join()
    before = client.leaf()
    time.sleep(1.1)
    client.renew()
    after = client.leaf()
    assert after.serial_number != before.serial_number
    assert lx.spki_of(after.public_key()) == lx.spki_of(before.public_key())
    client.connect()
    assert client.hello().standing == client.wire.sync.STANDING_AGREED


def test_renew_gives_a_certificate_for_a_new_key_and_only_for_the_own_office(join):
    client, west = join(EAST), join(WEST)
    names = office_name(client)
    key = lx.new_tls_key()
    client.renew(key, lx.signing_request(key, [office_name(west)]))
    assert office_name(client) == names
    assert lx.spki_of(client.leaf().public_key()) == lx.spki_of(key.public_key())
    client.connect()
    assert client.hello().standing == client.wire.sync.STANDING_AGREED
    client.person(name())
    client.push()
    client.pull()
    assert client.own_feed != west.own_feed


def test_the_old_key_stays_valid_until_the_new_one_is_first_used_and_no_longer(join):
    client = join()
    client.person(name())
    old = (lx.pem_of_key(client.tls_key), client.chain_pem)
    client.renew(lx.new_tls_key())
    assert client.hello().standing == client.wire.sync.STANDING_AGREED, "the old one, still"
    client.connect()
    assert client.hello().standing == client.wire.sync.STANDING_AGREED, "the new one"
    # A machine whose folder was put back has the old one: it may ask for another, and nothing else.
    all_refused(client, *old, Code.UNAUTHENTICATED, but=("Renew",))


@pytest.mark.parametrize("what", ["rubbish", "none", "rsa", "ed25519", "other signature", "long"])
def test_renew_refuses_what_is_no_request_of_a_p256_key(join, what):
    client = join()
    right = lx.signing_request(client.tls_key)
    request = {
        "rubbish": secrets.token_bytes(300),
        "none": b"",
        "rsa": lx.signing_request(rsa.generate_private_key(65537, 2048)),
        "ed25519": lx.signing_request(ed25519.Ed25519PrivateKey.generate()),
        "other signature": right[:-1] + bytes([right[-1] ^ 1]),
        "long": right + bytes(8000),
    }[what]
    refused(lambda: client.renew(request=request), Code.INVALID_ARGUMENT)
    assert client.hello().standing == client.wire.sync.STANDING_AGREED


def test_an_expired_certificate_may_renew_and_nothing_else(own_hub, join):
    client = join(EAST, own_hub)
    client.person(name())
    client.close()
    own_hub.stop()
    own_hub.start(clock_offset_s=181 * 86_400)
    client.connect()
    for call_name, call in every_call(client, client.sync).items():
        if call_name != "Renew":
            error = refused(call, Code.UNAUTHENTICATED)
            assert "expired" in error.details(), call_name
    client.renew()
    client.connect()
    assert client.hello().standing == client.wire.sync.STANDING_AGREED
    assert client.push().received.sequence == 1


# --- rubbish ------------------------------------------------------------------------------------

U32, U64 = st.integers(0, U32_MAX), st.integers(0, U64_MAX)
EDGES32 = st.sampled_from([0, 1, 2, 2**31 - 1, 2**31, U32_MAX]) | U32
EDGES64 = st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, U64_MAX]) | U64
BYTES = st.binary(max_size=80) | st.sampled_from([bytes(16), bytes(32), bytes(64), bytes(70_000)])
TEXT = st.text(max_size=300)


@pytest.fixture(scope="module")
def victim(hub):
    """A machine that sends rubbish; its office is nobody else's."""
    client = Client(hub.wire, hub.code(hub.new_office()))
    client.enroll()
    client.connect().hello()
    client.person("张三")
    client.push()
    client.person("李四")
    yield client
    client.close()


def answered_clearly(call):
    """The answer, or none where the call was refused with a clear code."""
    try:
        return call()
    except grpc.RpcError as error:
        assert error.code() in REFUSALS, f"{error.code()}: {error.details()}"
        return None


@FUZZ
@given(
    st.one_of(
        st.tuples(st.just("incarnation"), BYTES),
        st.tuples(st.just("epoch"), EDGES32),
        st.tuples(st.just("first_sequence"), EDGES64),
        st.tuples(st.just("count"), EDGES32),
        st.tuples(st.just("raw_bytes"), EDGES32),
        st.tuples(st.just("batch"), BYTES | BYTES.map(lx.pack)),
        st.tuples(st.just("chain"), BYTES),
        st.tuples(st.just("signature"), BYTES),
    ),
    st.booleans(),
)
def test_rubbish_in_any_field_of_push_is_refused_clearly_and_nothing_is_stored(victim, rubbish, is_signed):
    field, value = rubbish
    request = victim.push_request(2, 2)
    if getattr(request, field) == value:
        return
    if is_signed:
        request = victim.push_request(2, 2, **{field: value})
    else:
        setattr(request, field, value)
    answer = answered_clearly(lambda: victim.sync.Push(request, timeout=20))
    assert answer is None or answer.out_of_place
    asked = victim.wire.sync.CheckpointsRequest(epoch=1, sequences=[1, 2])
    heads = victim.sync.Checkpoints(asked, timeout=20).heads
    assert [head.sequence for head in heads] == [1]


@FUZZ
@given(st.binary(max_size=400), st.booleans())
def test_rubbish_inside_a_batch_that_is_packed_and_signed_is_refused_clearly(victim, content, is_chained):
    """Also where the chain fits what the rubbish happens to mean."""
    change = victim.wire.change.Change(header=content, salt=content[:16], body=content)
    raw = change.SerializeToString()
    batch = content if not is_chained else b"\x0a" + _varint(len(raw)) + raw
    request = victim.push_request(2, 2, batch=lx.pack(batch), raw_bytes=len(batch))
    answer = answered_clearly(lambda: victim.sync.Push(request, timeout=20))
    assert answer is None


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


@FUZZ
@given(
    st.one_of(
        st.tuples(st.just("epoch"), EDGES32),
        st.tuples(st.just("confirmed_nonce"), BYTES),
        st.tuples(st.just("proposed_nonce"), BYTES),
        st.tuples(st.just("incarnation"), BYTES),
        st.tuples(st.just("schema"), EDGES32),
        st.tuples(st.just("clock"), EDGES64),
        st.tuples(st.just("version"), TEXT),
        st.tuples(st.just("waiting"), EDGES64),
        st.tuples(st.just("head"), st.tuples(EDGES64, BYTES)),
        st.tuples(st.just("acknowledged"), st.tuples(EDGES64, BYTES)),
        st.tuples(st.just("leases"), st.tuples(EDGES32, EDGES32, EDGES32, EDGES32, BYTES)),
    )
)
def test_rubbish_in_any_field_of_hello_is_answered_or_refused_clearly(victim, rubbish):
    field, value = rubbish
    request = victim.hello_request()
    messages = victim.wire.sync
    if field in ("head", "acknowledged"):
        getattr(request, field).CopyFrom(messages.Head(sequence=value[0], chain=value[1]))
    elif field == "leases":
        year, first, end, following, issuer = value
        request.leases.add(year=year, first=first, end=end, next=following, issuer=issuer)
    else:
        setattr(request, field, value)
    answer = answered_clearly(lambda: victim.sync.Hello(request, timeout=20))
    assert answer is None or answer.standing != messages.STANDING_UNSPECIFIED


@FUZZ
@given(
    st.one_of(
        st.tuples(st.just("incarnation"), BYTES),
        st.tuples(st.just("epoch"), EDGES32),
        st.tuples(st.just("folded_through"), EDGES64),
        st.tuples(st.just("feed"), TEXT),
        st.tuples(st.just("sequence"), EDGES64),
        st.tuples(st.just("cursors"), st.integers(0, 500)),
    )
)
def test_rubbish_in_any_field_of_pull_is_answered_or_refused_clearly(victim, rubbish):
    field, value = rubbish
    request = victim.pull_request(cursors={victim.own_feed: 0})
    if field in ("feed", "sequence"):
        setattr(request.cursors[0], field, value)
    elif field == "cursors":
        for place in range(value):
            request.cursors.add(feed=f"nothing/{place}", sequence=place)
    else:
        setattr(request, field, value)
    pages = answered_clearly(lambda: list(victim.sync.Pull(request, timeout=20)))
    assert pages is None or {page.feed for page in pages} <= {victim.own_feed}


@pytest.mark.parametrize(
    "field",
    [
        "head.chain",
        "proposed_nonce",
        "confirmed_nonce",
        "incarnation",
        "acknowledged.chain",
        "leases.issuer",
    ],
)
def test_bytes_of_another_length_than_written_are_refused_in_hello(victim, field):
    request = victim.hello_request()
    request.leases.add(year=2026, first=1, end=2, next=1, issuer=victim.office)
    request.acknowledged.CopyFrom(victim.wire.sync.Head(sequence=1, chain=victim.chains[0]))
    owner, _, last = field.rpartition(".")
    target = {"": request, "head": request.head, "acknowledged": request.acknowledged}
    target = request.leases[0] if owner == "leases" else target[owner]
    for length in (1, 15, 17, 31, 33, 64):
        setattr(target, last, secrets.token_bytes(length))
        refused(lambda: victim.sync.Hello(request, timeout=20), Code.INVALID_ARGUMENT)


@pytest.mark.parametrize("beyond", [1, 2**40, 2**63, U64_MAX])
def test_a_cursor_beyond_the_head_is_refused_or_brought_back_and_brings_no_rows(join, beyond):
    client = join()
    client.person(name())
    client.push()
    head = client.pull()[client.own_feed].to_sequence
    cursor = min(head + beyond, U64_MAX)
    try:
        pages = list(client.pages(client.pull_request(cursors={client.own_feed: cursor})))
    except grpc.RpcError as error:
        assert error.code() in REFUSALS
        return
    assert [row for _, rows in pages for row in rows] == []
    assert [page.to_sequence for page, _ in pages] == [head], "signed for a place that is not there"


@pytest.mark.parametrize("call", ["Hello", "Push", "Pull", "Watch", "Checkpoints", "Reconcile", "Renew"])
def test_a_message_that_is_no_protobuf_is_the_senders_fault_and_not_the_hubs(victim, call):
    path = f"/lianxin.sync.v1.Sync/{call}"
    for content in (b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05abc", b"\x0b\x0b\x0b"):
        if call in ("Pull", "Watch"):
            method = victim.channel.unary_stream(path)
            refused(lambda: list(method(content, timeout=10)))
        else:
            refused(lambda: victim.channel.unary_unary(path)(content, timeout=10))


def test_text_that_is_not_utf8_is_the_senders_fault_and_not_the_hubs(victim):
    broken = b"\x52\x03\xff\xfe\xfd"
    hello = victim.hello_request()
    hello.ClearField("version")
    greet = victim.channel.unary_unary("/lianxin.sync.v1.Sync/Hello")
    refused(lambda: greet(hello.SerializeToString() + broken, timeout=10))
    cursor = b"\x1a\x05\x0a\x03\xff\xfe\xfd"
    pull = victim.channel.unary_stream("/lianxin.sync.v1.Sync/Pull")
    request = victim.pull_request(cursors={}).SerializeToString() + cursor
    refused(lambda: list(pull(request, timeout=10)))


@pytest.mark.parametrize("field", ["secret", "signing_request", "verifying_key", "nothing"])
def test_rubbish_in_an_enrolment_is_refused_clearly_and_leaves_the_code_usable(hub, field):
    client = Client(hub.wire, hub.code())
    for value in (b"", b"x", secrets.token_bytes(16), secrets.token_bytes(32), bytes(10_000)):
        request = client.enroll_request()
        if field == "nothing":
            request = hub.wire.enrolment.EnrollRequest()
        elif field == "verifying_key" and len(value) == 32:
            continue
        else:
            setattr(request, field, value)
        refused(lambda: client.enroll(request))
    assert client.enroll().epoch == 1


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, U64_MAX])
def test_no_number_in_a_report_to_the_hub_closes_its_store(own_hub, join, number):
    client, bystander = join(EAST, own_hub), join(WEST, own_hub)
    messages = client.wire.sync
    base = {"incarnation": client.incarnation, "epoch": client.epoch, "feed": client.own_feed}
    some = secrets.token_bytes(64)
    proof = messages.Proof(
        incarnation=bytes(16),
        sequence=number,
        sum=some[:32],
        count=number,
        hub_signature=some,
        epoch=U32_MAX,
        decided_through=number,
        decided_signature=some,
    )
    request = messages.ReconcileRequest(**base, proof=proof)
    answered_clearly(lambda: client.sync.Reconcile(request, timeout=20))
    bystander.person(name())
    assert bystander.push().received.sequence == 1
    assert "panicked" not in own_hub.log()


@pytest.fixture
def own_victim(own_hub, join):
    """A machine that sends rubbish to a hub of its own."""
    return join(EAST, own_hub)


@FUZZ
@given(st.lists(BYTES, max_size=5), st.lists(BYTES, max_size=5), BYTES, st.integers(0, 2**63) | U64)
def test_rubbish_in_a_reconciliation_is_answered_or_refused_clearly(
    own_victim, prefixes, wanted, some, number
):
    victim = own_victim
    messages = victim.wire.sync
    base = {"incarnation": victim.incarnation, "epoch": victim.epoch, "feed": victim.own_feed}
    row = victim.wire.row.Row(kind=number % 2**32, record=some, office=some, revision=number)
    for more in (
        {"prefixes": prefixes},
        {"wanted": wanted},
        {"gone": wanted},
        lx.offered(victim.wire, [row]),
        {"offered": some, "offered_raw_bytes": number % 2**32},
        {"equality": messages.Equality(sequence=number, sum=some, count=number, signature=some)},
        {
            "proof": messages.Proof(
                incarnation=some, sequence=number, sum=some, count=number, hub_signature=some
            )
        },
    ):
        request = messages.ReconcileRequest(**base, **more)
        answered_clearly(lambda: victim.sync.Reconcile(request, timeout=20))


VALUES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"1", b"0", b"-1", b"FULL", b"full", b"2001-07-01", b"9" * 30, bytes(16)]),
    st.integers(-(2**70), 2**70).map(lambda number: str(number).encode()),
    st.text(max_size=20).map(str.encode),
)
REFS = st.none() | st.tuples(st.sampled_from([bytes(16), b"own"]), EDGES32, EDGES64)
CHANGES = st.fixed_dictionaries(
    {
        "kind": st.integers(0, 20) | st.sampled_from([65_535, 65_536]),
        "class": st.integers(0, 6),
        "verb": st.integers(0, 8),
        "record": st.sampled_from(["new", "known", "office", "desk"]),
        "timestamp": EDGES64,
        "tenure_number": EDGES32,
        "tenure_holder": st.sampled_from([b"", b"own", bytes(16), b"short"]),
        "clock_suspect": st.booleans(),
        "replaces": REFS,
        "fields": st.dictionaries(
            st.integers(1, 35) | st.sampled_from([255, 65_535]), st.tuples(VALUES, REFS), max_size=8
        ),
        "seen_revision": EDGES64,
        "life_base": REFS,
        "clock": st.none() | EDGES64,
    }
)


@settings(FUZZ, max_examples=150)
@given(st.lists(CHANGES, min_size=1, max_size=12))
def test_no_change_that_can_be_written_stops_the_line_or_the_hub(own_victim, changes):
    client, change_of = own_victim, own_victim.wire.change

    def ref(parts):
        if parts is None:
            return None
        node = client.node if parts[0] == b"own" else parts[0]
        return change_of.ChangeRef(node=node, epoch=parts[1], sequence=parts[2])

    if not client.journal:
        client.person("张三")
        client.known = client.member(client.person("李四"))
    for change in changes:
        if change["clock"] is not None:
            request = client.hello_request()
            request.clock = change["clock"]
            client.sync.Hello(request, timeout=20)
            client.confirmed_nonce = request.proposed_nonce
        records = {"new": lx.new_record(), "known": client.known, "office": client.office}
        more = {key: change[key] for key in ("timestamp", "tenure_number", "clock_suspect")}
        more["replaces"] = ref(change["replaces"])
        more["replaces_body_hash"] = bytes(32) if change["replaces"] else b""
        holder = change["tenure_holder"]
        more["tenure_holder"] = client.office if holder == b"own" else holder
        record = records.get(change["record"], b"\xff" * 16)
        header = client.header(change["kind"], change["class"], change["verb"], record, **more)
        fields = sorted((number, value, ref(base)) for number, (value, base) in change["fields"].items())
        body = client.body(fields, seen_revision=change["seen_revision"], life_base=ref(change["life_base"]))
        client.append(header, body)
    answer = client.push()
    count = len(client.journal)
    assert (answer.received.sequence, answer.decided_through) == (count, count)
    client.pull()


def test_a_group_is_decided_when_its_last_change_comes_and_whole(hub, join):
    client = join()
    called = [name() for _ in range(3)]
    group = {"group": lx.new_record(), "group_size": 3}
    for one in called:
        client.record(PERSON, CLASS_SHARED, [(1, one)], **group)
    first = client.push(client.push_request(1, 2))
    assert (first.received.sequence, first.decided_through) == (2, 0)
    assert not people(hub, called[0])
    assert client.push(client.push_request(3, 3)).decided_through == 3
    assert [len(people(hub, one)) for one in called] == [1, 1, 1]

    called = [name() for _ in range(2)]
    group = {"group": lx.new_record(), "group_size": 3}
    for one in called:
        client.record(PERSON, CLASS_SHARED, [(1, one)], **group)
    client.record(PERSON, CLASS_SHARED, [(26, "没有姓名")], **group)
    answer = client.push()
    set_aside = client.wire.sync.OUTCOME_SET_ASIDE
    assert {place: outcome for place, (outcome, _) in outcomes(answer).items()} == dict.fromkeys(
        (4, 5, 6), set_aside
    )
    assert [len(people(hub, one)) for one in called] == [0, 0]


def test_a_group_of_more_bytes_than_are_taken_at_once_is_set_aside_whole(join):
    client = join()
    group = {"group": lx.new_record(), "group_size": 15}
    for _ in range(15):
        fields = [(1, secrets.token_bytes(20_000))]
        client.record(UNKNOWN_KIND, CLASS_SHARED, fields, **group)
    client.push(client.push_request(1, 8))
    answer = client.push(client.push_request(9, 15))
    assert answer.decided_through == 15
    set_aside = client.wire.sync.OUTCOME_SET_ASIDE
    assert {outcome for outcome, _ in outcomes(answer).values()} == {set_aside}


def test_a_broken_group_takes_no_change_with_it_that_is_not_of_it(hub, join):
    client = join()
    first, second, third = name(), name(), name()
    group = {"group": lx.new_record(), "group_size": 3}
    client.record(PERSON, CLASS_SHARED, [(1, first)], **group)
    client.person(second)
    client.person(third)
    answer = client.push()
    assert answer.decided_through == 3
    assert set(outcomes(answer)) == {1}
    assert [len(people(hub, one)) for one in (first, second, third)] == [0, 1, 1]


def test_after_all_the_rubbish_the_hub_is_up_and_proves_its_database(hub, join):
    assert hub.process.poll() is None
    assert "panicked" not in hub.log()
    client = join()
    person = client.person(name())
    assert not client.push().verdicts
    client.pull()
    assert client.row(PERSON, person) is not None
    hub.run("verify")


def test_a_signature_of_the_hub_does_not_hold_for_another_statement(join):
    client = join()
    client.person(name())
    client.push()
    page, _ = next(client.pages(client.pull_request(cursors={client.own_feed: 0})))
    text = lx.decided_text(client.incarnation, client.node, 1, page.decided_through + 1)
    with pytest.raises(InvalidSignature):
        lx.verify(client.hub_key, "decided", text, page.decided_signature)
