//! The contexts of one length, what follows them, and how often.
//!
//! Contexts form a tree: from the empty one at the root, each step down adds an *older* token. The
//! children of a context and its followers stand side by side in flat arrays, sorted, so that both are
//! found by binary search and nothing is hashed or allocated one by one.

use super::discount::{Discounts, kind};

/// All contexts of one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    pub(super) discounts: Discounts,
    /// The oldest token of each context.
    token: Vec<u32>,
    /// Where its children begin in the next level.
    first_child: Vec<u32>,
    /// Where its followers begin in `next` and `count`.
    first_follower: Vec<u32>,
    /// The sum of its followers' counts.
    total: Vec<u32>,
    /// How many of its followers have a count of 1, of 2, of 3 and more.
    kinds: Vec<[u32; 3]>,
    /// The followers, context after context, sorted by token.
    next: Vec<u32>,
    count: Vec<u32>,
}

/// The tokens behind `order - 1` marks of the beginning, a token that the vocabulary does not have.
/// Event i is then the token at `i + order - 1` after the `order - 1` tokens from i on.
pub(super) fn padded(tokens: &[u32], order: usize, vocab_size: usize) -> Vec<u32> {
    let mut text = vec![vocab_size as u32; order - 1];
    text.extend(tokens);
    text
}

impl Level {
    /// The levels for contexts of 0 to `order - 1` tokens, from the events of a padded text.
    pub(super) fn all(text: &[u32], events: Vec<u32>, order: usize, vocab_size: usize) -> Vec<Level> {
        let events = sorted(text, events, order, vocab_size);
        let (mut level, mut examples) = Level::longest(text, &events, order);
        drop(events);
        let mut levels = Vec::with_capacity(order);
        for length in (0..order - 1).rev() {
            let (shorter, fewer) = Level::shorter(text, &level, &examples, length, order);
            levels.push(std::mem::replace(&mut level, shorter));
            examples = fewer;
        }
        levels.push(level);
        levels.reverse();
        levels
    }

    /// The level of the longest contexts, which counts occurrences, and an event of each context.
    fn longest(text: &[u32], events: &[u32], order: usize) -> (Level, Vec<u32>) {
        let context = |event: u32| &text[event as usize..event as usize + order - 1];
        let next = |event: u32| text[event as usize + order - 1];
        let (mut level, mut examples) = (Level::default(), Vec::new());
        for of_context in events.chunk_by(|&a, &b| context(a) == context(b)) {
            let event = of_context[0];
            for of_next in of_context.chunk_by(|&a, &b| next(a) == next(b)) {
                level.push_follower(next(of_next[0]), of_next.len() as u32);
            }
            level.push_context(context(event).first().copied().unwrap_or(0), 0);
            examples.push(event);
        }
        level.first_child = Vec::new(); // the longest have none
        level.finish();
        (level, examples)
    }

    /// The contexts one token shorter than those of `longer`. The count of a follower is the number of
    /// longer contexts that it follows, that is, of different tokens before.
    fn shorter(
        text: &[u32],
        longer: &Level,
        examples: &[u32],
        length: usize,
        order: usize,
    ) -> (Level, Vec<u32>) {
        let context = |event: u32| {
            let end = event as usize + order - 1;
            &text[end - length..end]
        };
        let (mut level, mut fewer, mut followers) = (Level::default(), Vec::new(), Vec::new());
        let mut children = 0;
        for siblings in examples.chunk_by(|&a, &b| context(a) == context(b)) {
            let end = children + siblings.len();
            followers.clear();
            followers.extend(
                &longer.next[longer.follower_range(children).start..longer.follower_range(end - 1).end],
            );
            followers.sort_unstable();
            for same in followers.chunk_by(|a, b| a == b) {
                level.push_follower(same[0], same.len() as u32);
            }
            level.push_context(context(siblings[0]).first().copied().unwrap_or(0), children as u32);
            fewer.push(siblings[0]);
            children = end;
        }
        level.first_child.push(children as u32);
        level.finish();
        (level, fewer)
    }

    fn push_follower(&mut self, next: u32, count: u32) {
        self.next.push(next);
        self.count.push(count);
    }

