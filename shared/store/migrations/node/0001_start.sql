-- What only a node keeps.

-- The node's own changes, never cut: header, salt and body as written, with the chain after each.
CREATE TABLE journal (
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL CHECK (length(id) = 16),
    at       INTEGER NOT NULL,
    -- The machine's hybrid clock after it wrote this here. It stands with the entry, so that a disk that kept
    -- the one kept the other.
    clock    INTEGER NOT NULL,
    header   BLOB NOT NULL,
    salt     BLOB NOT NULL CHECK (length(salt) = 16),
    body     BLOB NOT NULL,
    chain    BLOB NOT NULL CHECK (length(chain) = 32),
    -- The hash of salt and body where both were erased: then the salt is zeros and the body empty.
    body_hash BLOB CHECK (length(body_hash) = 32),
    PRIMARY KEY (epoch, sequence)
) STRICT;
CREATE INDEX journal_record ON journal (kind, id);

-- The journal of an identity that the machine had before it was enrolled again.
CREATE TABLE former_journal (
    node     BLOB NOT NULL CHECK (length(node) = 16),
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL,
    at       INTEGER NOT NULL,
    header   BLOB NOT NULL,
    salt     BLOB NOT NULL,
    body     BLOB NOT NULL,
    chain    BLOB NOT NULL,
    body_hash BLOB,
    PRIMARY KEY (node, epoch, sequence)
) STRICT;
CREATE INDEX former_journal_record ON former_journal (kind, id);

-- Changes that a row still stands on: not yet part of a state that the hub sent or acknowledged.
CREATE TABLE pending (
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    -- Whether the hub has it and lets it wait for a record that it names.
    is_waiting INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id, epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX pending_place ON pending (epoch, sequence);

-- The hub's state of each row that has pending changes; no state where the hub has none yet.
CREATE TABLE base_image (
    kind  INTEGER NOT NULL,
    id    BLOB NOT NULL,
    -- A packed record; NULL where the hub has not sent one.
    state BLOB,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- How far each feed has been read, and the digest of its confirmed states.
CREATE TABLE feed (
    name     TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    sum      BLOB NOT NULL CHECK (length(sum) = 32),
    count    INTEGER NOT NULL,
    -- The place of the head when this was last read up to it: every move up to there was seen. Behind it, up to
    -- `sequence`, only what still stood there when it was read.
    whole_through INTEGER NOT NULL,
    -- Up to where the hub had released entries that told of removals when it was read so far.
    released_through INTEGER NOT NULL,
    -- Whether it was read on after such entries had been released unread: rows that the hub does not have
    -- are removed then, until the digests have been equal.
    past_released INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which feed each confirmed row belongs to, with the hash by which it is counted there.
CREATE TABLE counted (
    kind INTEGER NOT NULL,
    id   BLOB NOT NULL,
    feed TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Own changes that came back refused, and those that stood on them: not shown any more.
CREATE TABLE refused (
    epoch     INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    set_aside BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT, WITHOUT ROWID;

-- Blocks of letter numbers, each leased to one (node, epoch). What is left of another identity's is
-- not given out, only told to the hub.
CREATE TABLE lease (
    issuer BLOB NOT NULL CHECK (length(issuer) = 16),
    year   INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    end    INTEGER NOT NULL,
    -- The first number that is not given out; the file of marks beside the keys may know a greater.
    next   INTEGER NOT NULL,
    node   BLOB NOT NULL CHECK (length(node) = 16),
    epoch  INTEGER NOT NULL,
    PRIMARY KEY (issuer, year, first)
) STRICT, WITHOUT ROWID;

-- The last contacts with the hub, for the clerk's page.
CREATE TABLE contact (
    number   INTEGER PRIMARY KEY,
    started  INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    sent     INTEGER NOT NULL,
    received INTEGER NOT NULL,
    result   TEXT NOT NULL
) STRICT;

-- The last equality certificate of each feed.
CREATE TABLE certificate (
    feed           TEXT PRIMARY KEY,
    sequence       INTEGER NOT NULL,
    sum            BLOB NOT NULL,
    count          INTEGER NOT NULL,
    hub_signature  BLOB NOT NULL,
    node_signature BLOB NOT NULL,
    at             INTEGER NOT NULL,
    -- Under which incarnation of the hub, and how far own changes were decided in that snapshot. Epoch 0: under an
    -- identity before this one.
    incarnation    BLOB NOT NULL,
    epoch          INTEGER NOT NULL,
    decided        INTEGER NOT NULL,
    decided_signature BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows that a repair replaced, kept whole.
CREATE TABLE replaced (
    number INTEGER PRIMARY KEY,
    kind   INTEGER NOT NULL,
    id     BLOB NOT NULL,
    at     INTEGER NOT NULL,
    why    TEXT NOT NULL,
    state  BLOB NOT NULL
) STRICT;

CREATE INDEX replaced_record ON replaced (kind, id);

-- Records that have left the office's scope and of which values are left here.
CREATE TABLE leaving (
    kind INTEGER NOT NULL,
    id   BLOB NOT NULL,
    -- Whether it was looked at already and waits for a change of it to be decided or durable.
    waits INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leaving_fresh ON leaving (kind, id) WHERE waits = 0;

-- What was erased, for the statement to the hub.
CREATE TABLE erased (
    number  INTEGER PRIMARY KEY,
    kind    INTEGER NOT NULL,
    id      BLOB NOT NULL,
    at      INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    -- Whether the hub has the statement.
    is_told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX erased_untold ON erased (number) WHERE is_told = 0;
