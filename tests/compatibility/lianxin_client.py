"""A client of the hub in another language, written from the published messages.

It shares no code with the programs. What it needs beyond the .proto files (the bytes under a
signature, the form of an enrolment code, the hash of a row) is written out here in full.
"""

import hashlib
import importlib
import secrets
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc_tools
import zstandard
from blake3 import blake3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

HUB_NAME = "hub.lianxin.internal"
CALL_SECONDS = 20

CLASS_SHARED, CLASS_HELD, CLASS_LEDGER, CLASS_CASE, CLASS_REFERENCE = 1, 2, 3, 4, 5
CREATE, SET, DELETE, RESTORE, STEP = 1, 2, 3, 4, 5
ORGANISATION, PERSON, MEMBER, SET_ASIDE = 1, 2, 3, 14


# --- the messages -------------------------------------------------------------------------------


class Wire:
    """The messages, generated from the .proto files into a folder that is thrown away."""

    def __init__(self, proto: Path, out: Path):
        from grpc_tools import protoc

        files = sorted(str(path.relative_to(proto)) for path in proto.glob("lianxin/*/v1/*.proto"))
        if not files:
            raise FileNotFoundError(f"no .proto files under {proto}")
        own = str(Path(grpc_tools.__file__).parent / "_proto")
        args = ["protoc", f"-I{proto}", f"-I{own}", f"--python_out={out}", f"--grpc_python_out={out}"]
        if protoc.main(args + files) != 0:
            raise RuntimeError("the .proto files do not compile")
        sys.path.insert(0, str(out))
        load = importlib.import_module
        self.change = load("lianxin.sync.v1.change_pb2")
        self.row = load("lianxin.sync.v1.row_pb2")
        self.sync = load("lianxin.sync.v1.sync_pb2")
        self.sync_grpc = load("lianxin.sync.v1.sync_pb2_grpc")
        self.enrolment = load("lianxin.enrolment.v1.enrolment_pb2")
        self.enrolment_grpc = load("lianxin.enrolment.v1.enrolment_pb2_grpc")


# --- the enrolment code -------------------------------------------------------------------------

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
WEIGHTS = (1, 3, 5, 7, 9)


class CodeError(ValueError):
    """A code that is mistyped or cut."""


@dataclass(frozen=True)
class EnrolmentCode:
    office: bytes
    root_hash: bytes
    secret: bytes
    expires: int
    office_code: str
    addresses: tuple

    @classmethod
    def decode(cls, text: str) -> "EnrolmentCode":
        """Crockford base32 in groups of five characters and one check character."""
        symbols = [ALPHABET.index(c) for c in text.upper() if c not in "- \n"]
        data = []
        for number, at in enumerate(range(0, len(symbols), 6), start=1):
            *values, check = symbols[at : at + 6]
            expected = (sum(v * w for v, w in zip(values, WEIGHTS)) + 11 * number) % 32
            if check != expected:
                raise CodeError(f"group {number} is mistyped")
            data += values
        bits = "".join(f"{value:05b}" for value in data)
        raw = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8))
        if len(raw) < 2 or raw[0] != 1 or raw[1] != len(raw):
            raise CodeError("another version or length")
        body, checksum = raw[:-4], raw[-4:]
        if blake3(body).digest()[:4] != checksum:
            raise CodeError("the checksum does not fit")
        rest = memoryview(body)[2:]

        def take(count: int) -> bytes:
            nonlocal rest
            if len(rest) < count:
                raise CodeError("cut")
            head, rest = bytes(rest[:count]), rest[count:]
            return head

        def take_text() -> str:
            return take(take(1)[0]).decode()

        office, root_hash, secret = take(16), take(32), take(16)
        expires = int.from_bytes(take(4), "big")
        office_code = take_text()
        addresses = tuple(take_text() for _ in range(take(1)[0]))
        if rest:
            raise CodeError("too long")
        return cls(office, root_hash, secret, expires, office_code, addresses)


def comparison_number(secret: bytes, spki: bytes, verifying_key: bytes, root_hash: bytes) -> str:
    """The six figures that both sides show."""
    hasher = blake3(derive_key_context="lianxin 2026 enrolment comparison number v1")
    for part in (secret, spki, verifying_key, root_hash):
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return f"{int.from_bytes(hasher.digest()[:8], 'big') % 1_000_000:06d}"


# --- keys and certificates ----------------------------------------------------------------------


