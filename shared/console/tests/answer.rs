//! What a person reads where something went wrong.

use console::answer;

#[derive(Debug, thiserror::Error)]
enum Outer {
    #[error("line: {0}")]
    Repeats(#[from] std::io::Error),
    #[error("the file")]
    Hides(#[source] std::io::Error),
}

fn refused() -> std::io::Error {
    std::io::Error::other("refused")
}

#[test]
fn a_cause_is_said_once() {
    let repeats = Outer::Repeats(refused());
    assert_eq!(answer::with_causes(&repeats), "line: refused");
    let hides = Outer::Hides(refused());
    assert_eq!(answer::with_causes(&hides), "the file: refused");
}

#[test]
fn an_address_that_is_taken_is_named_with_the_option_that_sets_it() {
    let told = answer::cannot_listen(([127, 0, 0, 1], 7443).into(), "--rpc");
    assert!(
        told.contains("127.0.0.1:7443") && told.contains("--rpc"),
        "{told}"
    );
}
