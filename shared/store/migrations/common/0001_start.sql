-- What node and hub both keep. Identifiers are sixteen bytes; times are milliseconds since 1970;
-- tables of declared kinds are made from their declarations and are not written here.

-- Single values by name: identities, the clock, the schema of the declared kinds.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Records of kinds that this program does not know: kept, counted, passed on.
CREATE TABLE unknown_record (
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL CHECK (length(id) = 16),
    class    INTEGER NOT NULL,
    office   BLOB NOT NULL CHECK (length(office) = 16),
    revision INTEGER NOT NULL,
    life     INTEGER NOT NULL CHECK (life IN (1, 2)),
    versions BLOB NOT NULL,
    opaque   BLOB,
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    row_seal INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
