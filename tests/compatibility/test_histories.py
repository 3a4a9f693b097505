"""Random histories of three machines of two offices, each step compared with a model of the hub.

Two machines speak for one office and do not see each other's work until they pull; the third is of another
office. What the hub answers, what it sends down and what it signs must be what `model.py` says.
"""

import collections
import copy
import time

import grpc
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

import lianxin_client as lx
import model
from conftest import MET, Hub, serving
from lianxin_client import Client
from machine import Machine
from model import CASE, CREATE, DELETE, HELD, ITEM, LEDGER, MEMBER, NOTE, PERSON, RESTORE, SET, SHARED, STEP, TAKE_STEP
from model import TEAM, TENURE, Change, HubChange

UNKNOWN, UNKNOWN_LEDGER, UNKNOWN_FIELD = 60_001, 60_002, 50_001
LETTER, STUB = 7, 15
CODE = grpc.StatusCode
MINUTE_MS = 60_000
# Fields that are edited, by kind, with values that may be given to them.
TEXTS = [b"", "甲".encode(), "乙".encode(), "𠮷·é".encode(), b"a\0b", b"\xff", "长".encode() * 101]
ID_VALUES = {3: [b"1", b"2"], 8: [b"11", b"22", b""], 10: [b"id_card", b"file", b"spoken", b""]}
EDITED = {
    PERSON: [(1,), (26,), (19, 20), (8, 10), (3,), (3, 8, 10), (UNKNOWN_FIELD,), (26, UNKNOWN_FIELD)],
    MEMBER: [(13,), (22,), (13, 22), (2,), (UNKNOWN_FIELD,)],
    TEAM: [(1,), (5,), (1, 5)],
    UNKNOWN: [(1,), (2,), (UNKNOWN_FIELD,)],
    UNKNOWN_LEDGER: [(1,)],
}
CLASS_OF = {PERSON: SHARED, MEMBER: HELD, TEAM: SHARED, UNKNOWN: SHARED, UNKNOWN_LEDGER: LEDGER}
EVENTS = ["create", "submit", "approve_branch", "approve", "open_check", "accept", "refuse", "recall"]
EVENTS += ["send_back", "withdraw", "discard", "send_receipt"]
WHO = st.integers(0, 2)
PICK = st.integers(0, 11)
NUMBER = st.integers(0, 5)
AFTER = st.integers(0, 4)
# Offices that are made at once.
OFFICES = 100


