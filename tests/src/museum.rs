//! See `cargo sim museum`.

/// What is wanted.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Until it is built.
pub fn run(_args: &Args) -> anyhow::Result<bool> {
    anyhow::bail!("not built yet")
}
