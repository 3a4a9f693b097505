//! The texts of refusals that belong to no machine, and the tables of those that do.

/// Organisations (`domain.md` 7.2).
pub const ORGANISATION: &[(&str, &str, &str)] = &[
    (
        "ORG-001",
        "{org} 尚有 {n} 名党员、{m} 件未办结转接,不能撤销。",
        "{org} still has {n} members and {m} open transfers and cannot be abolished.",
    ),
    (
        "ORG-002",
        "上级组织不能是自身或下级。",
        "An organisation cannot stand above itself or under one of its own.",
    ),
    (
        "ORG-003",
        "延期换届不得超过一年且须上级批复文号。",
        "A term is extended by at most a year, with the number of the superior's approval.",
    ),
];

/// Every table of texts.
pub fn tables() -> impl Iterator<Item = &'static [(&'static str, &'static str, &'static str)]> {
    [
        super::transfer::MESSAGES,
        super::letter::MESSAGES,
        super::member_status::MESSAGES,
        super::participation::MESSAGES,
        super::activity::MESSAGES,
        ORGANISATION,
    ]
    .into_iter()
}
