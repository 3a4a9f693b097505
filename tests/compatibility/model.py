"""What a hub must do with the changes of its offices, in plain Python: the rules of the protocol once more,
by somebody who shares no code with the hub.

It knows persons, members, teams, kinds that nobody knows, and the transfers of members between offices.
Everything that the hub makes by itself (items, notes, tenures, copies of persons) is named here by what
it is about, because its id is the hub's own affair.
"""

import copy
import itertools
from dataclasses import dataclass, field

PERSON, MEMBER, TENURE, CASE, STEP, TEAM, ITEM, NOTE = 2, 3, 4, 5, 6, 9, 13, 14
SHARED, HELD, LEDGER, CASE_CLASS, REFERENCE = 1, 2, 3, 4, 5
CREATE, SET, DELETE, RESTORE, TAKE_STEP = 1, 2, 3, 4, 5
VERBS = {CREATE: "create", SET: "set", DELETE: "delete", RESTORE: "restore", TAKE_STEP: "step"}
MERGED, LOST, SET_ASIDE, WAITING = 1, 2, 3, 4
APPLIED = (0, "")
DESK = bytes(16)

CLASSES = {PERSON: SHARED, MEMBER: HELD, TENURE: CASE_CLASS, CASE: CASE_CLASS, STEP: LEDGER, TEAM: SHARED}
CLASSES |= {ITEM: CASE_CLASS, NOTE: CASE_CLASS}
REQUIRED = {PERSON: (1,), MEMBER: (1, 2, 3, 7), TEAM: (1,)}
# Fields with one base, one winner and one item.
TOGETHER = {PERSON: ((3, 5, 7, 8, 9, 10), (14, 15), (19, 20)), MEMBER: ((14, 15), (17, 18)), TEAM: ((4, 5),)}
BY_SOURCE = {PERSON: (3, 5, 7, 8, 9, 10)}
SOURCE = 10
BY_HOLDER = {MEMBER: (12, 13, 14, 15, 16, 17, 18, 19, 20, 21)}
BY_STEPS = {PERSON: (27,), MEMBER: (2, 3, 8, 9, 11, *range(23, 33), 34)}
RANKS = {b"id_card": 0, b"file": 1, b"spoken": 2}
# The longest texts, in characters.
LENGTHS = {(PERSON, 1): 50, (PERSON, 19): 200, (PERSON, 20): 18, (PERSON, 26): 1000, (TEAM, 1): 100, (TEAM, 5): 50}
LENGTHS |= {(MEMBER, 13): 100, (MEMBER, 22): 1000}
# A transfer: from state and event, by whom, to state.
ARROWS = {
    ("DRAFT", "submit", "owner"): "BRANCH_REVIEW",
    ("DRAFT", "discard", "owner"): "CANCELLED",
    ("BRANCH_REVIEW", "approve_branch", "owner"): "COMMITTEE_REVIEW",
    ("BRANCH_REVIEW", "send_back", "owner"): "DRAFT",
    ("COMMITTEE_REVIEW", "send_back", "owner"): "DRAFT",
    ("BRANCH_REVIEW", "withdraw", "owner"): "WITHDRAWN",
    ("COMMITTEE_REVIEW", "withdraw", "owner"): "WITHDRAWN",
    ("COMMITTEE_REVIEW", "approve", "owner"): "IN_TRANSIT",
    ("IN_TRANSIT", "open_check", "receiver"): "RECEIVE_CHECK",
    ("IN_TRANSIT", "recall", "owner"): "RECALLED",
    ("RECEIVE_CHECK", "accept", "receiver"): "ACCEPTED",
    ("RECEIVE_CHECK", "refuse", "receiver"): "REFUSED_IN",
    ("ACCEPTED", "send_receipt", "receiver"): "RECEIPT_SENT",
}
# What crosses an acceptance leaves it standing.
CROSSINGS = {("accept", "receiver"), ("recall", "owner")}
MOVED = ("ACCEPTED", "RECEIPT_SENT")
OPEN_STATES = {source for source, _, _ in ARROWS} - set(MOVED) | {"IN_TRANSIT", "RECEIVE_CHECK"}


