//! Many machines of one office, so that one fault on their common line is met by each of them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::stage::Stage;
use crate::harness::{Program, Programs, wait_for};

/// One machine.
pub(super) struct Machine {
    /// Its data folder.
    pub(super) data: String,
    serving: Option<Program>,
}

/// Many machines of the first office.
pub(super) struct Crowd {
    /// They.
    pub(super) machines: Vec<Machine>,
}

impl Crowd {
    /// Enrols so many machines, directly with the hub.
    pub(super) fn join(stage: &Stage, count: u64) -> anyhow::Result<Self> {
        let mut machines = Vec::new();
        for number in 0..count {
            let folder = stage.city.folder.join(format!("machine-{number}"));
            let data = folder.to_string_lossy().into_owned();
            let code = code_for(stage, 0)?;
            stage.city.machine(&data, &["init"])?.done()?;
            stage.city.machine(&data, &["join", &code])?.done()?;
            machines.push(Machine {
                data,
                serving: None,
            });
        }
        Ok(Self { machines })
    }

    /// Serves all that are not served.
    pub(super) fn serve(&mut self, programs: &Programs) -> anyhow::Result<()> {
        for machine in &mut self.machines {
            if machine.serving.is_none() {
                let serve = ["serve", "--data", &machine.data, "--web", "127.0.0.1:0"];
                let log = format!("{}.log", machine.data);
                machine.serving = Some(programs.serve("lianxin-node", &serve, log.as_ref())?);
            }
        }
        Ok(())
    }

    /// The processes of those that are served.
    pub(super) fn processes(&self) -> Vec<u32> {
        let serving = self
            .machines
            .iter()
            .filter_map(|machine| machine.serving.as_ref());
        serving.map(Program::process).collect()
    }

    /// Ends all programs.
    pub(super) fn stop(&mut self) {
        for machine in &mut self.machines {
            machine.serving = None;
        }
    }

    /// Every machine enters a person.
    pub(super) fn enter(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let programs = stage.city.programs.clone();
        for machine in &self.machines {
            stage.enter_by(&programs, &machine.data)?.done()?;
        }
        Ok(())
    }

    /// Waits until every machine says that its line is up, or down; how long it took the last one.
    pub(super) fn wait_for_link(
        &self,
        stage: &Stage,
        is_up: bool,
        seconds: u64,
    ) -> anyhow::Result<Duration> {
        let began = Instant::now();
        for machine in &self.machines {
            let left = seconds.saturating_sub(began.elapsed().as_secs()).max(1);
            let wanted = if is_up { "up" } else { "down" };
            wait_for(&format!("{} {wanted}", machine.data), left, || {
                Ok((stage.is_up(&machine.data)? == is_up).then_some(()))
            })?;
        }
        Ok(began.elapsed())
    }

    /// Every machine, one session each, all at once; what each took, in the order in which they were
    /// waited for. None for those that failed.
    pub(super) fn sync_at_once(
        &self,
        programs: &Programs,
        seconds: u64,
    ) -> anyhow::Result<Vec<Option<Duration>>> {
        let began = Instant::now();
        let mut children = Vec::new();
        for machine in &self.machines {
            children.push(programs.start("lianxin-node", &["sync", "--data", &machine.data])?);
        }
        let mut took = Vec::new();
        for mut child in children {
            let left = seconds.saturating_sub(began.elapsed().as_secs()).max(1);
            let ended = wait_for("a session ends", left, || Ok(child.try_wait()?));
            if ended.is_err() {
                child.kill()?;
                child.wait()?;
            }
            took.push(
                ended
                    .is_ok_and(|status| status.success())
                    .then(|| began.elapsed()),
            );
        }
        Ok(took)
    }

    /// Everybody comes together: nothing waits, every machine has what the hub has, and proves it.
    pub(super) fn audit(&self, stage: &Stage) -> anyhow::Result<()> {
        for machine in &self.machines {
            let sync = ["sync", "--wait"];
            wait_for("a session", 120, || {
                Ok((stage.city.machine(&machine.data, &sync)?.code == 0).then_some(()))
            })?;
        }
        stage.audit()?;
        let at_hub = stage.names_at_hub()?;
        for machine in &self.machines {
            let (data, sync) = (&machine.data, ["sync", "--wait"]);
            wait_for("what the hub has", 60, || {
                stage.city.machine(data, &sync)?.done()?;
                Ok((stage.names_in(data)?.len() == at_hub.len()).then_some(()))
            })?;
            stage.judge(&stage.names_in(data)?, data)?;
            ensure!(stage.waiting(data)? == 0, "L1: something waits in {data}");
            stage.city.machine(data, &["verify"])?.done()?;
        }
        Ok(())
    }
}

/// A new code for an office, with the hub's own address.
pub(super) fn code_for(stage: &Stage, office: usize) -> anyhow::Result<String> {
    let (code, address) = (
        stage.city.office(office)?.code,
        stage.city.rpc().to_string(),
    );
    let made = stage.city.hub(&["code", code, "--address", &address])?;
    let made = made.done()?.json();
    let code = made["code"].as_str().context("no code in the answer")?;
    Ok(code.to_owned())
}
