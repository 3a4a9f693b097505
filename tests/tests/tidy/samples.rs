//! The checks on samples: each finds what is bad and leaves what is good.

use super::*;

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn assert_found(check: fn(&Source) -> Vec<String>, path: &str, text: &str, findings: usize) {
    let found = check(&source(path, text));
    assert_eq!(found.len(), findings, "{path}: {found:?}\n{text}");
}

#[test]
fn a_module_without_doc_is_found() {
    assert_found(
        without_module_doc,
        "hub/src/a.rs",
        "use std::fmt;\n//! Late.\n",
        1,
    );
    assert_found(without_module_doc, "hub/src/a.rs", "", 1);
    assert_found(without_module_doc, "hub/src/a.rs", "//! What it is.\n", 0);
    assert_found(
        without_module_doc,
        "proto/src/gen/a.rs",
        "use std::fmt;\n",
        0,
    );
}

#[test]
fn a_long_file_is_found() {
    let line = "//! x\n";
    assert_found(too_long, "hub/src/a.rs", &line.repeat(LINES_MAX), 0);
    assert_found(too_long, "hub/src/a.rs", &line.repeat(LINES_MAX + 1), 1);
    assert_found(
        too_long,
        "proto/src/gen/a.rs",
        &line.repeat(LINES_MAX + 1),
        0,
    );
}

#[test]
fn a_wide_line_is_found_unless_it_is_of_tests() {
    let wide = "文".repeat(COLUMNS_MAX + 1);
    let text = format!("{wide}\n#[cfg(test)]\n#[allow(\n    x,\n)]\nmod tests {{\n{wide}\n}}\n");
    assert_found(too_wide, "hub/src/a.rs", &text, 1);
    assert_found(too_wide, "hub/tests/a.rs", &text, 0);
    assert_found(too_wide, "hub/src/a/tests.rs", &text, 0);
    assert_found(too_wide, "hub/src/a.rs", &"文".repeat(COLUMNS_MAX), 0);
    let behind = format!("#[cfg(test)]\nmod tests;\n{wide}\n");
    assert_found(too_wide, "hub/src/a.rs", &behind, 1);
}

#[test]
fn an_ignored_test_is_found() {
    for text in [
        format!("{IGNORED}]\nfn a() {{}}"),
        format!("    {IGNORED} = \"slow\"]"),
    ] {
        assert_found(ignored_test, "hub/src/a.rs", &text, 1);
    }
    assert_found(ignored_test, "hub/src/a.rs", "#[test]\nfn ignored() {}", 0);
}

#[test]
fn unfinished_work_is_found() {
    for word in UNFINISHED {
        assert_found(unfinished, "tests/src/a.rs", &format!("    {word})"), 1);
        assert_found(unfinished, "tests/src/a.rs", &format!("    // {word})"), 0);
    }
}

#[test]
fn sql_outside_the_store_is_found() {
    for word in SQL {
        let text = format!("let sql = \"{word}a\";");
        assert_found(sql_outside_the_store, "hub/src/a.rs", &text, 1);
        assert_found(sql_outside_the_store, "shared/store/src/a.rs", &text, 0);
    }
    assert_found(
        sql_outside_the_store,
        "hub/src/a.rs",
        "let text = \"Select a file\";",
        0,
    );
}

#[test]
fn a_clock_read_in_the_wrong_place_is_found() {
    for clock in CLOCKS {
        let text = format!("let now = {clock}();");
        assert_found(clock_read, "hub/src/rpc.rs", &text, 1);
        assert_found(clock_read, "shared/domain/src/a.rs", &text, 1);
        assert_found(clock_read, "shared/system/src/lib.rs", &text, 0);
        assert_found(clock_read, "tests/src/a.rs", &text, 0);
    }
    assert_found(
        clock_read,
        "hub/src/rpc.rs",
        "let begun = Instant::now();",
        0,
    );
}

#[test]
fn a_rule_that_looks_around_is_found() {
    for word in IMPURE {
        let text = format!("use {word};\n// {word}\n#[cfg(test)]\nmod tests {{\nuse {word};\n}}\n");
        assert_found(impure_rule, "shared/domain/src/a.rs", &text, 1);
        assert_found(impure_rule, "hub/src/a.rs", &text, 0);
    }
}

#[test]
fn an_edge_that_the_layers_forbid_is_found() {
    let ours: Vec<String> = LAYERS.iter().map(|layer| layer.name.to_owned()).collect();
    let finds = |from: &str, to: &str, is_dev: bool| {
        let edge = Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            is_dev,
        };
        forbidden_edge(&edge, &ours).is_some()
    };
    for (from, to) in [
        ("domain", "store"),
        ("domain", "serde"),
        ("domain", "rand_core"),
        ("proto", "store"),
        ("proto", "axum"),
        ("store", "proto"),
        ("store", "tonic-prost"),
        ("transport", "rusqlite"),
        ("web", "prost"),
        ("exchange", "tokio"),
        ("exchange", "web"),
        ("lianxin-node", "lianxin-hub"),
        ("lianxin-hub", "lianxin-node"),
        ("lianxin-hub", "rusqlite"),
        ("lianxin-hub", "tests"),
        ("store", "tests"),
        ("stranger", "domain"),
    ] {
        assert!(finds(from, to, false), "{from} -> {to}");
    }
    // Between our own crates, tests need no more than the code.
    assert!(finds("store", "proto", true));
    for (from, to) in [
        ("lianxin-hub", "store"),
        ("store", "domain"),
        ("domain", "randomly"),
    ] {
        assert!(!finds(from, to, false), "{from} -> {to}");
    }
    assert!(!finds("store", "tonic", true));
}