class HubChange:
    """The name of a change that the hub made: known only once a row shows it."""

    def __init__(self):
        self.name = None

    def __repr__(self) -> str:
        return f"hub {self.name}"


@dataclass(frozen=True)
class Version:
    change: object
    # (0, milliseconds), or (1, number of the batch) for what counts from its arrival.
    at: tuple


@dataclass
class Record:
    key: tuple
    class_: int
    office: bytes
    revision: int
    life: Version
    alive: bool = True
    fields: dict = field(default_factory=dict)
    # Whether the next row tells the revision: the hub's own effects on it are not counted here.
    is_loose: bool = False

    def value(self, number: int) -> bytes:
        return self.fields[number][0] if number in self.fields else b""

    def version(self, number: int):
        return self.fields[number][1].change if number in self.fields else None


@dataclass
class Change:
    """What a machine wrote."""

    kind: int
    class_: int
    verb: int
    record: bytes
    # (number, value, base)
    fields: list = field(default_factory=list)
    written_ms: int = 0
    is_future: bool = False
    is_suspect: bool = False
    tenure: tuple | None = None
    group: tuple | None = None
    seen_revision: int = 0
    life_base: object = None
    actor: str = ""
    is_readable: bool = True
    replaces: tuple | None = None
    body_hash: bytes = b""
    # Known when it is pushed.
    id: tuple = ()
    office: bytes = b""
    at: tuple = ()

    @property
    def key(self) -> tuple:
        return self.kind, self.record

    def value(self, number: int) -> bytes:
        return next((value for at, value, _ in self.fields if at == number), b"")


class Refused(Exception):
    """Set aside, with the reason."""


class Waits(Exception):
    """Waits for the record with this key."""


def same(one, other) -> bool:
    """Whether two names are of one change; the hub's are compared by what the rows told of them."""
    one = one.name if isinstance(one, HubChange) else one
    other = other.name if isinstance(other, HubChange) else other
    return one is not None and one == other


def change_bytes(change) -> bytes:
    node, epoch, sequence = change.name if isinstance(change, HubChange) else change
    return node + epoch.to_bytes(4, "big") + sequence.to_bytes(8, "big")


def key_bytes(key: tuple) -> bytes:
    return key[0].to_bytes(2, "big") + key[1]


def group_of(kind: int, number: int) -> tuple:
    return next((group for group in TOGETHER.get(kind, ()) if number in group), ())


def packed(values) -> bytes:
    return b"".join(number.to_bytes(2, "big") + len(value).to_bytes(4, "big") + value for number, value in values)


class Unit:
    """Fields of a change that are judged together."""

    def __init__(self, kind: int, number: int):
        group = group_of(kind, number)
        self.kind, self.name, self.is_group = kind, group[0] if group else number, bool(group)
        self.fields = []

    def pack(self, value_of) -> bytes:
        if not self.is_group:
            return value_of(self.name)
        return packed((number, value_of(number)) for number, _, _ in self.fields)


def units(change: Change) -> list:
    found = {}
    for at in change.fields:
        unit = Unit(change.kind, at[0])
        found.setdefault(unit.name, unit).fields.append(at)
    return list(found.values())


@dataclass
class State:
    """All that the hub knows; a group is tried on a copy of it."""

    records: dict = field(default_factory=dict)
    feeds: dict = field(default_factory=dict)
    outcomes: dict = field(default_factory=dict)
    waiting: list = field(default_factory=list)
    rewritten: dict = field(default_factory=dict)
    # Steps that were applied, by case: (event, office).
    steps: dict = field(default_factory=dict)
    members_of_person: dict = field(default_factory=dict)
    # Members whose copied person is not known by id yet: what it must say, by member.
    copies: dict = field(default_factory=dict)


