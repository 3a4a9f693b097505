//! The table in `shared/docs/protocol.md`: every rule and every row of the restore table, with the
//! command that drives it and the test that ran it. `LIANXIN_REGENERATE=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const FILE: &str = "shared/docs/protocol.md";
const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->\n";

/// What, the command that drives it between processes, and the test; no test: open, and why.
struct Row(
    &'static str,
    &'static str,
    Result<&'static str, &'static str>,
);

const RULES: &[Row] = &[
    Row(
        "1 an update is never an insert",
        "node set",
        Ok("rule_1_an_update_is_never_an_insert_and_is_decided_when_its_record_comes"),
    ),
    Row(
        "1 a second creation with other content is set aside",
        "node journal, entries of another program",
        Ok("invariant_4_a_second_creation_is_kept_aside_and_a_group_is_taken_whole_or_not"),
    ),
    Row(
        "2 an equal value merges; later bases follow it",
        "node set, hub set",
        Ok("the_same_value_in_two_places_is_no_conflict"),
    ),
    Row(
        "3 of two concurrent values one wins and the other is kept",
        "node set, hub set, settle",
        Ok("invariant_5_an_edit_on_a_value_that_lost_replaces_it_in_the_same_item"),
    ),
    Row(
        "4 an edit on a loser replaces it in the same item",
        "node set twice, hub set",
        Ok("invariant_5_an_edit_on_a_value_that_lost_replaces_it_in_the_same_item"),
    ),
    Row(
        "4 a loser that came back counts as a base",
        "node settle --keep loser, set",
        Ok("invariant_5_an_edit_on_a_value_that_lost_replaces_it_in_the_same_item"),
    ),
    Row(
        "5 a deletion against an unseen edit becomes a request",
        "node delete, hub set",
        Ok("a_deletion_that_has_not_seen_an_edit_becomes_a_request"),
    ),
    Row(
        "5 tombstones keep values; restoration",
        "node restore-record",
        Ok("a_deletion_that_has_not_seen_an_edit_becomes_a_request"),
    ),
    Row(
        "5 an edit of a tombstone, or a step on it, is set aside",
        "node set, step",
        Ok("rule_5_a_step_on_a_tombstone_is_set_aside_like_any_edit"),
    ),
    Row(
        "6 a change that names an unknown record waits",
        "node add, hub org import",
        Ok("a_change_that_names_an_unknown_record_waits_and_is_decided_by_itself"),
    ),
    Row(
        "6 after 30 days it goes to a person",
        "hub tick",
        Ok("a_change_that_has_waited_for_thirty_days_goes_to_a_person"),
    ),
    Row(
        "7 fields that belong together are judged as one",
        "node set, hub set",
        Ok("fields_that_belong_together_have_one_winner_and_one_item"),
    ),
    Row(
        "8 a group is taken whole or set aside whole",
        "node journal, entries of another program",
        Ok("invariant_4_a_second_creation_is_kept_aside_and_a_group_is_taken_whole_or_not"),
    ),
    Row(
        "9 a suspect clock never wins by latest",
        "node set with a wrong clock",
        Ok("an_office_whose_clock_is_years_off_works_and_never_wins_by_its_clock"),
    ),
    Row(
        "a settled item: the same value is a repeat, another is refused",
        "settle",
        Ok("a_settled_loser_comes_back_and_edits_on_it_count_as_on_the_restored_value"),
    ),
];

