//! `cargo demo`: the main job for real, told step by step; stays up until ended, or with `--once`
//! ends after the story.

use std::io::Write as _;

fn main() -> anyhow::Result<()> {
    let is_once = std::env::args().any(|arg| arg == "--once");
    let folder = tempfile::Builder::new().prefix("lianxin-demo-").tempdir()?;
    let city = match tests::story::tell_all(folder.path()) {
        Ok(city) => city,
        Err(error) => {
            let kept = folder.keep();
            return Err(error.context(format!("what there was is kept in {}", kept.display())));
        }
    };
    let mut out = std::io::stdout();
    if is_once {
        writeln!(out, "\nThe story is over.")?;
        return Ok(());
    }
    writeln!(
        out,
        "\nEverything stays up; the hub's page is http://{}/",
        city.hub_page()?
    )?;
    writeln!(
        out,
        "Data lies in {}. End with Ctrl-C.",
        folder.path().display()
    )?;
    let ended = tokio::runtime::Runtime::new()?.block_on(until_ended());
    // The city ends what it has started.
    drop(city);
    ended
}

/// Waits for Ctrl-C, or for whoever ends the process politely.
async fn until_ended() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            ended = tokio::signal::ctrl_c() => ended?,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