class Hub:
    """The authority: takes what was pushed, and says what becomes of it."""

    def __init__(self):
        self.state = State()
        self.journals = {}
        self.batch = 0

    # - journals -

    def push(self, node: bytes, epoch: int, office: bytes, offset_ms: int, changes: list) -> dict:
        """The verdicts of the changes that come next, by place; those plainly applied are not in it."""
        self.batch += 1
        journal = self.journals.setdefault((node, epoch), {"stored": [], "decided": 0})
        for change in changes:
            change = copy.copy(change)
            change.id = (node, epoch, len(journal["stored"]) + 1)
            change.office = office
            change.at = (1, self.batch) if change.is_future else (0, change.written_ms + offset_ms)
            journal["stored"].append(change)
        verdicts, created = {}, []
        rest = journal["stored"][journal["decided"] :]
        while rest:
            unit = self._unit(rest)
            if unit is None:
                break
            before = set(self.state.records)
            for change, verdict in zip(unit, self._decide_unit(unit)):
                verdicts[change.id[2]] = verdict
            created += [key for key in self.state.records if key not in before]
            journal["decided"] += len(unit)
            rest = rest[len(unit) :]
        self._decide_waiting(created)
        return {place: verdict for place, verdict in verdicts.items() if verdict != APPLIED}

    @staticmethod
    def _unit(rest: list):
        first = rest[0]
        if not first.is_readable or first.group is None:
            return [first]
        same_group = itertools.takewhile(lambda one: one.is_readable and one.group == first.group, rest)
        unit = list(same_group)[: first.group[1]]
        return unit if len(unit) == first.group[1] or len(unit) < len(rest) else None

    def _decide_unit(self, unit: list) -> list:
        first = unit[0]
        if first.group is None or not first.is_readable:
            return [self._decide(first)]
        if len(unit) != first.group[1]:
            return [self._put_aside(change, "group_broken") for change in unit]
        before, self.state = self.state, copy.deepcopy(self.state)
        try:
            return [self._attempt(change) for change in unit]
        except (Refused, Waits):
            self.state = before
            return [self._put_aside(change, "group_part_refused") for change in unit]

    def _decide(self, change: Change, note: tuple | None = None) -> tuple:
        if not change.is_readable:
            subject = [(1, b"0"), (2, bytes(16)), (4, change_bytes(change.id)), (6, b"unreadable"), (8, b"held")]
            self._make((NOTE, ("note", change.id)), change.office, subject)
            self.state.outcomes[change.id, 0] = ("aside", ("note", change.id))
            return SET_ASIDE, "unreadable"
        try:
            verdict = self._attempt(change)
        except Refused as refused:
            return self._put_aside(change, str(refused), note=note)
        except Waits as waits:
            return self._put_aside(change, "waiting", waits.args[0], note)
        if note is not None:
            self._end_waiting(change, note, b"fixed")
        return verdict

    def _decide_waiting(self, created: list) -> None:
        while created:
            ready = []
            # What the hub makes by itself is waited for by nobody. For each record in the journals' order.
            for key in sorted(key for key in created if isinstance(key[1], bytes)):
                waits = [one for one in self.state.waiting if one[0] == key]
                ready += sorted(waits, key=lambda one: one[1].id)
            created = []
            for key, change, note in ready:
                if (key, change, note) not in self.state.waiting:
                    continue
                before = set(self.state.records)
                self._decide(change, note)
                created += [key for key in self.state.records if key not in before]

    def _put_aside(self, change: Change, reason: str, key=None, note=None) -> tuple:
        verdict = (WAITING if key else SET_ASIDE, reason)
        if note is not None:
            if key is None:
                self._end_waiting(change, note, b"held", reason)
            else:
                self.state.waiting = [one for one in self.state.waiting if one[1].id != change.id]
                self._effect(self.state.records[note], [(9, key_bytes(key))])
                self.state.waiting.append((key, change, note))
            return verdict
        state = b"waiting" if key else b"forwarded" if reason == "late_edit" else b"held"
        values = [
            (1, str(change.kind).encode()),
            (2, change.record),
            (3, VERBS[change.verb].encode()),
            (4, change_bytes(change.id)),
            (6, code_of(reason)),
            (8, state),
            (15, change.actor.encode()),
        ]
        if change.group:
            values.append((5, change.group[0]))
        label = (NOTE, ("note", change.id))
        if key:
            values.append((9, key_bytes(key)))
            self.state.waiting.append((key, change, label))
        self._make(label, change.office, values)
        self.state.outcomes[change.id, 0] = ("waiting" if key else "aside", label[1])
        self._note_rewritten(change)
        return verdict

    def _end_waiting(self, change: Change, note: tuple, state: bytes, reason: str | None = None) -> None:
        self.state.waiting = [one for one in self.state.waiting if one[1].id != change.id]
        self._effect(self.state.records[note], [(8, state)] + ([(6, code_of(reason))] if reason else []))
        fixed = state == b"fixed"
        self.state.outcomes[change.id, 0] = ("merged", change.id) if fixed else ("aside", note[1])

    # - one change -

    def _attempt(self, change: Change) -> tuple:
        if change.replaces is not None:
            first = self._counts_as(*change.replaces)
            if first is not None and first != change.id:
                self.state.outcomes[change.id, 0] = ("merged", first)
                return MERGED, ""
            self._note_rewritten(change)
        if change.kind in CLASSES and CLASSES[change.kind] != change.class_:
            raise Refused("class_wrong")
        for number, value, _ in change.fields:
            if not is_canonical(change.kind, number, value):
                raise Refused("value_invalid")
        if change.class_ == LEDGER and change.verb not in (CREATE, TAKE_STEP):
            raise Refused("immutable")
        if change.class_ == REFERENCE:
            raise Refused("hub_only")
        if change.class_ == CASE_CLASS:
            raise Refused("by_steps_only")
        if change.kind == STEP and change.verb == CREATE:
            raise Refused("kind_wrong")
        verbs = {CREATE: self._create, SET: self._set, TAKE_STEP: self._step}
        return verbs.get(change.verb, self._change_life)(change)

    def _counts_as(self, old: tuple, body_hash: bytes):
        journal = self.journals.get(old[:2])
        if journal is not None and 0 < old[2] <= journal["decided"]:
            if journal["stored"][old[2] - 1].body_hash == body_hash:
                return old
        return self.state.rewritten.get((old, body_hash))

    def _note_rewritten(self, change: Change) -> None:
        if change.replaces is not None:
            self.state.rewritten[change.replaces] = change.id

    def _create(self, change: Change) -> tuple:
        if change.key in self.state.records:
            raise Refused("exists")
        if any(not change.value(number) for number in REQUIRED.get(change.kind, ())):
            raise Refused("value_missing")
        if change.kind == MEMBER:
            self._check_named(change, (PERSON, change.value(1)))
        version = Version(change.id, change.at)
        record = Record(change.key, change.class_, change.office, 1, version)
        record.fields = {number: (value, version) for number, value, _ in change.fields}
        self._put(record)
        if change.kind == MEMBER:
            self.state.members_of_person.setdefault(change.value(1), []).append(change.record)
            self._open_tenure(record)
        return APPLIED

    def _check_named(self, change: Change, key: tuple) -> None:
        named = self.state.records.get(key)
        if named is None:
            raise Waits(key)
        if named.office != change.office:
            raise Refused("not_yours")

    def _check_scope(self, record: Record, change: Change) -> None:
        if record.office == change.office:
            return
        if record.class_ == HELD and change.tenure is not None:
            tenure = self.state.records.get((TENURE, ("tenure", record.key[1], change.tenure[0])))
            if tenure is not None and tenure.value(3) == change.office:
                return
        raise Refused("not_yours")

    def _set(self, change: Change) -> tuple:
        record = self.state.records.get(change.key)
        if record is None:
            raise Waits(change.key)
        self._check_scope(record, change)
        if not record.alive:
            raise Refused("deleted")
        for number, value, _ in change.fields:
            if number in BY_STEPS.get(change.kind, ()) and record.value(number) != value:
                raise Refused("by_steps_only")
            if number in REQUIRED.get(change.kind, ()) and not value:
                raise Refused("value_missing")
        if record.class_ == HELD and record.office != change.office:
            return self._park(change, record)
        judged = [self._judge(change, record, unit) for unit in units(change)]
        before = copy.copy(record)
        before.fields = dict(record.fields)
        for _, effect in judged:
            effect(before)
        results = [result for result, _ in judged]
        if "applied" in results:
            record.revision += 1
        if "lost" in results:
            return LOST, ""
        return APPLIED if set(results) <= {"applied"} else (MERGED, "")

    def _park(self, change: Change, record: Record) -> tuple:
        """A former holder's edit: a note for its writer, and items for the present holder."""
        self._put_aside(change, "late_edit")
        for unit in units(change):
            self._open_item(change, record, unit, False, b"late_edit")
        return LOST, ""

    def _judge(self, change: Change, record: Record, unit: Unit) -> tuple:
        """How a unit is judged, and what then must be done with the record as it was before."""
        current, in_item = True, None
        for number, _, base in unit.fields:
            became, what = self._based(record, number, base)
            if became == "aside":
                raise Refused("stands_on_set_aside")
            if became == "waiting":
                raise Waits(what)
            current &= became == "current"
            in_item = what if became == "item" else in_item
        if current:

            def apply(before: Record) -> None:
                self._follow_winner(change, before, unit)
                self._apply(change, record, unit)

            return "applied", apply
        if all(record.value(number) == value for number, value, _ in unit.fields):

            def merge(before: Record) -> None:
                for number, _, _ in unit.fields:
                    if number in before.fields:
                        self.state.outcomes[change.id, number] = ("merged", before.version(number))

            return "merged", merge
        wins = self._wins(change, record, unit)

        def meet(before: Record) -> None:
            if in_item is not None:
                self._replace_loser(change, before, unit, in_item, wins)
            else:
                reason = b"suspect_clock" if change.is_suspect else b"concurrent"
                self._open_item(change, before, unit, wins, reason)
            if wins:
                self._apply(change, record, unit)

        return "applied" if wins else "lost", meet

    @staticmethod
    def _apply(change: Change, record: Record, unit: Unit) -> None:
        for number, value, _ in unit.fields:
            record.fields[number] = (value, Version(change.id, change.at))

    def _based(self, record: Record, number: int, base) -> tuple:
        """What has become of the version that the writer saw."""
        return self._mapped(record.version(number), number, base)

    def _mapped(self, current, number: int, base) -> tuple:
        if base is None:
            return ("current" if current is None else "elsewhere"), None
        for _ in range(64):
            if current is not None and same(base, current):
                return "current", None
            outcome = self._outcome(base, number) or self._outcome(base, 0)
            if outcome is None:
                return "elsewhere", None
            how, what = outcome
            if how == "merged":
                if same(what, base):
                    return "elsewhere", None
                base = what
            elif how == "lost":
                item = self.state.records[ITEM, what]
                is_loser = item.value(16) == b"open" and same(base, item.value(9))
                return ("item", what) if is_loser else ("elsewhere", None)
            else:
                note = self.state.records[NOTE, what]
                if note.value(8) in (b"held", b"forwarded"):
                    return "aside", None
                if note.value(8) == b"waiting":
                    key = note.value(9)
                    return "waiting", (int.from_bytes(key[:2], "big"), key[2:])
                return "elsewhere", None
        return "elsewhere", None

    def _outcome(self, change, number: int):
        told = self.state.outcomes.get((change, number))
        if told is not None:
            return told
        hubs = (one for one in self.state.outcomes if isinstance(one[0], HubChange) or isinstance(change, HubChange))
        found = [self.state.outcomes[one] for one in hubs if one[1] == number and same(one[0], change)]
        return found[0] if found else None

    def _wins(self, change: Change, record: Record, unit: Unit) -> bool:
        number = unit.fields[0][0]
        if number in BY_SOURCE.get(change.kind, ()):
            there = RANKS.get(record.value(SOURCE), 3)
            given = next((value for at, value, _ in change.fields if at == SOURCE), None)
            return (there if given is None else RANKS.get(given, 3)) <= there
        if number in BY_HOLDER.get(change.kind, ()):
            return True
        present = [record.fields[at][1].at for at, _, _ in unit.fields if at in record.fields]
        return not change.is_suspect and (not present or change.at > max(present))

    # - items -

    def _sides(self, change: Change, before: Record, unit: Unit, wins: bool) -> list:
        present = [before.fields[at][1] for at, _, _ in unit.fields if at in before.fields]
        latest = before.life
        for number, version in enumerate(present):
            latest = version if number == 0 or version.at >= latest.at else latest
        new = (unit.pack(change.value), change.id, change.actor.encode())
        old = (unit.pack(before.value), latest.change, b"")
        winner, loser = (new, old) if wins else (old, new)
        return [(6, winner[0]), (7, loser[0]), (8, winner[1]), (9, loser[1]), (10, winner[2]), (11, loser[2])]

    def _open_item(self, change: Change, before: Record, unit: Unit, wins: bool, reason: bytes) -> None:
        label = ("item", before.key[1], unit.name, change.id)
        kind, record = before.key
        values = [(1, str(kind).encode()), (2, record), (3, str(unit.name).encode()), (4, reason), (16, b"open")]
        self._make((ITEM, label), before.office, values + self._sides(change, before, unit, wins))
        versions = [before.version(number) for number, _, _ in unit.fields if number in before.fields]
        loser = (versions[0] if versions else change.id) if wins else change.id
        for number, _, _ in unit.fields:
            self.state.outcomes[loser, number] = ("lost", label)

    def _replace_loser(self, change: Change, before: Record, unit: Unit, label: tuple, wins: bool) -> None:
        self._effect(self.state.records[ITEM, label], self._sides(change, before, unit, wins))
        for number, _, _ in unit.fields:
            present = before.version(number)
            loser = present if wins and present is not None else change.id
            self.state.outcomes[loser, number] = ("lost", label)

    def _items(self, record: bytes) -> list:
        return [one for key, one in self.state.records.items() if key[0] == ITEM and one.value(2) == record]

    def _follow_winner(self, change: Change, before: Record, unit: Unit) -> None:
        for item in self._items(before.key[1]):
            if item.value(3) == str(unit.name).encode() and item.value(16) == b"open":
                values = [(6, unit.pack(change.value)), (8, change.id), (10, change.actor.encode())]
                self._effect(item, values)

    # - life -

    def _change_life(self, change: Change) -> tuple:
        record = self.state.records.get(change.key)
        if record is None:
            raise Waits(change.key)
        self._check_scope(record, change)
        if record.class_ == HELD and record.office != change.office:
            raise Refused("not_holder")
        if record.key[0] == MEMBER:
            raise Refused("by_steps_only")
        wanted = change.verb == RESTORE
        if record.alive == wanted:
            self.state.outcomes[change.id, 0] = ("merged", record.life.change)
            return MERGED, ""
        seen = change.seen_revision >= record.revision
        if change.fields:
            bases = {number: base for number, _, base in change.fields}
            seen = all(
                number in bases and self._based(record, number, bases[number])[0] == "current"
                for number in record.fields
            )
        became, what = self._mapped(record.life.change, 0, change.life_base)
        if became == "aside":
            raise Refused("stands_on_set_aside")
        if became == "waiting":
            raise Waits(what)
        if wanted and became != "current":
            raise Refused("deleted")
        if became != "current" or not (wanted or seen):
            label = ("item", record.key[1], 0, change.id)
            values = [(1, str(record.key[0]).encode()), (2, record.key[1]), (3, b"0"), (4, b"delete_requested")]
            values += [(9, change.id), (11, change.actor.encode()), (16, b"open")]
            self._make((ITEM, label), record.office, values)
            self.state.outcomes[change.id, 0] = ("lost", label)
            return LOST, ""
        record.alive, record.life = wanted, Version(change.id, change.at)
        record.revision += 1
        return APPLIED

    # - what the hub makes -

    def _put(self, record: Record) -> None:
        self.state.records[record.key] = record
        self.state.feeds.setdefault(record.office, set()).add(record.key)

    def _make(self, key: tuple, office: bytes, values: list) -> Record:
        version = Version(HubChange(), (1, self.batch))
        record = Record(key, CLASSES[key[0]], office, 1, version)
        record.fields = {number: (value, version) for number, value in values}
        self._put(record)
        return record

    def _effect(self, record: Record, values: list) -> None:
        version = Version(HubChange(), (1, self.batch))
        record.revision += 1
        for number, value in values:
            record.fields[number] = (value, version)

    def _move(self, record: Record, office: bytes) -> None:
        self.state.feeds[record.office].discard(record.key)
        record.office = office
        record.revision += 1
        self.state.feeds.setdefault(office, set()).add(record.key)

    def _open_tenure(self, member: Record) -> None:
        number = int(member.value(30) or b"0") + 1
        label = (TENURE, ("tenure", member.key[1], number))
        values = [(1, member.key[1]), (2, str(number).encode()), (3, member.office)]
        self._make(label, member.office, values)
        self._effect(member, [(30, str(number).encode()), (31, member.office)])

    # - steps -

    def _step(self, change: Change) -> tuple:
        if change.kind != STEP:
            raise Refused("kind_wrong")
        if change.key in self.state.records:
            raise Refused("exists")
        if change.value(4) != change.office:
            raise Refused("not_yours")
        subject = int(change.value(1)), change.value(2)
        if subject[0] == ITEM:
            return self._settle(change)
        case, event = self.state.records.get(subject), change.value(3).decode()
        applied = self.state.steps.setdefault(subject[1], [])
        if case is not None and self._is_repeat(case, event, change.office, applied):
            self._put_step(change)
            return APPLIED
        if change.value(14):
            self._check_named(change, (MEMBER, change.value(14)))
        if case is None:
            if event != "create":
                raise Waits(subject)
            self._open_case(change, subject)
        else:
            self._move_case(change, case, event)
        self._put_step(change)
        applied.append((event, change.office))
        return APPLIED

    def _put_step(self, change: Change) -> None:
        version = Version(change.id, change.at)
        record = Record(change.key, LEDGER, change.office, 1, version)
        record.fields = {number: (value, version) for number, value, _ in change.fields}
        self._put(record)

    @staticmethod
    def _is_repeat(case: Record, event: str, office: bytes, applied: list) -> bool:
        leads_on = any((state, of) == (case.value(19).decode(), event) for state, of, _ in ARROWS)
        return not leads_on and (event, office) in applied

    def _open_case(self, change: Change, key: tuple) -> None:
        member = self.state.records[MEMBER, change.value(14)]
        if member.value(32):
            raise Refused("TRF-001")
        values = [(3, member.key[1]), (5, change.office), (8, change.value(19)), (19, b"DRAFT")]
        self._make(key, change.office, values).is_loose = True
        self._effect(member, [(32, key[1])])

    def _move_case(self, change: Change, case: Record, event: str) -> None:
        roles = {"owner": case.value(5), "receiver": case.value(8)}
        if change.office not in roles.values():
            raise Refused("not_yours")
        state = case.value(19).decode()
        role = next(role for role, office in roles.items() if office == change.office)
        if state in MOVED and (event, role) in CROSSINGS:
            return
        to = ARROWS.get((state, event, role))
        if to is None:
            raise Refused("TRF")
        self._effect(case, [(19, to.encode())])
        member = self.state.records[MEMBER, case.value(3)]
        if to == "IN_TRANSIT":
            self.state.feeds.setdefault(case.value(8), set()).add(case.key)
        if to not in OPEN_STATES and member.value(32) == case.key[1]:
            self._effect(member, [(32, b"")])
        if to == "ACCEPTED":
            self._hand_over(member, case.value(8))

    def _hand_over(self, member: Record, to: bytes) -> None:
        """The member with all that is undecided goes to the receiver, with a person of its own there; the
        former holder's person goes with it, where nothing else of that office points to him."""
        source, person_id = member.office, member.value(1)
        person = self.state.records[PERSON, person_id]
        old = self.state.records[TENURE, ("tenure", member.key[1], int(member.value(30)))]
        self._effect(old, [(6, b"closed")])
        self.state.copies[member.key[1]] = {n: v for n, (v, _) in person.fields.items() if v and n < 28}
        self.state.members_of_person[person_id].remove(member.key[1])
        self._effect(member, [(1, None), (11, to), (12, b""), (14, None)])
        self._move(member, to)
        self._open_tenure(member)
        member.is_loose = True
        for number in range(1, int(member.value(30)) + 1):
            self.state.feeds[to].add((TENURE, ("tenure", member.key[1], number)))
        for item in self._items(member.key[1]):
            if item.office == source:
                self._move(item, to if item.value(16) == b"open" else DESK)
        if not self.state.members_of_person[person_id]:
            for item in self._items(person_id):
                if item.office == source:
                    self._move(item, DESK)
            if person.office == source:
                self._move(person, DESK)

    def learn_copy(self, member: bytes, person: bytes) -> None:
        """The receiver's own record of a person, now that a row of the member names it."""
        office = self.state.records[MEMBER, member].office
        values = sorted(self.state.copies.pop(member).items())
        self._make((PERSON, person), office, values)
        record = self.state.records[MEMBER, member]
        record.fields[1] = (person, record.fields[1][1])
        self.state.members_of_person.setdefault(person, []).append(member)

    # - settling -

    def _settle(self, change: Change) -> tuple:
        """Steps on items name them by the id that a row told; the label is looked up by it."""
        item = next(one for one in self.state.records.values() if getattr(one, "told_id", None) == change.value(2))
        if item.office != change.office:
            raise Refused("not_yours")
        choice = change.value(53)
        value = item.value(7) if choice == b"loser" else None
        if item.value(16) != b"open":
            if item.value(17) != choice:
                raise Refused("settled_already")
            self._put_step(change)
            return APPLIED
        if value is not None:
            self._bring_back(change, item, value)
        values = [(16, b"settled"), (17, choice), (19, change.actor.encode())]
        self._effect(item, values + ([(18, value)] if value is not None else []))
        self._put_step(change)
        return APPLIED

    def _bring_back(self, change: Change, item: Record, value: bytes) -> None:
        record = self.state.records[int(item.value(1)), item.value(2)]
        name = int(item.value(3))
        if name == 0:
            record.alive, record.life = False, Version(change.id, change.at)
            record.revision += 1
            return
        values = unpacked(value) if group_of(record.key[0], name) else [(name, value)]
        if record.office != change.office:
            raise Refused("not_holder")
        for number, one in values:
            if number in BY_STEPS.get(record.key[0], ()) and record.value(number) != one:
                raise Refused("by_steps_only")
        loser = item.value(9)
        self._effect(record, values)
        for number, _ in values:
            self.state.outcomes[loser, number] = ("merged", record.version(number))


def code_of(reason: str) -> bytes | None:
    """A reason as a note says it; which code a transfer's guard gives is not foretold."""
    return None if reason == "TRF" else reason.encode()


def unpacked(value: bytes) -> list:
    values = []
    while value:
        number, length = int.from_bytes(value[:2], "big"), int.from_bytes(value[2:6], "big")
        values.append((number, value[6 : 6 + length]))
        value = value[6 + length :]
    return values


def is_canonical(kind: int, number: int, value: bytes) -> bool:
    """Whether a value may stand in a field, of those that the histories use."""
    if not value or (kind, number) not in LENGTHS:
        return True
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return len(text) <= LENGTHS[kind, number] and not any(c == "\0" or c == "\u202e" for c in text)
