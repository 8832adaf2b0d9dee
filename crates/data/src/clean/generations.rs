//! A memory of bounded size for what was seen, in two generations.
//!
//! What is new goes into the young generation. When that is full, the old generation is forgotten, the young
//! one becomes the old one, and an empty one begins. So the last n things are always remembered and never
//! more than 2n, and forgetting costs nothing: no queue, no time stamps, no moving.

/// Two generations of `T`, which remembers things.
pub(super) struct Generations<T> {
    young: T,
    old: T,
    /// Things in the young generation, the old one, and a full one.
    in_young: usize,
    in_old: usize,
    full: usize,
    forgotten: u64,
}

impl<T: Default> Generations<T> {
    /// Generations of at most `full` things each.
    pub(super) fn new(full: usize) -> Self {
        Self { young: T::default(), old: T::default(), in_young: 0, in_old: 0, full, forgotten: 0 }
    }

    /// The generation in which what was seen last is remembered, and the one before it.
    pub(super) fn both(&self) -> [&T; 2] {
        [&self.young, &self.old]
    }

    /// Where one more thing is to be put.
    pub(super) fn room(&mut self) -> &mut T {
        if self.in_young == self.full {
            self.forgotten += self.in_old as u64;
            self.old = std::mem::take(&mut self.young);
            self.in_old = std::mem::take(&mut self.in_young);
        }
        self.in_young += 1;
        &mut self.young
    }

    /// How many things were forgotten.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::Generations;

    #[test]
    fn the_last_ones_are_remembered() {
        let mut seen = Generations::<Vec<u32>>::new(10);
        for thing in 0..35 {
            seen.room().push(thing);
            let remembered: Vec<u32> = seen.both().into_iter().flatten().copied().collect();
            assert!((thing.saturating_sub(9)..=thing).all(|thing| remembered.contains(&thing)));
            assert_eq!(remembered.len() as u64 + seen.forgotten(), u64::from(thing) + 1);
            assert!(remembered.len() <= 20);
        }
        assert_eq!(seen.forgotten(), 20);
    }
}