    /// Ends the context whose followers were just pushed.
    fn push_context(&mut self, oldest: u32, first_child: u32) {
        if self.first_follower.is_empty() {
            self.first_follower.push(0);
        }
        let counts = &self.count[self.first_follower[self.token.len()] as usize..];
        let mut kinds = [0; 3];
        counts.iter().for_each(|&count| kinds[kind(count)] += 1);
        self.kinds.push(kinds);
        self.total.push(counts.iter().sum());
        self.token.push(oldest);
        self.first_child.push(first_child);
        self.first_follower.push(self.count.len() as u32);
    }

    /// Chooses the discounts, when all counts are known.
    fn finish(&mut self) {
        let mut n = [0; 4];
        self.count.iter().filter(|&&count| count <= 4).for_each(|&count| n[count as usize - 1] += 1);
        self.discounts = Discounts::from_counts_of_counts(n);
        let words = [
            &mut self.token,
            &mut self.first_child,
            &mut self.first_follower,
            &mut self.total,
            &mut self.next,
            &mut self.count,
        ];
        words.into_iter().for_each(Vec::shrink_to_fit);
        self.kinds.shrink_to_fit();
    }

    fn follower_range(&self, at: usize) -> std::ops::Range<usize> {
        self.first_follower[at] as usize..self.first_follower[at + 1] as usize
    }

    /// The context in `next_level` that adds an older token to context `at` of this level.
    pub(super) fn child(&self, at: usize, next_level: &Level, oldest: u32) -> Option<usize> {
        let range = self.first_child[at] as usize..self.first_child[at + 1] as usize;
        let found = next_level.token[range.clone()].binary_search(&oldest);
        found.ok().map(|i| range.start + i)
    }

    /// The tokens that follow a context, with their counts.
    pub(super) fn followers(&self, at: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.follower_range(at).map(|i| (self.next[i], self.count[i]))
    }

    /// How often a token follows a context.
    pub(super) fn count(&self, at: usize, token: u32) -> u32 {
        let range = self.follower_range(at);
        self.next[range.clone()].binary_search(&token).map_or(0, |i| self.count[range.start + i])
    }

    /// c(h .), which is never 0.
    pub(super) fn total(&self, at: usize) -> f64 {
        f64::from(self.total[at])
    }

    /// How many followers have a count of 1, of 2, of 3 and more.
    pub(super) fn kinds(&self, at: usize) -> [u32; 3] {
        self.kinds[at]
    }

    /// g(h): the share of the shorter context.
    pub(super) fn backoff(&self, at: usize) -> f64 {
        self.discounts.taken(&self.kinds[at]) / self.total(at)
    }

    /// P(token | h) from that of the shorter context.
    pub(super) fn interpolate(&self, at: usize, token: u32, shorter: f64) -> f64 {
        let own = self.discounts.discounted(self.count(at, token)) / self.total(at);
        own + self.backoff(at) * shorter
    }

    pub(super) fn entries(&self) -> usize {
        self.next.len()
    }

    /// The memory of the arrays.
    pub(super) fn bytes(&self) -> usize {
        let words =
            [&self.token, &self.first_child, &self.first_follower, &self.total, &self.next, &self.count];
        4 * words.iter().map(|words| words.capacity()).sum::<usize>() + 12 * self.kinds.capacity()
    }
}

/// The events sorted by their context read backwards, nearest token first, and then by the token that
/// follows: contexts that share their last k tokens become neighbours, for every k.
///
/// Radix sort, least significant key first; each pass is a stable counting sort.
fn sorted(text: &[u32], mut events: Vec<u32>, order: usize, vocab_size: usize) -> Vec<u32> {
    let mut to = vec![0; events.len()];
    let mut start = vec![0_u32; vocab_size + 2]; // the mark of the beginning is `vocab_size`
    for place in std::iter::once(order - 1).chain(0..order - 1) {
        let key = |event: u32| text[event as usize + place] as usize;
        start.fill(0);
        events.iter().for_each(|&event| start[key(event) + 1] += 1);
        for k in 1..start.len() {
            start[k] += start[k - 1];
        }
        for &event in &events {
            let at = &mut start[key(event)];
            to[*at as usize] = event;
            *at += 1;
        }
        std::mem::swap(&mut events, &mut to);
    }
    events
}