const RESTORES: &[Row] = &[
    Row(
        "unknown incarnation: recovering, rows taken back by proof",
        "hub backup, restore",
        Ok("a_restored_hub_takes_back_what_its_nodes_hold_before_it_decides"),
    ),
    Row(
        "a database behind what the hub had promised: not served until a person says that it was put back",
        "an old file in its place; hub recovery begin",
        Ok(
            "an_old_file_in_the_place_of_the_hubs_database_is_not_served_as_if_nothing_had_happened",
        ),
    ),
    Row(
        "the hub's whole folder put back: the first greeting proves it, and the hub stops",
        "an old copy of the folder in its place; hub recovery begin",
        Ok("a_hub_whose_folder_was_put_back_whole_stops_when_the_first_office_greets"),
    ),
    Row(
        "the hub lost what a node had sent in a former epoch: it comes again",
        "node rolled back, then hub restore",
        Ok("what_a_hub_that_was_put_back_has_lost_of_a_former_epoch_comes_again"),
    ),
    Row(
        "the hub lost what a machine had sent before it was enrolled again: it comes again",
        "node join, then hub restore",
        Ok("what_a_restored_hub_has_lost_of_a_former_identity_comes_again"),
    ),
    Row(
        "recovering: nothing decided until all are heard or a person ends it",
        "hub recovery end",
        Ok("while_one_office_is_not_heard_a_restored_hub_decides_nothing_that_concerns_it"),
    ),
    Row(
        "recovering: what concerns only offices that were heard is decided at once",
        "node add, while another office is off",
        Ok("while_one_office_is_not_heard_a_restored_hub_decides_nothing_that_concerns_it"),
    ),
    Row(
        "recovering: a node without a certificate sends its journal again from where the hub stands",
        "hub restore, node sync",
        Ok("a_node_without_a_certificate_brings_back_all_that_it_was_acknowledged"),
    ),
    Row(
        "restored, register lost: an unknown machine joins again with its whole journal",
        "hub restore, node join",
        Ok("a_node_that_a_restored_hub_has_lost_whole_joins_again_and_keeps_everything"),
    ),
    Row(
        "recovering: of a move only one half is heard when a person ends it",
        "hub recovery end, verify",
        Ok("a_move_of_which_a_restored_hub_hears_one_half_leaves_one_holder"),
    ),
    Row(
        "restored, and a copy took the places of what was lost: sent again in another epoch",
        "hub restore, node sync of a copy",
        Ok("what_a_restored_hub_has_lost_is_sent_again_though_a_copy_has_taken_its_place"),
    ),
    Row(
        "a record made again from a journal: what later portions say of it is decided too",
        "hub restore, pushes",
        Ok("what_an_office_wrote_to_a_record_that_is_made_again_is_decided_in_later_batches_too"),
    ),
    Row(
        "a reading of several pages sees what moved between them",
        "node sync of more than one page",
        Ok("a_page_brings_what_a_page_before_could_not"),
    ),
    Row(
        "exact pair of nonces seen before: a repeat",
        "node sync, killed",
        Ok("invariant_2_a_killed_hub_and_a_killed_node_lose_and_double_nothing"),
    ),
    Row(
        "two machines with one identity: one goes on, the other is kept apart",
        "office machines, office machine",
        Ok("of_two_copies_one_goes_on_and_the_others_changes_are_kept_until_a_person_names_one"),
    ),
    Row(
        "head below the hub's, chain agrees: rewound, a new epoch",
        "node folder rolled back",
        Ok("invariant_6_a_rolled_back_store_gets_its_own_lost_changes_back_and_agrees"),
    ),
    Row(
        "same sequence, other chain: the tail is rewritten",
        "node folder rolled back, then set",
        Ok("what_a_rolled_back_store_entered_before_it_greeted_is_written_anew"),
    ),
    Row(
        "rewritten twice: counted once",
        "node folder rolled back twice",
        Ok("a_store_rolled_back_twice_with_the_same_unsent_changes_counts_them_once"),
    ),
    Row(
        "own high below what the node knows acknowledged: sent again",
        "hub restore",
        Ok("a_restored_hub_takes_back_what_its_nodes_hold_before_it_decides"),
    ),
    Row(
        "nothing in common: outbox first",
        "node join again",
        Ok("a_revoked_office_is_told_so_and_keeps_what_it_has"),
    ),
    Row(
        "before enrolment: the journal is rewritten under the issued identity",
        "node add, join",
        Ok("invariant_8_what_was_entered_before_the_node_was_enrolled_is_the_offices"),
    ),
];