def spki_of(public_key) -> bytes:
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def raw_public(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def pem_of_key(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def new_tls_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def signing_request(key, extensions=()) -> bytes:
    """A PKCS#10 request, DER, that names nobody: who the node is, the hub says."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


def fetch_root(address: str, root_hash: bytes) -> bytes:
    """The hub's root, PEM: of the chain that the server presents, the certificate whose key has the
    hash of the code. Nothing else of that connection is believed."""
    host, port = address.rsplit(":", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, int(port)), timeout=CALL_SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname=HUB_NAME) as tls:
            # Public since Python 3.13; before that only on the inner object.
            inner = tls if hasattr(tls, "get_unverified_chain") else tls._sslobj
            chain = inner.get_unverified_chain()
    for certificate in chain:
        if not isinstance(certificate, bytes):
            certificate = ssl.PEM_cert_to_DER_cert(certificate.public_bytes())
        parsed = x509.load_der_x509_certificate(certificate)
        if hashlib.sha256(spki_of(parsed.public_key())).digest() == root_hash:
            return parsed.public_bytes(serialization.Encoding.PEM)
    raise ssl.SSLError("the server does not present the root that the code names")


# --- bytes under hashes and signatures ----------------------------------------------------------


def sign(key: ed25519.Ed25519PrivateKey, label: str, message: bytes) -> bytes:
    return key.sign(b"lianxin/v1/" + label.encode() + b"\n" + message)


def verify(public: bytes, label: str, message: bytes, signature: bytes) -> None:
    """Raises InvalidSignature where it does not hold."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    key.verify(signature, b"lianxin/v1/" + label.encode() + b"\n" + message)


def batch_text(node: bytes, epoch: int, first: int, count: int, chain: bytes) -> bytes:
    numbers = epoch.to_bytes(4, "big") + first.to_bytes(8, "big") + count.to_bytes(4, "big")
    return b"lianxin batch 1" + node + numbers + chain


def decided_text(incarnation: bytes, node: bytes, epoch: int, decided_through: int) -> bytes:
    numbers = epoch.to_bytes(4, "big") + decided_through.to_bytes(8, "big")
    return b"lianxin decided 1" + incarnation + node + numbers


def certificate_text(incarnation: bytes, office: bytes, feed: str, sequence: int, digest: tuple) -> bytes:
    name = feed.encode()
    numbers = len(name).to_bytes(8, "big") + name + sequence.to_bytes(8, "big")
    total, count = digest
    return b"lianxin equality 1" + incarnation + office + numbers + total + count.to_bytes(8, "big")


def chain_start(node: bytes, epoch: int) -> bytes:
    return blake3(node + epoch.to_bytes(4, "big")).digest()


def chain_next(before: bytes, header: bytes, body_hash: bytes) -> bytes:
    return blake3(before + header + body_hash).digest()


def ref_bytes(ref) -> bytes:
    return ref.node + ref.epoch.to_bytes(4, "big") + ref.sequence.to_bytes(8, "big")


def row_hash(row) -> bytes:
    hasher = blake3(b"lianxin row 1")
    hasher.update(row.kind.to_bytes(2, "big") + row.record + row.revision.to_bytes(8, "big"))
    hasher.update(bytes([row.life]) + ref_bytes(row.versions[row.life_version].change))
    hasher.update(len(row.fields).to_bytes(8, "big"))
    for value in row.fields:
        hasher.update(value.number.to_bytes(2, "big"))
        hasher.update(ref_bytes(row.versions[value.version].change))
        hasher.update(blake3(value.value).digest())
    return hasher.digest()


def digest_of(rows) -> tuple:
    """The sum of the row hashes modulo 2^256, and how many."""
    hashed = [int.from_bytes(row_hash(row), "big") for row in rows]
    return (sum(hashed) % 2**256).to_bytes(32, "big"), len(hashed)


def pack(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(raw)


def unpack(packed: bytes, raw_bytes: int) -> bytes:
    raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(raw_bytes, 1))
    if len(raw) != raw_bytes:
        raise ValueError("the declared size is not the real one")
    return raw


def offered(wire, rows) -> dict:
    """Rows as a report offers them."""
    raw = wire.sync.RowSet(rows=rows).SerializeToString()
    return {"offered": pack(raw), "offered_raw_bytes": len(raw)}


# --- changes ------------------------------------------------------------------------------------


def new_record() -> bytes:
    """A UUIDv7."""
    value = int(time.time() * 1000) << 80 | 7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return value.to_bytes(16, "big")


@dataclass
class Recorded:
    """One change as it will be hashed, signed and sent."""

    header: bytes
    salt: bytes
    body: bytes
    body_hash: bytes = b""

    def hash(self) -> bytes:
        return self.body_hash or blake3(self.salt + self.body).digest()


def chain_over(before: bytes, changes) -> bytes:
    for change in changes:
        before = chain_next(before, change.header, change.hash())
    return before


class Client:
    """One machine of an office: its keys, its journal, what it has pulled."""

    def __init__(self, wire: Wire, code: str, address: str | None = None):
        self.wire = wire
        self.code = EnrolmentCode.decode(code)
        self.address = address or self.code.addresses[0]
        self.tls_key = new_tls_key()
        self.signing_key = ed25519.Ed25519PrivateKey.generate()
        self.root_pem = fetch_root(self.address, self.code.root_hash)
        self.chain_pem = b""
        self.node = self.office = b""
        self.epoch = 0
        self.incarnation = b""
        self.confirmed_nonce = b""
        self.feeds = []
        self.journal: list[Recorded] = []
        self.chains: list[bytes] = []
        self.acknowledged = 0
        self.cursors: dict[str, int] = {}
        self.rows: dict[str, dict] = {}
        self.channel = None
        self.sync = None
        # Further settings of the channel.
        self.options: list[tuple] = []

    # - connection -

    def open_channel(self, key_pem=None, chain_pem=None):
        """A channel that trusts the root of the code alone."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self.root_pem, private_key=key_pem, certificate_chain=chain_pem
        )
        options = [
            ("grpc.ssl_target_name_override", HUB_NAME),
            ("grpc.max_receive_message_length", 8 * 1024 * 1024),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_retries", 0),
            # No connection is shared with another client of this process.
            ("grpc.use_local_subchannel_pool", 1),
            *self.options,
        ]
        return grpc.secure_channel(self.address, credentials, options)

    def connect(self) -> "Client":
        self.close()
        self.channel = self.open_channel(pem_of_key(self.tls_key), self.chain_pem)
        self.sync = self.wire.sync_grpc.SyncStub(self.channel)
        return self

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    # - enrolment -

    def enroll_request(self):
        return self.wire.enrolment.EnrollRequest(
            secret=self.code.secret,
            signing_request=signing_request(self.tls_key),
            verifying_key=raw_public(self.signing_key),
            machine="foreign client",
            version="compatibility",
        )

    def enroll(self, request=None):
        with self.open_channel() as channel:
            stub = self.wire.enrolment_grpc.EnrolmentStub(channel)
            answer = stub.Enroll(request or self.enroll_request(), timeout=CALL_SECONDS)
        self.chain_pem = answer.certificate_chain.encode()
        self.node, self.office, self.epoch = answer.node_id, answer.office_id, answer.epoch
        self.hub_key = answer.hub_verifying_key
        return answer

    # - greeting -

    def head(self):
        chain = self.chains[-1] if self.chains else chain_start(self.node, self.epoch)
        return self.wire.sync.Head(sequence=len(self.journal), chain=chain)

    def hello_request(self):
        return self.wire.sync.HelloRequest(
            epoch=self.epoch,
            head=self.head(),
            confirmed_nonce=self.confirmed_nonce,
            proposed_nonce=secrets.token_bytes(16),
            incarnation=self.incarnation,
            schema=1,
            clock=int(time.time() * 1000),
            version="compatibility",
            waiting=len(self.journal) - self.acknowledged,
        )

    def hello(self):
        request = self.hello_request()
        answer = self.sync.Hello(request, timeout=CALL_SECONDS)
        self.confirmed_nonce = request.proposed_nonce
        self.incarnation = answer.incarnation
        self.feeds = list(answer.feeds)
        return answer

    # - the journal -

    def version(self, sequence: int):
        """The name of an own change: the version of what it set."""
        return self.wire.change.ChangeRef(node=self.node, epoch=self.epoch, sequence=sequence)

    def header(self, kind: int, class_: int, verb: int, record: bytes, **more) -> bytes:
        more.setdefault("actor", "王小明")
        more.setdefault("timestamp", int(time.time() * 1000) << 16)
        message = self.wire.change.ChangeHeader(
            record=record, kind=kind, verb=verb, **{"class": class_}, **more
        )
        return message.SerializeToString(deterministic=True)

    def body(self, fields=(), **more) -> bytes:
        """Fields as (number, value) or (number, value, base)."""
        message = self.wire.change.ChangeBody(**more)
        for number, value, *base in fields:
            value = value.encode() if isinstance(value, str) else value
            change = message.fields.add(number=number, value=value)
            if base and base[0] is not None:
                change.base.CopyFrom(base[0])
        return message.SerializeToString(deterministic=True)

    def append(self, header: bytes, body: bytes, **more) -> int:
        """Adds a change to the journal; its place."""
        change = Recorded(header, secrets.token_bytes(16), body, **more)
        before = self.chains[-1] if self.chains else chain_start(self.node, self.epoch)
        self.journal.append(change)
        self.chains.append(chain_over(before, [change]))
        return len(self.journal)

    def record(self, kind: int, class_: int, fields, record: bytes | None = None, **more) -> bytes:
        """Journals a creation; the record's id."""
        record = record or new_record()
        self.append(self.header(kind, class_, CREATE, record, **more), self.body(fields))
        return record

    def person(self, name: str, *more) -> bytes:
        return self.record(PERSON, CLASS_SHARED, [(1, name), *more])

    def member(self, person: bytes) -> bytes:
        fields = [(1, person), (2, "full"), (3, "FULL"), (7, "2001-07-01")]
        return self.record(MEMBER, CLASS_HELD, fields)

    def batch_raw(self, changes) -> bytes:
        batch = self.wire.change.ChangeBatch()
        for change in changes:
            batch.changes.add(
                header=change.header,
                salt=change.salt,
                body=change.body,
                body_hash=change.body_hash,
            )
        return batch.SerializeToString(deterministic=True)

    def push_request(self, first: int | None = None, last: int | None = None, **more):
        """A signed batch of the journal; what is given in `more` replaces what would be right, and
        is signed where the signature itself is not given."""
        first = self.acknowledged + 1 if first is None else first
        last = len(self.journal) if last is None else last
        raw = self.batch_raw(self.journal[first - 1 : last])
        parts = {
            "incarnation": self.incarnation,
            "epoch": self.epoch,
            "first_sequence": first,
            "count": last - first + 1,
            "raw_bytes": len(raw),
            "batch": pack(raw),
            "chain": self.chains[last - 1],
        }
        parts.update(more)
        if "signature" not in parts:
            text = batch_text(
                self.node,
                parts["epoch"],
                parts["first_sequence"],
                parts["count"],
                parts["chain"],
            )
            parts["signature"] = sign(self.signing_key, "batch", text)
        return self.wire.sync.PushRequest(**parts)

    def push(self, request=None):
        answer = self.sync.Push(request or self.push_request(), timeout=CALL_SECONDS)
        if not answer.out_of_place:
            self.acknowledged = max(self.acknowledged, answer.received.sequence)
        return answer

    # - down -

    def pull_request(self, cursors=None, folded_through: int = 0):
        cursors = cursors if cursors is not None else {feed: self.cursors.get(feed, 0) for feed in self.feeds}
        return self.wire.sync.PullRequest(
            incarnation=self.incarnation,
            epoch=self.epoch,
            cursors=[self.wire.sync.Cursor(feed=f, sequence=s) for f, s in cursors.items()],
            folded_through=folded_through,
        )

    def pages(self, request):
        """The pages with their rows, each signature checked."""
        for page in self.sync.Pull(request, timeout=CALL_SECONDS):
            rows = self.wire.sync.RowSet.FromString(unpack(page.rows, page.raw_bytes)).rows
            text = decided_text(self.incarnation, self.node, self.epoch, page.decided_through)
            verify(self.hub_key, "decided", text, page.decided_signature)
            if page.HasField("digest"):
                digest = (page.digest.sum, page.digest.count)
                place = (page.feed, page.to_sequence)
                text = certificate_text(self.incarnation, self.office, *place, digest)
                verify(self.hub_key, "digest", text, page.digest.signature)
            yield page, list(rows)

    def pull(self, folded_through: int = 0):
        """Takes what has moved; the pages that ended a feed, by feed."""
        ends = {}
        for page, rows in self.pages(self.pull_request(folded_through=folded_through)):
            known = self.rows.setdefault(page.feed, {})
            for row in rows:
                key = (row.kind, row.record)
                if row.left:
                    known.pop(key, None)
                elif key not in known or known[key].revision <= row.revision:
                    known[key] = row
            self.cursors[page.feed] = page.to_sequence
            if page.HasField("digest"):
                ends[page.feed] = page
        return ends

    @property
    def own_feed(self) -> str:
        return next(feed for feed in self.feeds if feed.startswith("office/"))

    def row(self, kind: int, record: bytes):
        """A record's row as pulled from any feed; none where it was not."""
        for rows in self.rows.values():
            if (kind, record) in rows:
                return rows[(kind, record)]
        return None

    def renew(self, key=None, request: bytes | None = None):
        """Renews for this key (another than the present one is used from then on)."""
        key = key or self.tls_key
        if request is None:
            request = signing_request(key)
        message = self.wire.sync.RenewRequest(signing_request=request)
        answer = self.sync.Renew(message, timeout=CALL_SECONDS)
        self.tls_key, self.chain_pem = key, answer.certificate_chain.encode()
        return answer

    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.chain_pem)[0]


def values_of(row) -> dict:
    return {value.number: value.value for value in row.fields}
