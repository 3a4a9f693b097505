//! From an image everything is brought to its end: what was under way is done again, everybody comes
//! together, and the audit asks for every word that was promised. On the way the power may fail again.

use anyhow::Context as _;

use super::images::Sweep;
use super::script::{self, Memory};
use super::stage;
use crate::simulation::chance::Chance;
use crate::simulation::city::{Place, Still};
use crate::simulation::disk::log::{self, Cut, Replay};
use crate::simulation::oracle;

/// How often the power fails again on the way, one inside the other.
const DEPTH: u64 = 3;
/// Which of the images that are brought to their end meet that.
const NESTED_EACH: u64 = 8;
/// Words that are drawn after a cut do not stand anywhere before it.
const WORDS_BETWEEN: u64 = 1_000_000;

impl Sweep<'_> {
    /// Brings an image to its end.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn finish(
        &mut self,
        still: &Still,
        position: usize,
        number: u64,
    ) -> anyhow::Result<()> {
        let (memory, line, _) = self.recording.known_at(position);
        let nested = number.is_multiple_of(NESTED_EACH) || self.wanted.at.is_some();
        let mut chance = Chance::new(self.wanted.seed, "nested", number);
        let (mut still, mut memory, mut line) = (still.clone(), memory, line);
        for depth in 0..=DEPTH {
            memory.draw_from(WORDS_BETWEEN * (depth + 1));
            let is_last = depth == DEPTH || !nested;
            let ended = self
                .go_on(&still, (memory, line), position, is_last, &mut chance)
                .await
                .with_context(|| format!("at its end, depth {depth}"))?;
            let Some((next, known, at)) = ended else {
                break;
            };
            (still, memory, line) = (next, known, at);
            self.met.count("P13 nested crashes", 1);
        }
        self.met.count("images brought to their end", 1);
        Ok(())
    }

    /// Starts from an image and goes on; where it is not the last, with the image of another cut on
    /// the way.
    async fn go_on(
        &mut self,
        still: &Still,
        (mut memory, line): (Memory, usize),
        position: usize,
        is_last: bool,
        chance: &mut Chance,
    ) -> anyhow::Result<Option<(Still, Memory, usize)>> {
        let is_restoring = self.is_restoring(position);
        let stage = &mut *self.stage;
        stage.city.put_back(still, position as u64).await?;
        let base = (!is_last).then(|| Replay::of(&stage.folders));
        if !is_last {
            log::begin();
        }
        stage::switch_on(&mut stage.city, is_restoring)?;
        let lines = stage.lines.clone();
        let ran = script::run(&mut stage.city, &mut memory, (&lines, line), false).await?;
        let together = if is_last {
            end(stage, &memory).await
        } else {
            script::come_together(&stage.city).await
        };
        let (log, last) = (log::end(), stage.beside_now());
        together?;
        let Some(mut replay) = base else {
            return Ok(None);
        };
        let cut_at = usize::try_from(chance.below(log.accesses.len() as u64 + 1)).unwrap_or(0);
        for access in log.accesses.iter().take(cut_at) {
            replay.step(access);
        }
        let cut = *chance
            .one_of(&[Cut::Nothing, Cut::All, Cut::Part, Cut::Noise])
            .unwrap_or(&Cut::Part);
        let places = stage.folders.iter().enumerate().map(|(machine, folder)| {
            let (image, _) = replay.cut(folder, cut, log.accesses.get(cut_at), chance);
            let beside = stage.beside_after((&log, &last), (&replay, cut_at), machine);
            Place {
                image,
                beside: (*beside).clone(),
            }
        });
        let next = Still {
            passed: stage.city.passed(),
            places: places.collect(),
        };
        // What was told before that cut is known; the line that was under way is done again.
        let under_way = ran.iter().find(|ran| ran.to > cut_at);
        let (known, line) = match under_way {
            Some(ran) => (ran.before.clone(), ran.line),
            None => (memory, lines.len()),
        };
        Ok(Some((next, known, line)))
    }
}

/// Everybody comes together, and the audit holds.
pub(super) async fn end(stage: &stage::Stage, memory: &Memory) -> anyhow::Result<()> {
    script::come_together(&stage.city).await?;
    oracle::audit(&stage.city, &memory.ledger).await
}