const REMOVALS: &[Row] = &[
    Row(
        "what left is erased at its office, stated, and erased again in an older store",
        "transfer step accept; node folder rolled back; hub backup",
        Ok("a_member_who_was_accepted_elsewhere_is_erased_at_the_origin_and_its_chain_stays_whole"),
    ),
    Row(
        "a tombstone is released; its id is refused; an older store reads past the release",
        "node delete, restore; clock",
        Ok("a_deleted_record_is_released_when_all_have_heard_and_its_id_never_lives_again"),
    ),
    Row(
        "who holds up a release is named, and catches up",
        "hub status; clock",
        Ok("a_node_that_was_away_holds_up_a_release_is_named_and_catches_up"),
    ),
];

const NUMBERS: &[Row] = &[
    Row(
        "numbers are given out offline, one after another",
        "node transfer step approve",
        Ok("numbers_are_given_without_a_line_and_follow_one_another"),
    ),
    Row(
        "blocks of two machines and of the desk never overlap",
        "node join, hub transfer step approve",
        Ok("two_machines_of_one_issuer_and_the_desk_never_give_the_same_number"),
    ),
    Row(
        "an older database: the mark beside the keys counts, the rest is void",
        "node backup, restore; hub lease void",
        Ok("a_database_put_back_from_a_backup_gives_no_number_twice_and_the_rest_is_void"),
    ),
    Row(
        "a number seen twice is set aside with a task",
        "node folder copied",
        Ok("a_number_that_a_copied_folder_gives_a_second_time_is_set_aside_with_a_task"),
    ),
    Row(
        "a restored hub leases no number twice",
        "hub restore",
        Ok("a_hub_restored_from_an_old_backup_leases_no_number_twice"),
    ),
    Row(
        "a restored hub without its register and without a node leases far behind",
        "hub restore, recovery end",
        Ok("a_hub_that_lost_its_register_too_leases_far_behind_what_it_cannot_know"),
    ),
    Row(
        "a new year begins a new block",
        "clock",
        Ok("a_new_year_brings_new_numbers_and_voids_the_rest_of_the_old"),
    ),
    Row(
        "a revoked office's rest is void",
        "hub office revoke",
        Ok("the_rest_of_a_revoked_offices_numbers_is_void"),
    ),
    Row(
        "a refused step voids the number that it gave out",
        "(decision)",
        Ok("a_refusal_voids_the_number_of_a_letter_that_was_printed_before_the_verdict"),
    ),
];

#[test]
fn the_table_of_the_protocol_is_current_and_its_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = sources(&root);
    let mut table = String::from(BEGIN);
    for (title, rows) in [
        ("Rules of merging", RULES),
        ("Restore, rewind, clone", RESTORES),
        ("Leaving, erasing, releasing", REMOVALS),
        ("Letter numbers", NUMBERS),
    ] {
        write!(
            table,
            "\n### {title}\n\n| what | driven by | test |\n|---|---|---|\n"
        )
        .unwrap();
        for Row(what, command, test) in rows {
            let said = match test {
                Ok(name) => {
                    let is_there = sources
                        .iter()
                        .any(|text| text.contains(&format!("fn {name}(")));
                    assert!(is_there, "no test {name}");
                    format!("`{name}`")
                }
                Err(why) => format!("open: {why}"),
            };
            writeln!(table, "| {what} | {command} | {said} |").unwrap();
        }
    }
    table.push('\n');
    table.push_str(END);
    let file = root.join(FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{table}{after}");
    if std::env::var_os("LIANXIN_REGENERATE").is_some() {
        std::fs::write(&file, &fresh).unwrap();
    }
    let current = std::fs::read_to_string(&file).unwrap();
    assert!(
        current == fresh,
        "{FILE} is another: LIANXIN_REGENERATE=1 writes it anew"
    );
}

fn sources(root: &Path) -> Vec<String> {
    let mut folders: Vec<PathBuf> = [
        "shared/domain/src",
        "hub/src",
        "tests/scenarios",
        "tests/tests",
    ]
    .iter()
    .map(|folder| root.join(folder))
    .collect();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}
