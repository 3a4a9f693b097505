"""Who may call what, and about whose records: every caller at every call of every service, asked for what
is its own, another office's, nobody's, the whole city's, and the desk's.

The table says what must be answered in each cell. A call that stands in the .proto files and not in the
table fails the test; so does an answer in any cell in which a byte of another office's record is found.
"""

import copy
import datetime
import secrets
import shutil

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

import lianxin_client as lx
from conftest import Hub
from lianxin_client import CLASS_CASE, CLASS_SHARED, ORGANISATION, PERSON, Client

# UA unauthenticated, UV refused in the handshake, PD permission denied, NF not found, FP hello first.
# What a push answers for the change itself stands behind the colon; OK alone is applied.
CODES = {
    grpc.StatusCode.UNAUTHENTICATED: "UA",
    grpc.StatusCode.UNAVAILABLE: "UV",
    grpc.StatusCode.PERMISSION_DENIED: "PD",
    grpc.StatusCode.NOT_FOUND: "NF",
    grpc.StatusCode.FAILED_PRECONDITION: "FP",
}

# The callers:
#   nobody     without a certificate             apart      a copied machine that was set apart
#   otherhub   with a certificate of another hub epoch      in an epoch that was never offered
#   selfmade   one that an office signed         stale      with the incarnation of a hub that was restored
#   hubcert    the hub's own, as a client        office     an office's machine
#   expired    past its end                      second     another machine of that office
#   longgone   past its end for two years        neighbour  the other office's machine
#   early      before its beginning by the hub's clock: somebody's clock was set back, and no office is
#              locked out for that
#   older      one that a newer has replaced
#   revoked    of a revoked office
#   unknown    of a machine that this hub does not know
TABLE = """
call        whose  nobody otherhub selfmade hubcert expired longgone early  older revoked unknown apart epoch stale office second neighbour
Hello       own    UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Hello       other  UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Hello       none   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Hello       city   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Hello       desk   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Push        own    UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      kept  PD    FP    OK     OK     OK
Push        other  UA     UV       UV       UV      UA      UA       yours  UA    PD      NF      kept  PD    FP    yours  yours  yours
Push        none   UA     UV       UV       UV      UA      UA       waits  UA    PD      NF      kept  PD    FP    waits  waits  waits
Push        city   UA     UV       UV       UV      UA      UA       hub    UA    PD      NF      kept  PD    FP    hub    hub    hub
Push        desk   UA     UV       UV       UV      UA      UA       steps  UA    PD      NF      kept  PD    FP    steps  steps  steps
Pull        own    UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      PD    PD    FP    OK     OK     OK
Pull        other  UA     UV       UV       UV      UA      UA       PD     UA    PD      NF      PD    PD    FP    PD     PD     PD
Pull        none   UA     UV       UV       UV      UA      UA       PD     UA    PD      NF      PD    PD    FP    PD     PD     PD
Pull        city   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      PD    PD    FP    OK     OK     OK
Pull        desk   UA     UV       UV       UV      UA      UA       PD     UA    PD      NF      PD    PD    FP    PD     PD     PD
Watch       own    UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    FP    OK     OK     OK
Watch       other  UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    FP    OK     OK     OK
Watch       none   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    FP    OK     OK     OK
Watch       city   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    FP    OK     OK     OK
Watch       desk   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    FP    OK     OK     OK
Checkpoints own    UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Checkpoints other  UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Checkpoints none   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Checkpoints city   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Checkpoints desk   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      OK    OK    OK    OK     OK     OK
Reconcile   own    UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      PD    PD    FP    OK     OK     OK
Reconcile   other  UA     UV       UV       UV      UA      UA       PD     UA    PD      NF      PD    PD    FP    PD     PD     PD
Reconcile   none   UA     UV       UV       UV      UA      UA       PD     UA    PD      NF      PD    PD    FP    PD     PD     PD
Reconcile   city   UA     UV       UV       UV      UA      UA       OK     UA    PD      NF      PD    PD    FP    OK     OK     OK
Reconcile   desk   UA     UV       UV       UV      UA      UA       PD     UA    PD      NF      PD    PD    FP    PD     PD     PD
Renew       own    UA     UV       UV       UV      OK      PD       OK     OK    PD      NF      OK    OK    OK    OK     OK     OK
Renew       other  UA     UV       UV       UV      OK      PD       OK     OK    PD      NF      OK    OK    OK    OK     OK     OK
Renew       none   UA     UV       UV       UV      OK      PD       OK     OK    PD      NF      OK    OK    OK    OK     OK     OK
Renew       city   UA     UV       UV       UV      OK      PD       OK     OK    PD      NF      OK    OK    OK    OK     OK     OK
Renew       desk   UA     UV       UV       UV      OK      PD       OK     OK    PD      NF      OK    OK    OK    OK     OK     OK
Enroll      own    OK     UV       UV       UV      OK      OK       OK     OK    OK      OK      OK    OK    OK    OK     OK     OK
Enroll      other  OK     UV       UV       UV      OK      OK       OK     OK    OK      OK      OK    OK    OK    OK     OK     OK
Enroll      none   UA     UV       UV       UV      UA      UA       UA     UA    UA      UA      UA    UA    UA    UA     UA     UA
Enroll      city   UA     UV       UV       UV      UA      UA       UA     UA    UA      UA      UA    UA    UA    UA     UA     UA
Enroll      desk   UA     UV       UV       UV      UA      UA       UA     UA    UA      UA      UA    UA    UA    UA     UA     UA
"""
HEAD, *LINES = [line.split() for line in TABLE.strip().splitlines()]
CALLERS = HEAD[2:]
EXPECTED = {(call, whose): dict(zip(CALLERS, cells, strict=True)) for call, whose, *cells in LINES}
OWNERS = ("own", "other", "none", "city", "desk")
REASONS = {"not_yours": "yours", "waiting": "waits", "hub_only": "hub", "by_steps_only": "steps"}
# Kinds that only the hub makes: tenure, transfer, letter, conflict, set aside, stub, merge.
HUB_KINDS = (4, 5, 7, 13, 14, 15, 16)
DAY_S = 86_400
# Longer than a certificate lives and may still be renewed after its end.
LONG_DAYS = 180 + 2 * 365


