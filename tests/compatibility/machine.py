"""A computer of an office in the histories: a client, and what it wrote in the words of the model."""

import copy
import time

from conftest import Hub
from lianxin_client import Client
from model import Change


class Machine:
    """A computer of an office: the client, and what it wrote in the words of the model."""

    def __init__(self, hub: Hub, office_code: str, name: str):
        self.client = Client(hub.wire, hub.code(office_code))
        self.client.enroll()
        self.client.connect()
        self.name, self.told, self.offset_ms, self.leases = name, [], 0, []
        self.snapshots = []
        self.hello()

    def hello(self):
        request = self.client.hello_request()
        request.leases.extend(self.leases)
        answer = self.client.sync.Hello(request, timeout=20)
        self.client.confirmed_nonce = request.proposed_nonce
        self.client.incarnation, self.client.feeds = answer.incarnation, list(answer.feeds)
        self.offset_ms = answer.offset_ms
        if answer.standing == self.client.wire.sync.STANDING_AGREED:
            self.leases = list(answer.leases)
        return answer

    def letter_number(self) -> bytes:
        lease = self.leases[0]
        lease.next += 1
        return f"〔{lease.year}〕第{lease.next - 1:06}号".encode()

    @property
    def waiting(self) -> int:
        return len(self.client.journal) - self.client.acknowledged

    def shown(self, key: tuple):
        return self.client.row(*key)

    def rows(self) -> dict:
        return self.client.rows.get(self.client.own_feed, {})

    def write(self, change: Change, replaces=None) -> None:
        client, wire = self.client, self.client.wire
        more = {"actor": change.actor, "clock_suspect": change.is_suspect}
        written = change.written_ms if not change.is_future else int(time.time() * 1000) + 86_400_000
        more["timestamp"] = written << 16
        if change.tenure is not None:
            more["tenure_number"], more["tenure_holder"] = change.tenure
        if change.group is not None:
            more["group"], more["group_size"] = change.group
        if change.replaces is not None:
            old, more["replaces_body_hash"] = change.replaces
            more["replaces"] = wire.change.ChangeRef(node=old[0], epoch=old[1], sequence=old[2])
        header = client.header(change.kind, change.class_, change.verb, change.record, **more)
        fields = [(number, value, self.reference(base)) for number, value, base in change.fields]
        body = client.body(fields, seen_revision=change.seen_revision, life_base=self.reference(change.life_base))
        client.append(header if change.is_readable else b"\xff\xff", body)
        change.body_hash = client.journal[-1].hash()
        self.told.append(change)

    def reference(self, name):
        if name is None:
            return None
        node, epoch, sequence = name
        return self.client.wire.change.ChangeRef(node=node, epoch=epoch, sequence=sequence)

    def remember(self) -> dict:
        """What a backup of the machine's folder would hold."""
        client = self.client
        keys = ("journal", "chains", "acknowledged", "cursors", "epoch", "confirmed_nonce", "incarnation")
        kept = {key: copy.copy(getattr(client, key)) for key in keys}
        kept["rows"] = {feed: dict(rows) for feed, rows in client.rows.items()}
        return {"client": kept, "told": list(self.told), "leases": copy.deepcopy(self.leases)}

    def put_back(self, kept: dict) -> None:
        for key, value in kept["client"].items():
            setattr(self.client, key, copy.copy(value))
        self.client.rows = {feed: dict(rows) for feed, rows in kept["client"]["rows"].items()}
        self.told, self.leases = list(kept["told"]), copy.deepcopy(kept["leases"])
