//! The faults that may happen, by the number that they have everywhere in this project.

/// A fault of the list.
#[derive(Debug)]
pub struct Fault {
    /// Its number.
    pub id: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// Where it happens in processes of their own, so that a lower count is asked of it.
    pub is_real: bool,
    /// Why it is not tried by this machinery; empty where it is.
    pub not_tried: &'static str,
}

const fn of(id: &'static str, what: &'static str) -> Fault {
    Fault {
        id,
        what,
        is_real: false,
        not_tried: "",
    }
}

const fn real(id: &'static str, what: &'static str) -> Fault {
    Fault {
        is_real: true,
        ..of(id, what)
    }
}

const fn without(id: &'static str, what: &'static str, not_tried: &'static str) -> Fault {
    Fault {
        not_tried,
        ..of(id, what)
    }
}

const PAGES: &str = "concerns the pages; their own tests ask it";
const NO_LOG: &str = "waits for a log of signed heads, which is not built";

/// All of them.
pub const ALL: [Fault; 102] = [
    of("N1", "a line is cut at any message, either way"),
    of("N2", "the hub has committed, its answer is lost"),
    of("N3", "a connection that is half open"),
    of("N4", "a line that carries one way only"),
    of("N5", "calls that arrive twice"),
    of("N6", "late calls of an earlier session"),
    real("N7", "30 % of the packets are lost"),
    real("N8", "two seconds of latency"),
    real("N9", "a line of 20 to 40 kbit/s"),
    of("N10", "a line that comes and goes for days"),
    of("N11", "an office away for a year"),
    real("N12", "a portal answers instead of the hub"),
    real("N13", "large packets vanish"),
    real("N14", "no name service, another address of the hub"),
    real("N15", "a certificate ends in the middle of a session"),
    of("N16", "weak TLS, no certificate of a client"),
    of("N17", "a peer that never reads"),
    real("N18", "all offices connect at once"),
    of("P1", "a node is killed anywhere"),
    of("P2", "the hub is killed anywhere"),
    of("P3", "the power fails, the log is torn"),
    of("P4", "the power fails in a checkpoint or a backup"),
    of("P5", "the disk is full at any write"),
    real("P6", "the disk is read-only"),
    of("P7", "a sync fails"),
    of("P8", "a sync lies"),
    real("P9", "a slow disk"),
    real("P10", "too little memory"),
    of("P11", "a machine sleeps"),
    real("P12", "no descriptors left"),
    of("P13", "the power fails again while it recovers"),
    without(
        "P14",
        "a panic in a task",
        "no panic was seen (S20 watches for one); no place is made to panic",
    ),
    real("P15", "it is stopped in the middle of a session"),
    of("P16", "a database without its log"),
    of("P17", "a bit turns over in a message"),
    of("D1", "a damaged page at a node"),
    of("D2", "a damaged page at the hub"),
    of("D3", "a node put back to an older state"),
    of("D4", "the hub put back to an older state"),
    of("D5", "a node that exists twice"),
    of("D6", "a machine is replaced"),
    of("D7", "a clock that is years off"),
    of("D8", "a clock that jumps"),
    of("D9", "timestamps from the future"),
    of("D10", "one person entered twice"),
    of("D11", "two transfers of one member at once"),
    of("D12", "a transfer in a circle or to nobody"),
    of("D13", "the former holder edits on"),
    of("D14", "a deletion against an edit"),
    of("D15", "a record that is too large"),
    of("D16", "text that is no text, rare characters"),
    without(
        "D17",
        "numbers of identity cards in every spelling",
        "a rule without state: the tests of `domain` ask it against an independent reckoning",
    ),
    of("D18", "sequences and times at their ends"),
    without(
        "D19",
        "a backlog of a million records",
        "a matter of scale: the benchmarks measure it",
    ),
    of("D20", "a record before the one that it names"),
    of("D21", "removals are released while a node is away"),
    of("D22", "a machine is destroyed"),
    of("V1", "kinds that only a newer program knows"),
    of("V2", "fields that only a newer program knows"),
    without(
        "V3",
        "a newer hub with an older node, and the reverse",
        "no release is out yet; a newer program is imitated by V1 and V2",
    ),
    without("V4", "mixed versions for months", "as V3"),
    of("V5", "a migration is cut"),
    without(
        "V6",
        "an older program on a newer database",
        "the tests of `store` ask it: it is refused and left as it is",
    ),
    without(
        "V7",
        "a value that an older program does not know",
        "the tests of `domain` and the check of the wire ask it",
    ),
    without("V8", "the hub's program alone goes back", "as V3"),
    real("O1", "two hubs on one database"),
    real("O2", "two nodes on one database"),
    of("O3", "the hub's clock is wrong"),
    real("O4", "one node's backup on another machine"),
    real("O5", "another hub or another root answers"),
    real("O6", "the root is replaced while nodes are away"),
    real("O7", "the database lies on a network share"),
    real("O8", "another program holds the file"),
    of("O9", "somebody deletes the log"),
    of("O10", "organisations merge while nodes are away"),
    real("O11", "a machine is enrolled for the wrong office"),
    without(
        "O12",
        "PostgreSQL loses its connection",
        "the hub stands on SQLite alone",
    ),
    real("O13", "a backup that was never restored"),
    of("M1", "a node writes what is another office's"),
    of("M2", "captured calls are sent again"),
    of("M3", "a forged author"),
    of("M4", "counts and sizes beyond all bounds"),
    of("M5", "a small message that unpacks to a huge one"),
    of("M6", "peers that are slow on purpose"),
    real("M7", "a stolen certificate"),
    real("M8", "a node that was revoked"),
    of("M9", "HTTP/2 used against the hub"),
    without("M10", "SQL in names", PAGES),
    without("M11", "scripts in names", PAGES),
    without("M12", "forms of another site", PAGES),
    without("M13", "another name for this machine", PAGES),
    of("M14", "a table that unpacks to a huge one"),
    without(
        "M15",
        "formulas in exported cells",
        "the tests of `exchange` ask it",
    ),
    without(
        "M16",
        "paths in names of files",
        "the tests of `exchange` ask it",
    ),
    of("M17", "enrolment codes are guessed or used again"),
    without("M18", "the operator of the hub rewrites what was", NO_LOG),
    without("M19", "the hub tells two nodes two histories", NO_LOG),
    of("M20", "control characters in what is logged"),
    of("M21", "the search for duplicates is used to ask for people"),
    without("M22", "passwords are guessed", PAGES),
    of("M23", "messages made to be slow to read"),
    without(
        "M24",
        "a library with a hole",
        "no list of advisories can be fetched here",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_stands_once() {
        let ids: BTreeSet<_> = ALL.iter().map(|fault| fault.id).collect();
        assert_eq!(ids.len(), ALL.len());
        let counts = [
            ("N", 18),
            ("P", 17),
            ("D", 22),
            ("V", 8),
            ("O", 13),
            ("M", 24),
        ];
        for (letter, count) in counts {
            let of_letter = ids.iter().filter(|id| id.starts_with(letter)).count();
            assert_eq!(of_letter, count, "{letter}");
        }
    }
}
