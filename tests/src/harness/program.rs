//! The programs: found beside this one, started, asked, ended.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// The two programs, as built in the same profile as this one.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
    /// A command before the program's own, which gives its process to it (`exec`).
    wrap: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A folder with both programs, if others than the ones beside this one are wanted.
const PLACE: &str = "LIANXIN_BIN";

/// What a command answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The exit code: 0 done, 1 refused or failed, 2 wrong usage.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Reply {
    fn of(output: &std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The answer as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.out.trim()).unwrap_or(serde_json::Value::Null)
    }

    /// The reply, or an error with everything that the program said.
    ///
    /// # Errors
    /// Where the exit code is not 0.
    pub fn done(self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            self.code == 0,
            "exit code {}: {}{}",
            self.code,
            self.out,
            self.err
        );
        Ok(self)
    }
}

impl Programs {
    /// Builds both programs in the profile of this one.
    ///
    /// # Errors
    /// Where the build fails.
    pub fn build() -> anyhow::Result<Self> {
        static BUILT: std::sync::Mutex<Option<Programs>> = std::sync::Mutex::new(None);
        let mut built = BUILT
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(programs) = &*built {
            return Ok(programs.clone());
        }
        let programs = Self::build_now()?;
        *built = Some(programs.clone());
        Ok(programs)
    }

    fn build_now() -> anyhow::Result<Self> {
        if let Some(place) = std::env::var_os(PLACE) {
            return Ok(Self::in_folder(PathBuf::from(place)));
        }
        let own = std::env::current_exe()?;
        let mut folder = own
            .parent()
            .context("this program stands in a folder")?
            .to_path_buf();
        if folder.ends_with("deps") {
            folder.pop();
        }
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        // The whole workspace, so that the same features are chosen as everywhere else.
        build.args(["build", "--quiet", "--workspace", "--bins"]);
        // A folder is named after its profile; that of `dev` is `debug`.
        match folder.file_name().and_then(|name| name.to_str()) {
            None | Some("debug") => {}
            Some(profile) => {
                build.args(["--profile", profile]);
            }
        }
        build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        anyhow::ensure!(build.status()?.success(), "the programs do not build");
        Ok(Self::in_folder(folder))
    }

    const fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder,
            wrap: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// The same programs, started by another command that becomes them (`prlimit`, `strace -D`, a shell
    /// that ends with `exec "$@"`): their process is the one that is started here.
    #[must_use]
    pub fn wrapped<S: AsRef<str>>(&self, command: &[S]) -> Self {
        let command = command.iter().map(|word| word.as_ref().to_owned());
        let mut wrapped = self.clone();
        wrapped.wrap = command.chain(self.wrap.iter().cloned()).collect();
        wrapped
    }

    /// The same programs with one more setting in their environment.
    #[must_use]
    pub fn with_setting(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.environment.push((name.to_owned(), value.to_owned()));
        with
    }

    /// A program as it will be started, with the clock so many seconds ahead.
    pub fn command(&self, offset_s: i64, program: &str, args: &[&str]) -> Command {
        let path = self.folder.join(program);
        let mut command = match self.wrap.split_first() {
            None => Command::new(path),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(path);
                command
            }
        };
        command.args(args).stdin(Stdio::null());
        command.env("LIANXIN_CLOCK_OFFSET_S", offset_s.to_string());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs one command of a program to its end.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<Reply> {
        self.run_at(0, program, args)
    }

    /// The same, with the program's clock so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn run_at(&self, offset_s: i64, program: &str, args: &[&str]) -> anyhow::Result<Reply> {
        let output = self
            .command(offset_s, program, args)
            .output()
            .with_context(|| format!("{program} cannot be started"))?;
        Ok(Reply::of(&output))
    }

    /// The same where no file may grow beyond so many bytes: every write past them fails.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn run_cramped(&self, bytes: u64, program: &str, args: &[&str]) -> anyhow::Result<Reply> {
        let script = "trap '' XFSZ; limit=$1; shift; exec prlimit --fsize=$limit \"$@\"";
        let output = Command::new("sh")
            .args(["-c", script, "cramped", &bytes.to_string()])
            .arg(self.folder.join(program))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{program} cannot be started"))?;
        Ok(Reply::of(&output))
    }

    /// Starts a command and does not wait for it.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(&self, program: &str, args: &[&str]) -> anyhow::Result<Child> {
        self.command(0, program, args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} cannot be started"))
    }

    /// Starts a serving program and waits for its line `ready …`; what it logs goes to `log`.
    ///
    /// # Errors
    /// Where it ends before it is ready.
    pub fn serve(&self, program: &str, args: &[&str], log: &Path) -> anyhow::Result<Program> {
        self.serve_at(0, program, args, log)
    }

    /// The same, with the program's clock so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where it ends before it is ready.
    pub fn serve_at(
        &self,
        offset_s: i64,
        program: &str,
        args: &[&str],
        log: &Path,
    ) -> anyhow::Result<Program> {
        let errors = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)?;
        let mut child = self
            .command(offset_s, program, args)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let out = child.stdout.take().context("standard output is piped")?;
        let mut ready = String::new();
        BufReader::new(out).read_line(&mut ready)?;
        let program = Program { child, ready };
        anyhow::ensure!(
            program.ready.starts_with("ready"),
            "not ready: see {}",
            log.display()
        );
        Ok(program)
    }
}

/// A serving program; dropped, it is ended.
#[derive(Debug)]
pub struct Program {
    child: Child,
    ready: String,
}

impl Program {
    /// An address that the line `ready` names: `rpc` or `web`.
    ///
    /// # Errors
    /// Where the line does not name it.
    pub fn address(&self, name: &str) -> anyhow::Result<std::net::SocketAddr> {
        let prefix = format!("{name}=");
        let word = self
            .ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(&prefix));
        Ok(word
            .with_context(|| format!("no {name} in {:?}", self.ready))?
            .parse()?)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// Where it has ended by itself.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
