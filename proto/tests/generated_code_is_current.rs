//! The committed code is what the `.proto` files generate.
//!
//! `LIANXIN_REGENERATE=1 cargo test -p proto --test generated_code_is_current` writes it anew.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

const FILES: [&str; 4] = [
    "lianxin/sync/v1/change.proto",
    "lianxin/sync/v1/row.proto",
    "lianxin/sync/v1/sync.proto",
    "lianxin/enrolment/v1/enrolment.proto",
];

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let set = protox::compile(FILES.map(|file| root.join(file)), [root]).expect("the files parse");
    let out = tempfile::tempdir().expect("a folder");
    tonic_prost_build::configure()
        .out_dir(out.path())
        .bytes(".")
        .codec_path("crate::codec::BoundedCodec")
        .compile_fds(set)
        .expect("the code generates");
    for name in ["lianxin.sync.v1.rs", "lianxin.enrolment.v1.rs"] {
        let fresh = std::fs::read_to_string(out.path().join(name)).expect("generated");
        let kept = root.join("src/gen").join(name);
        if std::env::var_os("LIANXIN_REGENERATE").is_some() {
            std::fs::write(&kept, &fresh).expect("written");
        }
        let current = std::fs::read_to_string(&kept).expect("committed");
        assert!(
            current == fresh,
            "{name} differs: run this test with LIANXIN_REGENERATE=1"
        );
    }
}
