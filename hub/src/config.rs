//! Settings of the hub from its file; the environment stands above it, and flags above both.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// The file in the data folder.
const FILE: &str = "hub.toml";

/// What the file may say; each may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address for nodes.
    pub rpc: Option<SocketAddr>,
    /// Address for the page.
    pub web: Option<SocketAddr>,
    /// Whose name stands beside what is done at the desk.
    pub actor: Option<String>,
    /// Where nodes find the hub, `host:port`, in order of preference; goes into enrolment codes.
    #[serde(default)]
    pub addresses: Vec<String>,
}

impl Config {
    /// Reads the file of a data folder; nothing where there is none.
    ///
    /// # Errors
    /// A file that cannot be read, or says what is not known.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("{} cannot be read 设置文件有误", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }
}
