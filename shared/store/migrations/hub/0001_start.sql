-- What only the hub keeps.

-- The machines that speak for offices, one row per enrolment; never deleted.
CREATE TABLE node (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    office        BLOB NOT NULL CHECK (length(office) = 16),
    verifying_key BLOB NOT NULL CHECK (length(verifying_key) = 32),
    machine       TEXT NOT NULL,
    version       TEXT NOT NULL,
    enrolled_at   INTEGER NOT NULL,
    revoked_at    INTEGER,
    -- Set while two machines speak with this identity: the chain that a person named as the
    -- office's, or empty until one did.
    cloned_at     INTEGER,
    last_seen     INTEGER,
    waiting       INTEGER NOT NULL DEFAULT 0,
    offset_ms     INTEGER NOT NULL DEFAULT 0,
    -- When it told a restored hub what it holds; NULL until then.
    reported_at   INTEGER,
    -- When the newest certificate begins that the node has used (seconds since 1970): an older one
    -- may only be renewed from then on.
    certified_from INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Enrolment codes by the hash of their secret.
CREATE TABLE code (
    secret_hash   BLOB PRIMARY KEY CHECK (length(secret_hash) = 32),
    office        BLOB NOT NULL,
    made_at       INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    -- Whether an operator must compare the six figures before the node gets a certificate.
    must_confirm  INTEGER NOT NULL,
    confirmed_at  INTEGER,
    rejected_at   INTEGER,
    -- The keys that it is bound to: the same code with the same keys is answered alike.
    keys_hash     BLOB,
    -- The six figures of these keys, and the machine that has them.
    comparison    TEXT,
    machine       TEXT,
    node          BLOB
) STRICT, WITHOUT ROWID;

-- One row per journal that the hub knows: (node, epoch), the hub's own among them.
CREATE TABLE journal (
    node            BLOB NOT NULL CHECK (length(node) = 16),
    epoch           INTEGER NOT NULL,
    received        INTEGER NOT NULL,
    chain           BLOB NOT NULL CHECK (length(chain) = 32),
    decided_through INTEGER NOT NULL,
    -- For an epoch offered after a rewind or fork: the head that it was offered for.
    offered_for     BLOB,
    -- After a restore: changes up to here have had their effect already and are stored as history.
    history_through INTEGER NOT NULL DEFAULT 0,
    -- The node's chain there, as it told.
    history_chain   BLOB CHECK (length(history_chain) = 32),
    -- A clone's branch: kept, not applied.
    kept_only       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (node, epoch)
) STRICT, WITHOUT ROWID;

-- The journals' bytes as they arrived: compressed, signed, never rewritten.
CREATE TABLE batch (
    node        BLOB NOT NULL,
    epoch       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    offset_ms   INTEGER NOT NULL,
    raw_bytes   INTEGER NOT NULL,
    -- Which records its changes are about: the last four bytes of each id, one after another.
    touched     BLOB NOT NULL,
    bytes       BLOB NOT NULL,
    chain       BLOB NOT NULL CHECK (length(chain) = 32),
    signature   BLOB NOT NULL,
    PRIMARY KEY (node, epoch, last)
) STRICT;

-- The last greetings of each journal, to tell a repeat from a clone.
CREATE TABLE greeting (
    node      BLOB NOT NULL,
    epoch     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    confirmed BLOB NOT NULL,
    proposed  BLOB NOT NULL,
    PRIMARY KEY (node, epoch, number)
) STRICT, WITHOUT ROWID;

-- The feeds: next free place, and the digest of the rows in it.
CREATE TABLE feed (
    name          TEXT PRIMARY KEY,
    next_sequence INTEGER NOT NULL,
    sum           BLOB NOT NULL CHECK (length(sum) = 32),
    count         INTEGER NOT NULL,
    -- After a restore: where the feed stood in the backup.
    restored_next INTEGER NOT NULL DEFAULT 0,
    -- The last place of which an entry that told of a removal was released.
    released_through INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What the feeds were lately, commit by commit: the hub signs nothing else of them.
CREATE TABLE feed_state (
    feed     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sum      BLOB NOT NULL CHECK (length(sum) = 32),
    PRIMARY KEY (feed, sequence, sum)
) STRICT, WITHOUT ROWID;

-- Which record stands where in which feed; a change moves it to the head.
CREATE TABLE feed_entry (
    kind             INTEGER NOT NULL,
    id               BLOB NOT NULL,
    feed             TEXT NOT NULL,
    sequence         INTEGER NOT NULL,
    -- The place of the last move that was not the feed's own node's plainly applied change.
    foreign_sequence INTEGER NOT NULL,
    -- The own change that moved it last, if that was the last move.
    own_node         BLOB,
    own_epoch        INTEGER,
    own_sequence     INTEGER,
    -- Why the record left this feed; NULL while it is in it.
    left_reason      INTEGER,
    left_at          INTEGER,
    PRIMARY KEY (kind, id, feed)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX feed_entry_place ON feed_entry (feed, sequence);
CREATE INDEX feed_entry_left ON feed_entry (left_at, feed, sequence) WHERE left_reason IS NOT NULL;

-- Deleted records, with since when: those whose values are still here.
CREATE TABLE tombstone (
    kind INTEGER NOT NULL,
    id   BLOB NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_at ON tombstone (at, kind, id);

-- The cursor that a node has shown for a feed: it has all before it. Of another epoch than the
-- node's present one it says nothing any more.
CREATE TABLE acknowledged (
    node     BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    feed     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (node, epoch, feed)
) STRICT, WITHOUT ROWID;

-- What nodes have stated that they erased, each record with the node's signature.
CREATE TABLE erased (
    kind      INTEGER NOT NULL,
    id        BLOB NOT NULL,
    node      BLOB NOT NULL,
    epoch     INTEGER NOT NULL,
    -- By the node's clock.
    at        INTEGER NOT NULL,
    changes   INTEGER NOT NULL,
    digest    BLOB NOT NULL CHECK (length(digest) = 32),
    signature BLOB NOT NULL,
    told_at   INTEGER NOT NULL,
    PRIMARY KEY (kind, id, node, epoch, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_record ON erased (id);

-- What became of every change and field that was not plainly applied; kept for ever.
CREATE TABLE outcome (
    node     BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    field    INTEGER NOT NULL,
    -- 1 merged into another version, 2 lost (item), 3 set aside (record), 4 waiting (record)
    state    INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    -- What it merged into (28 bytes), or the id of the item or set-aside record (16 bytes).
    target   BLOB NOT NULL,
    PRIMARY KEY (node, epoch, sequence, field)
) STRICT, WITHOUT ROWID;

-- Changes that wait for a record, in the order in which they will be decided; and those that wait
-- until a restored hub has heard the offices concerned, once for each record on which they work.
CREATE TABLE waiting (
    for_kind   INTEGER NOT NULL,
    for_id     BLOB NOT NULL,
    node       BLOB NOT NULL,
    epoch      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    set_aside  BLOB NOT NULL,
    since      INTEGER NOT NULL,
    until_heard INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (for_kind, for_id, node, epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_change ON waiting (node, epoch, sequence);

-- Who claims a natural key: a keyed hash, never the key itself. Not unique on purpose.
CREATE TABLE claim (
    kind   INTEGER NOT NULL,
    hash   BLOB NOT NULL CHECK (length(hash) = 32),
    record BLOB NOT NULL CHECK (length(record) = 16),
    PRIMARY KEY (kind, hash, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_record ON claim (record);

-- Claims of a machine that met a record which its office does not see, of the last day; what the
-- alarm on their rate is reckoned by.
CREATE TABLE collision (
    node     BLOB NOT NULL CHECK (length(node) = 16),
    at       INTEGER NOT NULL,
    record   BLOB NOT NULL CHECK (length(record) = 16),
    -- Whether the desk was told with this one.
    is_alarm INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (node, at, record)
) STRICT, WITHOUT ROWID;

-- Ids that must never live again.
CREATE TABLE purged (
    id BLOB PRIMARY KEY CHECK (length(id) = 16)
) STRICT, WITHOUT ROWID;

-- Blocks of letter numbers: [first, end) of a year, leased to one (node, epoch), or to the hub's
-- own for its desk; never deleted.
CREATE TABLE lease (
    issuer    BLOB NOT NULL CHECK (length(issuer) = 16),
    year      INTEGER NOT NULL,
    first     INTEGER NOT NULL CHECK (first > 0),
    end       INTEGER NOT NULL CHECK (end > first),
    -- The first number that is not given out, as far as the hub knows.
    next      INTEGER NOT NULL CHECK (next BETWEEN first AND end),
    node      BLOB NOT NULL CHECK (length(node) = 16),
    epoch     INTEGER NOT NULL,
    leased_at INTEGER NOT NULL,
    -- Why the numbers from next on are void; NULL while they may be given out.
    voided    TEXT,
    voided_at INTEGER,
    PRIMARY KEY (issuer, year, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_node ON lease (node);

-- The last equality certificate of each feed, with both signatures.
CREATE TABLE certificate (
    node           BLOB NOT NULL,
    feed           TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    sum            BLOB NOT NULL,
    count          INTEGER NOT NULL,
    hub_signature  BLOB NOT NULL,
    node_signature BLOB NOT NULL,
    at             INTEGER NOT NULL,
    PRIMARY KEY (node, feed)
) STRICT, WITHOUT ROWID;

-- Rows that a node offered to a restored hub, until its report on the feed ends; without a state: a
-- row that had left the feed. What could not be proven stays as evidence.
CREATE TABLE offer (
    node  BLOB NOT NULL,
    feed  TEXT NOT NULL,
    kind  INTEGER NOT NULL,
    id    BLOB NOT NULL,
    state BLOB,
    PRIMARY KEY (node, feed, kind, id)
) STRICT, WITHOUT ROWID;

-- What a node has proven, and the hub's own row does not have: it went its own way when it did not know that it was put
-- back, or was made again from the node's journal, or the record has left the feed. It stands as long as what the journal says to be proven: beyond a restore.
CREATE TABLE parted (
    node     BLOB NOT NULL,
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL,
    has_left INTEGER NOT NULL,
    PRIMARY KEY (node, kind, id)
) STRICT, WITHOUT ROWID;

-- Changes of which a value stood in a row of this hub, in place of which a row has come back that may never have gone
-- through it. They stay until the changes that wrote what stands there now have come and say what their writers saw.
CREATE TABLE passed_over (
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL,
    node     BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (kind, id, node, epoch, sequence)
) STRICT, WITHOUT ROWID;

-- What should not have happened and was mended: every row is a bug or a damaged disk.
CREATE TABLE incident (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    what   TEXT NOT NULL,
    node   BLOB,
    detail TEXT NOT NULL
) STRICT;

-- Backups that were made and read back, while their files are kept.
CREATE TABLE backup (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    file   TEXT NOT NULL,
    bytes  INTEGER NOT NULL
) STRICT;

-- How far each journal stood in a backup: what the oldest one has is durable.
CREATE TABLE backup_journal (
    backup   INTEGER NOT NULL,
    node     BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (backup, node, epoch)
) STRICT, WITHOUT ROWID;
