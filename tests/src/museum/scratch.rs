//! A copy of the tree below `target`, in which bugs are planted: nobody works in it, and what the bug
//! before changed is put right with the next copy.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::patch::Patch;

/// The profile of `Cargo.toml` with which planted bugs are built.
const PROFILE: &str = "museum";
/// What is not needed in the copy.
const LEFT_OUT: [&str; 2] = ["tests/museum/", "tests/proof/"];

/// The copy.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
    tree: PathBuf,
    target: PathBuf,
    programs: PathBuf,
}

impl Scratch {
    /// A copy of the tree at `root`, still to be made.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let folder = root.join("target/museum");
        let scratch = Self {
            root: root.to_owned(),
            tree: folder.join("tree"),
            target: folder.join("build"),
            programs: folder.join("programs"),
        };
        std::fs::create_dir_all(&scratch.tree)?;
        std::fs::create_dir_all(&scratch.programs)?;
        Ok(scratch)
    }

    /// Makes the copy as the tree is now. A file that is as it was keeps its time, so that nothing is
    /// built again without need.
    ///
    /// # Errors
    /// Where git does not list the tree, or a file cannot be copied.
    pub fn copy(&self) -> anyhow::Result<()> {
        let files = self.files()?;
        for file in &files {
            let (from, to) = (self.root.join(file), self.tree.join(file));
            let bytes = std::fs::read(&from).with_context(|| file.clone())?;
            if std::fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            if let Some(folder) = to.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&to, bytes)?;
        }
        remove_others(&self.tree, Path::new(""), &files)
    }

    /// What git knows of the tree, or would take.
    fn files(&self) -> anyhow::Result<BTreeSet<String>> {
        let listed = Command::new("git")
            .current_dir(&self.root)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .context("git cannot be run")?;
        ensure!(listed.status.success(), "git does not list the tree");
        let listed = String::from_utf8(listed.stdout)?;
        let files = listed.split('\0').filter(|file| !file.is_empty());
        let is_wanted = |file: &&str| !LEFT_OUT.iter().any(|left_out| file.starts_with(left_out));
        let is_there = |file: &&str| self.root.join(file).is_file();
        Ok(files
            .filter(is_wanted)
            .filter(is_there)
            .map(str::to_owned)
            .collect())
    }

    /// Plants a bug in the copy.
    ///
    /// # Errors
    /// Where it does not apply.
    pub fn plant(&self, patch: &Patch) -> anyhow::Result<()> {
        for (path, text) in patch.planted(&self.tree)? {
            std::fs::write(path, text)?;
        }
        Ok(())
    }

    /// Builds the simulator; the program lies under a name of its own, so that the next can be built while
    /// it runs.
    ///
    /// # Errors
    /// What does not compile.
    pub fn build(&self, name: &str) -> anyhow::Result<PathBuf> {
        let mut build = self.cargo("build");
        build.args(["--package", "tests", "--bin", "sim"]);
        let built = build.output().context("cargo cannot be run")?;
        let said = String::from_utf8_lossy(&built.stderr);
        ensure!(built.status.success(), "it does not compile: {said}");
        let program = self.programs.join(name);
        std::fs::copy(self.target.join(PROFILE).join("sim"), &program)?;
        Ok(program)
    }

    /// Runs what stands behind `cargo test`; whether it passes.
    ///
    /// # Errors
    /// What does not compile; a line that names no test.
    pub fn test(&self, line: &str) -> anyhow::Result<bool> {
        let words: Vec<_> = line.split_whitespace().collect();
        let built = self.cargo("test").args(&words).arg("--no-run").output()?;
        let said = String::from_utf8_lossy(&built.stderr);
        ensure!(built.status.success(), "it does not compile: {said}");
        let ran = self.cargo("test").args(&words).output()?;
        let said = String::from_utf8_lossy(&ran.stdout);
        let is_none = said
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "))
            .all(|result| result.contains(" 0 passed; 0 failed"));
        ensure!(!is_none, "cargo test {line}: there is no such test");
        Ok(ran.status.success())
    }

    fn cargo(&self, what: &str) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(program);
        command
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .args([what, "--quiet", "--profile", PROFILE])
            .stdin(Stdio::null());
        command
    }
}

/// Removes what is not in the tree any more.
fn remove_others(tree: &Path, below: &Path, files: &BTreeSet<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(tree.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(tree, &path, files)?;
        } else if !files.contains(&*path.to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