def test_the_table_has_every_call_of_every_service(wire, met):
    files = (wire.sync.DESCRIPTOR, wire.enrolment.DESCRIPTOR, wire.change.DESCRIPTOR, wire.row.DESCRIPTOR)
    services = [service for file in files for service in file.services_by_name.values()]
    calls = {method.name for service in services for method in service.methods}
    assert {call for call, _ in EXPECTED} == calls
    assert set(EXPECTED) == {(call, whose) for call in calls for whose in OWNERS}
    met("calls of the published services", len(calls))


class Scene:
    """A caller and another office, each with a record of its own, at one hub."""

    def __init__(self, hub: Hub):
        self.hub = hub
        self.clients = []
        self.home, self.abroad = hub.new_office(), hub.new_office()
        self.first = self.joined(self.home)
        self.other = self.joined(self.abroad)
        self.secret = "机密" + secrets.token_hex(12)
        self.kept = self.other.person(self.secret)
        self.other.push()
        self.other.pull()
        self.before = self.other.row(PERSON, self.kept).SerializeToString()
        self.own_name = "本社区" + secrets.token_hex(12)
        self.own = self.first.person(self.own_name)
        self.first.push()
        # Who calls, and with which certificate; a role may say otherwise.
        self.caller = self.first
        self.pair = None

    def joined(self, office: str) -> Client:
        client = Client(self.hub.wire, self.hub.code(office))
        client.enroll()
        client.connect().hello()
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()


# --- the callers --------------------------------------------------------------------------------


