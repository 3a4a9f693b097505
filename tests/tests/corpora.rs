//! Every kept input of every decoder, and some thousands of changes of each.

use tests::fuzz::{TARGETS, inputs, replay};

/// Inputs that each decoder has at least, so that none is tried by name only.
const INPUTS_MIN: usize = 9;

#[test]
fn every_decoder_stands_what_was_ever_tried_on_it() -> anyhow::Result<()> {
    let mut met = std::collections::BTreeMap::new();
    for target in &TARGETS {
        let kept = inputs(target)?;
        assert!(kept.len() >= INPUTS_MIN, "{}: {}", target.name, kept.len());
        for (what, times) in replay(target)? {
            *met.entry(what).or_insert(0) += times;
        }
    }
    // What was not met was not tried.
    for what in [
        "M3 forged authors refused",
        "M4 counts over the limit refused",
        "M4 sizes over the limit refused",
        "M5 packed bytes of another size refused",
        "M14 hostile workbooks refused",
        "M15 formulas neutralised",
        "M17 codes that are none refused",
        "M23 hostile encodings read",
        "D15 oversized changes refused",
        "D16 invalid text refused",
        "D16 rare characters kept",
        "D18 extreme cursors answered",
        "D18 extreme times read",
        "V2 unknown fields kept",
        "pages answered",
        "prefixes described",
        "certificates read",
    ] {
        assert!(
            met.get(what).is_some_and(|times| *times > 0),
            "{what}: {met:?}"
        );
    }
    Ok(())
}