class Histories(RuleBasedStateMachine):
    """One history; every rule is a step that somebody takes."""

    hub: Hub = None
    codes: list = []
    count = 0

    def __init__(self):
        super().__init__()
        self.model, self.records, self.cases, self.clock = model.Hub(), [], [], 0
        self.met = collections.Counter()

    @initialize()
    def begin(self):
        hub = self.hub
        if not self.codes:
            # Each history has offices of its own.
            Histories.count += 1
            self.codes.extend(hub.offices(1 + Histories.count * OFFICES, OFFICES))
        here, there = self.codes.pop(), self.codes.pop()
        self.machines = [Machine(hub, here, "甲"), Machine(hub, here, "乙"), Machine(hub, there, "丙")]
        self.offices = [machine.client.office for machine in self.machines]
        self.nodes = {machine.client.node for machine in self.machines}
        self.begun_ms = int(time.time() * 1000) - 10 * 86_400_000
        for who in range(3):
            self.create(who, PERSON, who, 0, 0)
            self.register_a_member(who, 0, 1, 2)
        self.pull(1)

    def teardown(self):
        for machine in getattr(self, "machines", ()):
            machine.client.close()
        for key, count in self.met.items():
            MET[key] += count
        MET["histories told"] += 1
        for key, record in self.model.state.records.items():
            if key[0] == CASE:
                MET[f"transfers that came to {record.value(19).decode()}"] += 1

    # - writing -

    def time(self, jitter: int) -> int:
        """The writer's clock: it goes on, by fits and starts, and now and then back."""
        self.clock += 1
        return self.begun_ms + self.clock * MINUTE_MS + jitter * 90_000

    def change(self, who: int, kind: int, verb: int, record: bytes, fields=(), jitter=0, **more) -> Change:
        machine = self.machines[who]
        class_ = more.pop("class_", CLASS_OF.get(kind, LEDGER))
        change = Change(kind, class_, verb, record, sorted(fields), self.time(jitter), actor=machine.name, **more)
        machine.write(change)
        return change

    def then(self, who: int, after: int) -> None:
        """Much of what is written is sent at once, and much of that is looked at by somebody."""
        if after > 0:
            self.push(who, 99)
        if after > 1:
            self.pull((who + after) % 3)

    def known(self, pick: int) -> tuple:
        """One of the records that somebody made, the newest first."""
        return self.records[-1 - pick % len(self.records)]

    def base(self, machine: Machine, key: tuple, number: int, how: int):
        """The version that the writer saw: what is shown, its own last one, none, or what it saw long ago."""
        client = machine.client
        own = [
            at + 1
            for at, change in enumerate(machine.told)
            if change.key == key and any(field[0] == number for field in change.fields)
        ]
        if how == 1:
            return None
        if how == 2 and own:
            return client.node, client.epoch, own[0]
        pending = [at for at in own if at > client.acknowledged]
        if pending:
            return client.node, client.epoch, pending[-1]
        row = machine.shown(key)
        for value in row.fields if row is not None else ():
            if value.number == number:
                ref = row.versions[value.version].change
                return ref.node, ref.epoch, ref.sequence
        return (client.node, client.epoch, own[-1]) if own else None

    @rule(who=WHO, kind=st.sampled_from([PERSON, PERSON, TEAM, UNKNOWN, UNKNOWN_LEDGER]), value=PICK, jitter=NUMBER, after=AFTER)
    def create(self, who, kind, value, jitter, after):
        record = lx.new_record()
        fields = [(1, TEXTS[value % len(TEXTS)] if value > 7 else f"名{value}".encode())]
        fields += [(UNKNOWN_FIELD, bytes([value, 0, 255]))] if value % 3 == 0 else []
        fields += [(8, b"11"), (10, b"spoken")] if kind == PERSON and value % 4 == 0 else []
        fields = [(number, text, None) for number, text in fields]
        self.change(who, kind, CREATE, record, fields, jitter)
        self.records.append((kind, record))
        self.then(who, after)

    @precondition(lambda self: any(kind == PERSON for kind, _ in self.records))
    @rule(who=WHO, pick=PICK, is_unknown=st.integers(0, 9), after=AFTER)
    def register_a_member(self, who, pick, is_unknown, after):
        persons = [record for kind, record in self.records if kind == PERSON]
        person = persons[-1 - pick % len(persons)]
        if is_unknown == 0:
            person = lx.new_record()
            self.records.append((PERSON, person))
        record = lx.new_record()
        fields = [(1, person), (2, b"full"), (3, b"FULL"), (7, b"2001-07-01"), (13, "书记".encode())]
        self.change(who, MEMBER, CREATE, record, [(number, value, None) for number, value in fields])
        self.records.append((MEMBER, record))
        self.then(who, after)

    @precondition(lambda self: self.records)
    @rule(who=WHO, pick=PICK, after=AFTER)
    def create_what_is_there(self, who, pick, after):
        """Also what was only named so far: then whoever waits for it goes on."""
        kind, record = self.known(pick)
        fields = [(1, "再次".encode(), None)]
        if kind == MEMBER:
            persons = [one for of, one in self.records if of == PERSON]
            fields = [(1, persons[0], None), (2, b"full", None), (3, b"FULL", None), (7, b"2001-07-01", None)]
        self.change(who, kind, CREATE, record, fields)
        self.then(who, after)

    @precondition(lambda self: self.records)
    @rule(who=WHO, pick=PICK, which=PICK, value=PICK, how=NUMBER, jitter=NUMBER, odd=st.integers(0, 19), after=AFTER)
    def edit(self, who, pick, which, value, how, jitter, odd, after):
        kind, record = self.known(pick)
        if odd == 0:
            record = lx.new_record()
            self.records.append((kind, record))
        self.edit_fields(who, kind, record, which, value, how, jitter, odd)
        self.then(who, after)

    def edit_fields(self, who, kind, record, which, value, how, jitter, odd, **more):
        machine, fields = self.machines[who], []
        for number in EDITED[kind][which % len(EDITED[kind])]:
            values = ID_VALUES.get(number, TEXTS) if kind == PERSON else TEXTS
            values = [b"probationary", b"full"] if (kind, number) == (MEMBER, 2) else values
            base = self.base(machine, (kind, record), number, how)
            fields.append((number, values[(value + number) % len(values)], base))
        if kind == PERSON:
            fields = [(n, v, b) for n, v, b in fields if n not in (19, 20) or len(v) < 60]
        if odd == 1:
            more["class_"] = model.REFERENCE
        if odd == 2:
            more["class_"] = model.CASE_CLASS
        row = machine.shown((kind, record))
        if kind == MEMBER and odd % 2 and row is not None:
            more["tenure"] = (1, machine.client.office)
        elif kind == MEMBER and odd % 4 == 0:
            more["tenure"] = (1 + odd % 3, machine.client.office)
        more.update(is_suspect=odd == 3, is_future=odd == 4)
        self.change(who, kind, SET, record, fields, jitter, **more)

    @precondition(lambda self: self.records)
    @rule(who=WHO, pick=PICK, verb=st.sampled_from([DELETE, DELETE, RESTORE]), how=NUMBER, after=AFTER)
    def delete_or_restore(self, who, pick, verb, how, after):
        kind, record = self.known(pick)
        machine, fields, more = self.machines[who], [], {"seen_revision": 0}
        row = machine.shown((kind, record))
        if row is not None:
            ref = row.versions[row.life_version].change
            more["life_base"] = (ref.node, ref.epoch, ref.sequence)
            more["seen_revision"] = row.revision - (how == 1)
            if how > 3:
                fields = [(value.number, b"", self.base(machine, (kind, record), value.number, 0)) for value in row.fields]
        if kind == UNKNOWN_LEDGER and verb == RESTORE:
            return
        self.change(who, kind, verb, record, fields, **more)
        self.then(who, after)

    @rule(who=WHO, after=AFTER)
    def write_what_cannot_be_read(self, who, after):
        self.change(who, PERSON, CREATE, lx.new_record(), is_readable=False)
        self.then(who, after)

    @rule(who=WHO, size=st.integers(2, 4), value=PICK, is_broken=st.booleans(), after=AFTER)
    def write_a_group(self, who, size, value, is_broken, after):
        group = (lx.new_record(), size)
        for at in range(size - is_broken):
            record = lx.new_record()
            text = TEXTS[value % len(TEXTS)] if at == 1 and value > 8 else "组".encode()
            self.change(who, PERSON, CREATE, record, [(1, text, None)], group=group)
            self.records.append((PERSON, record))
        if is_broken:
            # What is not of the group ends it.
            self.change(who, UNKNOWN, CREATE, lx.new_record(), [(1, b"x", None)])
        self.then(who, after)

    # - transfers -

    @precondition(lambda self: any(kind == MEMBER for kind, _ in self.records))
    @rule(who=WHO, pick=PICK, after=AFTER)
    def begin_a_transfer(self, who, pick, after):
        members = [record for kind, record in self.records if kind == MEMBER]
        case = lx.new_record()
        self.cases.append(case)
        machine = self.machines[who]
        there = next(office for office in self.offices if office != machine.client.office)
        more = [(14, members[-1 - pick % len(members)]), (19, there), (20, b"unit"), (21, b"addressee")]
        more += [(24, b"in_province"), (25, b"2026-01")]
        self.step(who, case, "create", more)
        self.then(who, after)

    def step(self, who: int, case: bytes, event: str, more=()) -> None:
        machine = self.machines[who]
        today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600)).encode()
        fields = {1: b"5", 2: case, 3: event.encode(), 4: machine.client.office, 5: today, 6: "经办".encode()}
        fields.update(more)
        listed = [(number, value, None) for number, value in fields.items()]
        self.change(who, STEP, TAKE_STEP, lx.new_record(), listed)

    @precondition(lambda self: self.cases)
    @rule(who=WHO, pick=PICK, event=st.sampled_from(EVENTS[1:]), after=AFTER)
    def take_a_step(self, who, pick, event, after):
        machine = self.machines[who]
        more = {
            "send_back": [(8, b"why")],
            "accept": [(22, machine.client.office)],
            "refuse": [(7, b"addressee_wrong"), (8, b"why"), (10, b"who")],
        }.get(event, [])
        if event == "approve":
            # A number is given out once, and stays given: nothing else waits beside it.
            if machine.waiting or not machine.leases:
                return
            more = [(26, b"30"), (27, machine.letter_number())]
        self.step(who, self.cases[-1 - pick % len(self.cases)], event, more)
        self.then(who, 1 if event == "approve" else after)

    @precondition(lambda self: self.cases)
    @rule(pick=PICK, until=st.integers(1, 8), ending=st.sampled_from(["accept", "refuse", "recall"]))
    def carry_a_transfer_on(self, pick, until, ending):
        """The steps in their order, by whoever is in charge, so that long ways are gone too."""
        case = self.cases[-1 - pick % len(self.cases)]
        for _ in range(until):
            record = self.model.state.records.get((CASE, case))
            if record is None:
                return
            state = record.value(19).decode()
            way = {"DRAFT": "submit", "BRANCH_REVIEW": "approve_branch", "COMMITTEE_REVIEW": "approve"}
            way |= {"IN_TRANSIT": "recall" if ending == "recall" else "open_check", "RECEIVE_CHECK": ending}
            event = way.get(state)
            if event is None:
                return
            office = record.value(8) if event in ("open_check", "accept", "refuse") else record.value(5)
            who = self.offices.index(office)
            self.push(who, 99)
            self.take_a_step(who, self.cases[::-1].index(case), event, 1)

    @rule(who=WHO, pick=PICK, until=st.integers(3, 8), ending=st.sampled_from(["accept", "accept", "refuse", "recall"]))
    def move_a_member(self, who, pick, until, ending):
        """A whole transfer of a member that the office holds, as far as it goes."""
        self.push(who, 99)
        office = self.machines[who].client.office
        held = [
            record
            for kind, record in self.records
            if kind == MEMBER and (MEMBER, record) in self.model.state.feeds.get(office, ())
        ]
        if not held:
            return
        members = [record for kind, record in self.records if kind == MEMBER]
        chosen = members[::-1].index(held[-1 - pick % len(held)])
        self.begin_a_transfer(who, chosen, 1)
        self.carry_a_transfer_on(0, until, ending)
        self.pull(who)
        self.pull(2 if who < 2 else 0)

    # - settling -

    @precondition(lambda self: any(key[0] == ITEM for key in self.model.state.records))
    @rule(who=WHO, pick=PICK, choice=st.sampled_from([b"winner", b"loser"]), after=AFTER)
    def settle_a_conflict(self, who, pick, choice, after):
        machine = self.machines[who]
        items = [record for kind, record in machine.rows() if kind == ITEM]
        # In an order that does not depend on ids.
        labels = {one.told_id: at for at, one in enumerate(self.model.state.records.values()) if hasattr(one, "told_id")}
        items = sorted((item for item in items if item in labels), key=labels.get)
        if not items:
            return
        self.pull(who)
        item = items[-1 - pick % len(items)]
        fields = {1: b"13", 2: item, 3: b"settle", 4: machine.client.office, 5: b"2026-01-01", 6: b"x", 53: choice}
        listed = [(number, value, None) for number, value in fields.items()]
        self.change(who, STEP, TAKE_STEP, lx.new_record(), listed)
        self.met["conflicts settled"] += 1
        self.then(who, after)

    # - up -

    def told(self, who: int, count: int) -> dict:
        """Tells the model of what is pushed next; its verdicts."""
        machine = self.machines[who]
        client = machine.client
        begin = client.acknowledged
        changes = machine.told[begin : begin + count]
        if any(change.is_future for change in changes):
            # What counts from its arrival arrives in a millisecond of its own.
            time.sleep(0.003)
        return self.model.push(client.node, client.epoch, client.office, machine.offset_ms, changes)

    def judged(self, who: int, answer, expected: dict) -> None:
        client = self.machines[who].client
        got = {verdict.sequence: (verdict.outcome, verdict.reason) for verdict in answer.verdicts}
        for place, (outcome, reason) in expected.items():
            if reason == "TRF" and place in got and got[place][1].startswith(("TRF-", "LET-")):
                expected[place] = got[place]
        assert got == expected, f"{client.node.hex()} {got} and not {expected}"
        journal = self.model.journals[client.node, client.epoch]
        assert answer.received.sequence == len(journal["stored"])
        assert answer.received.chain == client.chains[answer.received.sequence - 1]
        assert answer.decided_through == journal["decided"]
        self.met["changes judged as the model says"] += len(journal["stored"]) and 1
        for outcome, reason in expected.values():
            self.met[f"verdicts: {['', 'merged', 'lost', 'set aside', 'waiting'][outcome]} {reason}".strip()] += 1

    def anybody_waits(self) -> bool:
        return any(machine.waiting for machine in self.machines)

    def next_batch(self, who, count):
        """What waits first at a machine, at most so many, and what is expected of it; None where nothing waits."""
        machine = self.machines[who]
        count = min(count, machine.waiting)
        if count == 0:
            return None
        first = machine.client.acknowledged + 1
        return machine.client.push_request(first, first + count - 1), self.told(who, count)

    @precondition(anybody_waits)
    @rule(who=WHO, count=st.integers(1, 12))
    def push(self, who, count):
        machine = self.machines[who]
        client = machine.client
        if (next_batch := self.next_batch(who, count)) is None:
            return
        request, expected = next_batch
        machine.last = request
        self.judged(who, client.push(request), expected)
        self.met["batches pushed"] += 1

    @precondition(anybody_waits)
    @rule(who=WHO, count=st.integers(1, 5), patience=st.sampled_from([0, 0.0005, 0.002, 0.01, 0.05]))
    def push_and_lose_the_answer(self, who, count, patience):
        """The call is broken off at some moment and made again: it counts once, whether it had arrived or not."""
        machine = self.machines[who]
        client = machine.client
        if (next_batch := self.next_batch(who, count)) is None:
            return
        request, expected = next_batch
        call = client.sync.Push.future(request, timeout=20)
        time.sleep(patience)
        call.cancel()
        answer = client.push(request)
        machine.last = request
        if answer.decided_through == 0:
            # It had arrived: a repeat tells no verdicts, they are in the rows.
            assert not answer.verdicts and answer.received.sequence == request.first_sequence + request.count - 1
            self.met["N2 answers lost, the batch had arrived"] += 1
        else:
            self.judged(who, answer, expected)
            self.met["N2 calls broken off before they arrived"] += 1

    @rule(who=WHO)
    def push_again(self, who):
        machine = self.machines[who]
        request = getattr(machine, "last", None)
        if request is None or request.epoch != machine.client.epoch:
            return
        answer = machine.client.sync.Push(request, timeout=20)
        assert not answer.verdicts and not answer.out_of_place
        assert answer.received.sequence == len(self.model.journals[machine.client.node, request.epoch]["stored"])
        self.met["N5 batches repeated"] += 1

    @precondition(anybody_waits)
    @rule(who=WHO, skipped=st.integers(1, 3))
    def push_with_a_gap(self, who, skipped):
        machine = self.machines[who]
        first = machine.client.acknowledged + 1 + skipped
        if first > len(machine.client.journal):
            return
        answer = machine.client.sync.Push(machine.client.push_request(first), timeout=20)
        assert answer.out_of_place and answer.received.sequence == machine.client.acknowledged
        self.met["N6 gaps answered with the place to go on from"] += 1

    @precondition(anybody_waits)
    @rule(who=WHO, what=st.sampled_from(["chain", "signature", "incarnation", "epoch", "another machine's"]))
    def push_what_is_wrong(self, who, what):
        machine = self.machines[who]
        client = machine.client
        if machine.waiting == 0:
            return
        wrong = {
            "chain": {"chain": bytes(32)},
            "signature": {"signature": bytes(64)},
            "incarnation": {"incarnation": bytes(16)},
            "epoch": {"epoch": client.epoch + 5},
            "another machine's": {},
        }[what]
        request = client.push_request(**wrong)
        sync = self.machines[(who + 1) % 3].client.sync if not wrong else client.sync
        with pytest.raises(grpc.RpcError) as caught:
            sync.Push(request, timeout=20)
        expected = {CODE.FAILED_PRECONDITION, CODE.INVALID_ARGUMENT, CODE.PERMISSION_DENIED}
        assert caught.value.code() in expected
        self.met["M3 wrong batches refused in histories"] += 1

    # - down -

    @rule(who=WHO)
    def pull(self, who):
        client = self.machines[who].client
        ends = client.pull()
        self.compare(who, ends)
        self.met["pulls compared with the model"] += 1

    @precondition(lambda self: any(machine.snapshots for machine in self.machines))
    @rule(who=WHO, place=PICK)
    def pull_from_an_older_place(self, who, place):
        """A cursor of any time brings what has moved since, and no more is needed."""
        machine = self.machines[who]
        if not machine.snapshots:
            return
        kept = machine.snapshots[place % len(machine.snapshots)]["client"]
        client, now = machine.client, (machine.client.cursors, machine.client.rows)
        client.cursors = dict(kept["cursors"])
        client.rows = {feed: dict(rows) for feed, rows in kept["rows"].items()}
        ends = client.pull()
        self.compare(who, ends)
        assert all(client.cursors[feed] >= place for feed, place in now[0].items())
        self.met["pulls from older places"] += 1

    def compare(self, who: int, ends: dict) -> None:
        """What the machine has now, record by record, and the digest that the hub signed."""
        client = self.machines[who].client
        for feed, page in ends.items():
            rows = client.rows[feed].values()
            assert (page.digest.sum, page.digest.count) == lx.digest_of(rows), "the digest is of other rows"
            assert page.feed != client.own_feed or page.decided_through == self.decided(client)
        rows = dict(self.machines[who].rows())
        self.learn_copies(rows)
        feed = self.model.state.feeds.get(client.office, set())
        named = {key for key in feed if isinstance(key[1], bytes)}
        got = {key for key in rows if key[0] not in (ITEM, NOTE, TENURE, LETTER, STUB)}
        # A dispute has an id of the hub's own.
        got = {key for key in got if key[0] != CASE or key in named or self.is_known_case(key)}
        assert got == named, f"more: {got - named}, less: {named - got}"
        for key in named:
            self.same_record(self.model.state.records[key], rows[key])
        for kind in (ITEM, NOTE, TENURE):
            expected = [self.model.state.records[key] for key in feed if key[0] == kind]
            found = {key: row for key, row in rows.items() if key[0] == kind}
            assert len(expected) == len(found), f"{len(found)} of kind {kind} and not {len(expected)}"
            for record in expected:
                self.find(record, found)

    def decided(self, client: Client) -> int:
        return self.model.journals.get((client.node, client.epoch), {"decided": 0})["decided"]

    def is_known_case(self, key: tuple) -> bool:
        return key in self.model.state.records

    def learn_copies(self, rows: dict) -> None:
        for member in list(self.model.state.copies):
            row = rows.get((MEMBER, member))
            record = self.model.state.records[MEMBER, member]
            if row is not None and row.office == record.office:
                self.model.learn_copy(member, lx.values_of(row)[1])

    def find(self, record: model.Record, rows: dict) -> None:
        """The row of what the hub made, by what it says: ids of the hub's own are its own affair."""
        known = getattr(record, "told_id", None)
        keys = [(record.key[0], known)] if known else list(rows)
        for key in keys:
            if self.says_the_same(record, rows[key]):
                record.told_id = key[1]
                self.same_record(record, rows.pop(key))
                return
        raise AssertionError(f"no row says {record}, only {[lx.values_of(row) for row in rows.values()]}")

    IDENTITY = {ITEM: (1, 2, 3, 4, 8, 9), NOTE: (4,), TENURE: (1, 2, 3)}

    def says_the_same(self, record: model.Record, row) -> bool:
        values = lx.values_of(row)
        return all(self.same_value(values.get(n, b""), record.value(n)) for n in self.IDENTITY[record.key[0]])

    @staticmethod
    def same_value(got: bytes, expected) -> bool:
        if isinstance(expected, HubChange) and expected.name is None:
            return len(got) == 28
        if isinstance(expected, HubChange | tuple):
            return got == model.change_bytes(expected)
        return expected is None or got == expected

    def same_record(self, record: model.Record, row) -> None:
        where = f"{record.key}"
        assert getattr(row, "class") == record.class_ and row.office == record.office, where
        assert (row.life == 1) == record.alive, where
        if record.is_loose:
            record.revision = row.revision
        assert row.revision == record.revision, f"{where}: revision {row.revision} and not {record.revision}"
        self.same_version(record.life, row.versions[row.life_version], where)
        if record.key[0] in (CASE, TENURE):
            assert lx.values_of(row).get(19 if record.key[0] == CASE else 3) == record.value(19 if record.key[0] == CASE else 3)
            return
        got = {value.number: value for value in row.fields}
        for number, (value, version) in record.fields.items():
            assert self.same_value(got[number].value, value), f"{where} {number}: {got[number].value} and not {value}"
            self.same_version(version, row.versions[got[number].version], f"{where} {number}")
        further = set(got) - set(record.fields)
        of_hub = {ITEM: {12, 13, 20}, NOTE: {10}}.get(record.key[0], set())
        assert further <= of_hub, f"{where}: nobody wrote {further}"

    def same_version(self, version: model.Version, row, where: str) -> None:
        name = (row.change.node, row.change.epoch, row.change.sequence)
        if isinstance(version.change, HubChange):
            assert row.change.node not in self.nodes, f"{where}: not the hub's own"
            version.change.name = version.change.name or name
            assert version.change.name == name, where
        else:
            assert name == version.change, f"{where}: of {name} and not {version.change}"
        if version.at[0] == 0:
            assert row.ordered_at == version.at[1], where

    # - sessions -

    @rule(who=WHO)
    def greet(self, who):
        machine = self.machines[who]
        answer = machine.hello()
        assert answer.standing == machine.client.wire.sync.STANDING_AGREED
        stored = self.model.journals.get((machine.client.node, machine.client.epoch), {"stored": []})["stored"]
        assert answer.received.sequence == len(stored) == machine.client.acknowledged
        self.met["greetings"] += 1

    @rule(who=WHO)
    def come_on_another_connection(self, who):
        self.machines[who].client.connect()
        self.met["connections anew"] += 1

    @rule(who=WHO)
    def renew_the_certificate(self, who):
        machine = self.machines[who]
        machine.client.renew(lx.new_tls_key())
        machine.client.connect()
        self.met["certificates renewed"] += 1

    @rule(who=WHO)
    def back_up(self, who):
        machine = self.machines[who]
        machine.snapshots = [*machine.snapshots[-3:], machine.remember()]

    @precondition(lambda self: any(machine.snapshots for machine in self.machines))
    @rule(who=WHO, place=PICK)
    def put_a_backup_back(self, who, place):
        """The machine finds that it is behind its own journal, and goes on in another epoch with what the
        hub may not have."""
        machine = self.machines[who]
        kept = [one for one in machine.snapshots if one["client"]["epoch"] == machine.client.epoch]
        if not kept:
            return
        machine.put_back(kept[place % len(kept)])
        client, messages = machine.client, machine.client.wire.sync
        journal = self.model.journals.get((client.node, client.epoch), {"stored": []})
        stored = len(journal["stored"])
        if len(client.journal) >= stored and client.acknowledged == stored:
            self.greet(who)
            return
        answer = machine.hello()
        if answer.standing == messages.STANDING_AGREED:
            # The very same changes were sent: only their acknowledgement was forgotten.
            client.acknowledged = answer.received.sequence
            return
        assert answer.standing in (messages.STANDING_REWOUND, messages.STANDING_FORKED)
        self.go_on_in(machine, answer.offered_epoch)
        self.met["D3 machines put back to an older state"] += 1

    def go_on_in(self, machine: Machine, epoch: int) -> None:
        client = machine.client
        tail, old_epoch, first = machine.told[client.acknowledged :], client.epoch, client.acknowledged + 1
        client.epoch, client.journal, client.chains, client.acknowledged = epoch, [], [], 0
        client.confirmed_nonce, machine.told, machine.snapshots = b"", [], []
        for place, old in enumerate(tail, first):
            change = copy.copy(old)
            change.replaces = ((client.node, old_epoch, place), old.body_hash)
            change.fields = [
                (number, value, self.rebased(base, client.node, old_epoch, first, epoch))
                for number, value, base in old.fields
            ]
            machine.write(change)
        answer = machine.hello()
        assert answer.standing == client.wire.sync.STANDING_AGREED and answer.received.sequence == 0

    @staticmethod
    def rebased(base, node: bytes, old: int, first: int, new: int):
        if base is not None and base[:2] == (node, old) and base[2] >= first:
            return node, new, base[2] - first + 1
        return base

    @rule(who=WHO)
    def compare_digests(self, who):
        """The machine signs that it has what the hub has; and the tree leads to every row."""
        machine = self.machines[who]
        client, messages = machine.client, machine.client.wire.sync
        client.cursors.pop(client.own_feed, None)
        client.rows.pop(client.own_feed, None)
        ends = client.pull()
        self.compare(who, ends)
        page = ends[client.own_feed]
        digest = (page.digest.sum, page.digest.count)
        text = lx.certificate_text(client.incarnation, client.office, page.feed, page.to_sequence, digest)
        equality = messages.Equality(
            sequence=page.to_sequence, sum=digest[0], count=digest[1], signature=lx.sign(client.signing_key, "digest", text)
        )
        request = messages.ReconcileRequest(
            incarnation=client.incarnation, epoch=client.epoch, feed=page.feed, prefixes=[b""], equality=equality
        )
        (below,) = client.sync.Reconcile(request, timeout=20).below
        listed = {(row.kind, row.record): row.hash for row in below.rows}
        if not below.children:
            assert listed == {key: lx.row_hash(row) for key, row in client.rows[page.feed].items()}
        total = sum(int.from_bytes(child.sum, "big") for child in below.children)
        total += sum(int.from_bytes(one, "big") for one in listed.values())
        assert (total % 2**256).to_bytes(32, "big") == digest[0]
        self.met["digests compared and certified"] += 1

    # - always -

    @invariant()
    def every_member_has_one_holder(self):
        """Of the model, so that it cannot agree with a hub that is wrong."""
        if not hasattr(self, "machines"):
            return
        for key, record in self.model.state.records.items():
            if key[0] == MEMBER:
                feeds = [office for office, feed in self.model.state.feeds.items() if key in feed]
                assert feeds == [record.office] == [record.value(31)]


@pytest.fixture(scope="module")
def told_hub(tmp_path_factory, wire):
    with serving(tmp_path_factory.mktemp("histories"), wire) as hub:
        yield hub


def test_histories_go_as_the_model_says(told_hub):
    Histories.hub = told_hub
    run_state_machine_as_test(Histories, settings=settings())
    told_hub.run("verify")
    assert told_hub.process.poll() is None and "panicked" not in told_hub.log()