def nobody(scene: Scene, _) -> None:
    scene.pair = (None, None)


def otherhub(scene: Scene, make_hub) -> None:
    elsewhere = make_hub()
    stranger = Client(elsewhere.wire, elsewhere.code())
    stranger.enroll()
    scene.pair = (lx.pem_of_key(stranger.tls_key), stranger.chain_pem)


def made_like(client: Client, issuer: x509.Name, key, days: tuple) -> bytes:
    """A certificate with every name of the client's own."""
    leaf, now = client.leaf(), datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(leaf.subject).issuer_name(issuer)
    builder = builder.public_key(client.tls_key.public_key()).serial_number(leaf.serial_number)
    builder = builder.not_valid_before(now + datetime.timedelta(days=days[0]))
    builder = builder.not_valid_after(now + datetime.timedelta(days=days[1]))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    builder = builder.add_extension(names, critical=False)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(usage, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def selfmade(scene: Scene, _) -> None:
    """Right in every name, and signed by the office's own key."""
    client = scene.caller
    made = made_like(client, client.leaf().subject, client.tls_key, (-1, 30))
    scene.pair = (lx.pem_of_key(client.tls_key), made + client.chain_pem)


def kept_by(hub: Hub, name: str) -> tuple:
    """A key of the hub's own folder with its chain, PEM."""
    (file,) = hub.folder.rglob(name)
    text = file.read_bytes()
    key = serialization.load_pem_private_key(text[text.index(b"-----BEGIN PRIVATE") :], None)
    return key, text[text.index(b"-----BEGIN CERTIFICATE") :]


def hubcert(scene: Scene, _) -> None:
    key, chain = kept_by(scene.hub, "server.pem")
    scene.pair = (lx.pem_of_key(key), chain)


def longgone(scene: Scene, _) -> None:
    """As this hub would have made it, had the machine been enrolled when the hub was made."""
    client = scene.caller
    key, chain = kept_by(scene.hub, "intermediate.pem")
    issuer = x509.load_pem_x509_certificates(chain)[0].subject
    made = made_like(client, issuer, key, (-LONG_DAYS + 1, -LONG_DAYS + 181))
    _, *above = client.chain_pem.partition(b"-----END CERTIFICATE-----\n")
    scene.pair = (lx.pem_of_key(client.tls_key), made + above[1])


def at_another_time(days: int):
    def role(scene: Scene, _) -> None:
        scene.hub.stop()
        scene.hub.start(clock_offset_s=days * DAY_S)

    return role


def older(scene: Scene, _) -> None:
    client = scene.caller
    scene.pair = (lx.pem_of_key(client.tls_key), client.chain_pem)
    # Certificates are told apart by the second from which they hold.
    while True:
        client.renew(lx.new_tls_key())
        old = x509.load_pem_x509_certificates(scene.pair[1])[0]
        if client.leaf().not_valid_before_utc > old.not_valid_before_utc:
            break
    client.connect().hello()


def revoked(scene: Scene, _) -> None:
    scene.hub.run("office", "revoke", scene.home)


def unknown(scene: Scene, _) -> None:
    hub, before = scene.hub, scene.hub.folder / "before"
    hub.stop()
    shutil.copytree(hub.data, before)
    hub.start()
    scene.caller = scene.joined(scene.home)
    scene.caller.close()
    hub.stop()
    shutil.rmtree(hub.data)
    before.rename(hub.data)
    hub.start()


def apart(scene: Scene, _) -> None:
    """A copy of the machine goes on in another epoch, and then the machine itself greets again."""
    machine = scene.caller
    nonce, head = machine.confirmed_nonce, (len(machine.journal) - 1)
    machine.hello()
    twin = copy.copy(machine)
    twin.channel, twin.confirmed_nonce = None, nonce
    twin.journal, twin.chains, twin.acknowledged = machine.journal[:head], machine.chains[:head], head
    twin.connect()
    scene.clients.append(twin)
    answer = twin.hello()
    assert answer.standing == twin.wire.sync.STANDING_REWOUND
    twin.epoch, twin.confirmed_nonce = answer.offered_epoch, b""
    twin.journal, twin.chains, twin.acknowledged = [], [], 0
    assert twin.hello().standing == twin.wire.sync.STANDING_AGREED
    assert machine.hello().standing == machine.wire.sync.STANDING_AGREED
    assert twin.hello().standing == twin.wire.sync.STANDING_CLONED
    scene.caller = twin


def epoch(scene: Scene, _) -> None:
    scene.caller.epoch = 9


def stale(scene: Scene, _) -> None:
    scene.caller.incarnation = secrets.token_bytes(16)


def office(_scene: Scene, _) -> None:
    pass


def second(scene: Scene, _) -> None:
    scene.caller = scene.joined(scene.home)


def neighbour(scene: Scene, _) -> None:
    scene.caller = scene.joined(scene.abroad)
    scene.secret = scene.own_name
    scene.other, scene.kept = scene.first, scene.own
    scene.other.pull()
    scene.before = scene.other.row(PERSON, scene.kept).SerializeToString()


ROLES = {
    "nobody": nobody,
    "otherhub": otherhub,
    "selfmade": selfmade,
    "hubcert": hubcert,
    "expired": at_another_time(181),
    "longgone": longgone,
    "early": at_another_time(-40),
    "older": older,
    "revoked": revoked,
    "unknown": unknown,
    "apart": apart,
    "epoch": epoch,
    "stale": stale,
    "office": office,
    "second": second,
    "neighbour": neighbour,
}
# What a refusal of such a caller shows.
FAULTS = {
    "nobody": "N16 callers without a certificate refused",
    "otherhub": "N16 certificates of another hub refused",
    "selfmade": "M3 certificates that an office signed refused",
    "hubcert": "N16 the hub's own certificate refused as a client's",
    "expired": "N15 expired certificates refused",
    "longgone": "N15 expired certificates refused",
    "older": "M7 replaced certificates refused",
    "revoked": "M8 revoked machines refused",
    "unknown": "D4 machines that the hub does not know refused",
    "apart": "D5 copied machines refused",
    "epoch": "D3 epochs that were never offered refused",
    "stale": "D4 calls for a former incarnation refused",
}


# --- the cells ----------------------------------------------------------------------------------


def smuggled(office_id: bytes) -> bytes:
    """A field 9999 with the id of an office, as bytes of a message: it must say nothing to the hub."""
    return b"\xfa\xf0\x04" + bytes([len(office_id)]) + office_id


class Cell:
    """One call of one caller about somebody's records."""

    def __init__(self, scene: Scene, channel):
        self.scene, self.caller = scene, scene.caller
        self.sync = self.caller.wire.sync_grpc.SyncStub(channel)
        self.enrolment = self.caller.wire.enrolment_grpc.EnrolmentStub(channel)
        caller, other = self.caller, scene.other
        self.offices = {
            "own": caller.office,
            "other": other.office,
            "none": lx.new_record(),
            "city": bytes([255]) * 16,
            "desk": bytes(16),
        }
        self.feeds = {whose: "office/" + _hyphenated(key) for whose, key in self.offices.items()}
        self.feeds["city"] = "city"
        self.seen = []

    def status(self, call: str, whose: str) -> str:
        try:
            return getattr(self, call)(whose) or "OK"
        except grpc.RpcError as error:
            self.seen.append(error.details().encode())
            return CODES.get(error.code(), error.code().name)

    def smuggle(self, message, whose: str):
        return type(message).FromString(message.SerializeToString() + smuggled(self.offices[whose]))

    def heard(self, message):
        self.seen.append(message.SerializeToString())
        return message

    def Hello(self, whose: str) -> None:
        request = self.smuggle(self.caller.hello_request(), whose)
        answer = self.heard(self.sync.Hello(request, timeout=20))
        self.caller.confirmed_nonce = request.proposed_nonce
        assert set(answer.feeds) == {"city", self.feeds["own"]}

    def Push(self, whose: str) -> str:
        client, scene = self.caller, self.scene
        before = len(client.journal)
        if whose == "own":
            client.person("本社区居民")
        elif whose == "desk":
            for kind in HUB_KINDS:
                header = client.header(kind, CLASS_CASE, lx.SET, lx.new_record())
                client.append(header, client.body([(50_001, b"x")]))
        else:
            what = {
                "other": (PERSON, CLASS_SHARED, scene.kept),
                "none": (PERSON, CLASS_SHARED, lx.new_record()),
                "city": (ORGANISATION, lx.CLASS_REFERENCE, scene.other.office),
            }
            kind, class_, record = what[whose]
            header = client.header(kind, class_, lx.SET, record)
            client.append(header, client.body([(1, "改名")]))
        request = client.push_request(before + 1)
        try:
            answer = self.heard(self.sync.Push(request, timeout=20))
        except grpc.RpcError:
            del client.journal[before:], client.chains[before:]
            raise
        assert answer.received.sequence == len(client.journal) and not answer.out_of_place
        client.acknowledged = len(client.journal)
        if answer.decided_through < client.acknowledged:
            return "kept"
        reasons = {verdict.reason for verdict in answer.verdicts}
        count = len(answer.verdicts)
        assert count == (len(client.journal) - before if reasons else 0) and len(reasons) <= 1
        return REASONS.get(reasons.pop(), "another reason") if reasons else "OK"

    def Pull(self, whose: str) -> None:
        request = self.caller.pull_request(cursors={self.feeds[whose]: 0})
        for page in self.sync.Pull(self.smuggle(request, whose), timeout=20):
            self.heard(page)
            assert page.feed == self.feeds[whose]
            raw = lx.unpack(page.rows, page.raw_bytes)
            self.seen.append(raw)
            for row in self.caller.wire.sync.RowSet.FromString(raw).rows:
                assert whose == "city" or row.office == self.caller.office

    def Watch(self, whose: str) -> None:
        request = self.caller.wire.sync.WatchRequest(incarnation=self.caller.incarnation)
        stream = self.sync.Watch(self.smuggle(request, whose), timeout=20)
        head = self.heard(next(stream))
        stream.cancel()
        assert head.feed in {"city", self.feeds["own"]}

    def Checkpoints(self, whose: str) -> None:
        messages = self.caller.wire.sync
        request = messages.CheckpointsRequest(epoch=self.caller.epoch, sequences=range(20))
        heads = self.heard(self.sync.Checkpoints(self.smuggle(request, whose), timeout=20)).heads
        own = {0: lx.chain_start(self.caller.node, self.caller.epoch)}
        own.update(zip(range(1, 20), self.caller.chains))
        for head in heads:
            assert own.get(head.sequence) == head.chain, "a chain of somebody else"

    def Reconcile(self, whose: str) -> None:
        messages, caller, scene = self.caller.wire.sync, self.caller, self.scene
        record = {"own": scene.own, "other": scene.kept, "city": caller.office}
        kind = ORGANISATION if whose == "city" else PERSON
        name = kind.to_bytes(2, "big") + record.get(whose, self.offices[whose])
        # Asked for in the own feed, what is not the own is not there.
        for feed in {self.feeds["own"], self.feeds[whose]}:
            request = messages.ReconcileRequest(
                incarnation=caller.incarnation, epoch=caller.epoch, feed=feed, prefixes=[b""], wanted=[name]
            )
            answer = self.heard(self.sync.Reconcile(self.smuggle(request, whose), timeout=20))
            for row in answer.rows:
                assert feed == "city" or row.office == caller.office
                assert row.record not in (scene.kept,)

    def Renew(self, whose: str) -> None:
        uri = "/".join(["lianxin:/", self.offices[whose].hex()])
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        request = lx.signing_request(self.caller.tls_key, [names])
        message = self.caller.wire.sync.RenewRequest(signing_request=request)
        answer = self.heard(self.sync.Renew(self.smuggle(message, whose), timeout=20))
        leaf = x509.load_pem_x509_certificates(answer.certificate_chain.encode())[0]
        assert named_in(leaf) == named_in(self.caller.leaf())

    def Enroll(self, whose: str) -> None:
        hub, secret = self.scene.hub, secrets.token_bytes(16)
        offices = {"own": self.scene.home, "other": self.scene.abroad}
        applicant = copy.copy(self.caller)
        applicant.tls_key, applicant.signing_key = lx.new_tls_key(), lx.ed25519.Ed25519PrivateKey.generate()
        if whose in offices:
            code = lx.EnrolmentCode.decode(hub.code(offices[whose]))
            secret, office_id = code.secret, code.office
        elif whose == "city":
            secret = self.caller.code.secret
        elif whose == "desk":
            secret = bytes(16)
        request = applicant.enroll_request()
        request.secret = secret
        answer = self.heard(self.enrolment.Enroll(request, timeout=20))
        leaf = x509.load_pem_x509_certificates(answer.certificate_chain.encode())[0]
        assert answer.office_id == office_id and office_id.hex() in named_in(leaf).replace("-", "")


def named_in(leaf: x509.Certificate) -> str:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uri


def _hyphenated(key: bytes) -> str:
    text = key.hex()
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


@pytest.fixture
def make_hub(tmp_path, wire):
    """Hubs of one test alone."""
    hubs = []

    def make(days_old: int = 0) -> Hub:
        folder = tmp_path / f"hub-{len(hubs)}"
        folder.mkdir()
        hubs.append(Hub(folder, wire, -days_old * DAY_S))
        return hubs[-1].start()

    yield make
    for hub in hubs:
        hub.stop()


@pytest.mark.parametrize("role", CALLERS)
def test_every_call_answers_a_caller_as_the_table_says(role, make_hub, times, met):
    hub = make_hub(LONG_DAYS if role == "longgone" else 0)
    for _ in range(max(1, times // 7)):
        check(role, hub, make_hub, met)
    hub.run("verify")
    assert "panicked" not in hub.log()


def check(role: str, hub: Hub, make_hub, met) -> None:
    scene = Scene(hub)
    try:
        ROLES[role](scene, make_hub)
        client = scene.caller
        own = (lx.pem_of_key(client.tls_key), client.chain_pem)
        with client.open_channel(*(scene.pair or own)) as channel:
            cell = Cell(scene, channel)
            got = {place: cell.status(*place) for place in EXPECTED}
        wrong = {place: status for place, status in got.items() if status != EXPECTED[place][role]}
        expected = {place: EXPECTED[place][role] for place in wrong}
        assert not wrong, f"{role}: {wrong} and not {expected}"
        leaked = [answer for answer in cell.seen if scene.secret.encode() in answer]
        assert not leaked, f"{role} was told of another office's record"
    finally:
        scene.close()
    met("M1 cells of callers, calls and owners asserted", len(got))
    met("M1 foreign offices refused", sum(got[place] != "OK" for place in got if place[1] == "other"))
    refused = [place for place, status in got.items() if status in CODES.values() and place[0] != "Enroll"]
    if role in FAULTS:
        met(FAULTS[role], len(refused))
    met("M17 codes that are no codes refused", sum(got["Enroll", whose] == "UA" for whose in OWNERS))
    hub.stop()
    hub.start()
    other = Client(hub.wire, hub.code(scene.abroad if role != "neighbour" else scene.home))
    other.enroll()
    other.connect().hello()
    other.pull()
    after = other.row(PERSON, scene.kept)
    other.close()
    assert after is not None and after.SerializeToString() == scene.before, "another office's record moved"
