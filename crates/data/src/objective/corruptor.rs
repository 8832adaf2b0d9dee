//! An objective or a mixture that is ready to turn windows into examples.

use super::{Objective, ObjectiveSettings, SharedTask, Vocabulary};
use crate::{DataError, Example};
use random::{Rng, Stream};

/// Longer rows are refused: nobody has the memory for them.
const MAX_BLOCK: usize = 1 << 24;

impl Objective {
    /// The objective with the ids of its special tokens, for rows of `block_size` positions.
    ///
    /// # Errors
    /// If a setting makes no sense, the vocabulary lacks one of [`Objective::specials`], or `block_size` is too
    /// small for anything to be predicted.
    pub fn resolve(
        &self,
        settings: &ObjectiveSettings,
        vocabulary: &Vocabulary,
        block_size: usize,
    ) -> Result<Corruptor, DataError> {
        settings.check()?;
        if block_size > MAX_BLOCK {
            let expected = "at most 16777216";
            return Err(DataError::InvalidSetting {
                name: "block_size",
                found: block_size.to_string(),
                expected,
            });
        }
        for name in self.specials(settings, block_size) {
            vocabulary.special(&name)?;
        }
        let tasks = self.parts.iter().map(|(entry, _)| (entry.build)(settings, vocabulary));
        Corruptor::new(self.clone(), *settings, tasks.collect::<Result<_, _>>()?, block_size)
    }
}

/// Makes examples of the windows of a text. Made by [`Objective::resolve`].
#[derive(Clone, Debug)]
pub struct Corruptor {
    objective: Objective,
    settings: ObjectiveSettings,
    block_size: usize,
    tasks: Vec<SharedTask>,
    /// The sum of the shares of the tasks up to each.
    cumulative: Vec<f64>,
}

impl Corruptor {
    /// The stream of what is hidden and how. The order of the windows has [`Stream::Data`], so that the same
    /// seed gives all objectives the same windows.
    pub const STREAM: Stream = Stream::Other(0x0063_6f72_7275_7074); // "corrupt"

    fn new(
        objective: Objective,
        settings: ObjectiveSettings,
        tasks: Vec<SharedTask>,
        block_size: usize,
    ) -> Result<Corruptor, DataError> {
        if tasks.iter().any(|task| task.source_len(block_size) < task.least()) {
            let found = format!("{block_size} for the objective {objective}");
            let expected = "enough positions to hide something and to predict it";
            return Err(DataError::InvalidSetting { name: "block_size", found, expected });
        }
        let mut sum = 0.0;
        let cumulative = objective.parts().map(|(_, share)| {
            sum += share;
            sum
        });
        let cumulative = cumulative.collect();
        Ok(Corruptor { objective, settings, block_size, tasks, cumulative })
    }

    /// The objective.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// Its settings.
    pub fn settings(&self) -> &ObjectiveSettings {
        &self.settings
    }

    /// The positions of a row, at most.
    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// The objectives of the mixture, one if it is none.
    pub fn tasks(&self) -> &[SharedTask] {
        &self.tasks
    }

    /// How many tokens of the text one row stands for: windows so far apart leave nothing out. In a mixture
    /// the most that one of its objectives takes; the others take the beginning of the window.
    pub fn stride(&self) -> usize {
        (0..self.tasks.len()).map(|part| self.stride_of(part)).max().expect("at least one objective")
    }

    /// How many tokens of the text a row of one part of the mixture stands for.
    pub fn stride_of(&self, part: usize) -> usize {
        let task = &self.tasks[part];
        task.source_len(self.block_size) - task.overlap()
    }

    /// How many tokens a window has at most.
    pub fn window(&self) -> usize {
        let lens = self.tasks.iter().map(|task| task.source_len(self.block_size));
        lens.max().expect("at least one objective")
    }

    /// Which part of the mixture the next row is of. Draws nothing if there is only one.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        match self.tasks.len() {
            1 => 0,
            parts => {
                let at = rng.f64();
                self.cumulative.partition_point(|&sum| sum <= at).min(parts - 1) // rounding may lack the last bit
            }
        }
    }

    /// The example of a window, for a part of the mixture. Of a window that is too long its beginning is taken.
    ///
    /// # Panics
    /// If there is no such part, or the window is shorter than [`Task::least`](super::Task::least).
    #[track_caller]
    pub fn example(&self, part: usize, window: &[u32], rng: &mut Rng) -> Example {
        let task = &self.tasks[part];
        assert!(window.len() >= task.least(), "a window of {} tokens for {task:?}", window.len());
        task.example(window, self.block_size, rng)
    }

    /// The example of a window in which documents begin at `starts`: each document by itself, packed into one
    /// row without seeing the others. Documents of too few tokens to predict anything are left out, and so is
    /// what the row has no room for.
    ///
    /// # Panics
    /// If there is no such part, or the starts are not in ascending order within the window.
    pub fn documents(&self, part: usize, window: &[u32], starts: &[usize], rng: &mut Rng) -> Example {
        let task = &self.tasks[part];
        let begins = std::iter::once(0).chain(starts.iter().copied());
        let ends = starts.iter().copied().chain([window.len()]);
        let mut room = self.block_size;
        let mut examples = Vec::new();
        for document in begins.zip(ends).map(|(begin, end)| &window[begin..end]) {
            if document.len() >= task.least() && task.source_len(room) >= task.least() {
                let example = task.example(document, room, rng);
                room -= example.ids.len();
                examples.push(example);
            }
        }
        Example::packed(examples)
    }
}
