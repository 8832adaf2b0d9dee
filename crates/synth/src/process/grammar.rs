//! Weighted context-free grammars that can be read from left to right, and their exact floors.
//!
//! Each rule A -> a b C ... of a variable A has probability weight / (sum of A's weights). With
//! M\[A\]\[B\] = the expected number of B on the right of A, t_A the expected number of characters there and
//! e_A = H(rules of A), a whole text from A has
//!
//! entropy h = (I - M)^-1 e,   length l = (I - M)^-1 t
//!
//! and a text with its end mark costs h_S / (l_S + 1) a character.
//!
//! The cost of a single character needs the probability of all texts that begin so. In general that is a
//! sum over many derivations (Stolcke 1995); here grammars are LL(1): from a variable and the next
//! character the rule is known, so there is one derivation, and a character costs what the rules applied
//! since the last one cost. [`Grammar::parse`] refuses a grammar that is not so, in which a variable
//! never ends, or in which texts are infinitely long on average.
//!
//! Aho and Ullman, The Theory of Parsing, Translation and Compiling (1972): LL(1).

use super::choice::Choice;
use data::DataError;
use random::Rng;
use std::collections::BTreeSet;

/// What stands in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Character(char),
    Variable(usize),
}

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    rules: Vec<Vec<Item>>,
    choice: Choice,
    /// The characters that each rule can begin with; None is the end of the text.
    first: Vec<BTreeSet<Option<char>>>,
}

/// A weighted LL(1) grammar. Texts are derived from its first variable.
#[derive(Clone, Debug)]
pub struct Grammar {
    variables: Vec<Variable>,
    entropy: f64,
    length: f64,
}

impl Grammar {
    /// Reads a grammar: a rule a line, `NAME WEIGHT: ITEM ITEM ...`. An item that is the name of a variable
    /// stands for it, any other must be one character. Nothing after the colon is the empty text.
    ///
    /// ```
    /// let brackets = synth::process::grammar::Grammar::parse("S 4: ( S ) S\nS 6:")?;
    /// assert!((brackets.nats_per_character() - 0.673012).abs() < 1e-6); // H(0.4)
    /// # Ok::<(), data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// If a line is not a rule, or the grammar is not as the module says.
    pub fn parse(text: &str) -> Result<Grammar, DataError> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let rules: Vec<Rule<'_>> = lines.map(|(n, line)| Rule::parse(n, line)).collect::<Result<_, _>>()?;
        let mut names: Vec<&str> = Vec::new();
        for rule in &rules {
            if !names.contains(&rule.name) {
                names.push(rule.name);
            }
        }
        if names.is_empty() {
            return Err(malformed(String::new(), "an empty text".into(), "rules, one a line"));
        }
        let of = |name: &&str| variable(name, &names, rules.iter().filter(|rule| rule.name == *name));
        let mut variables = names.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        predict(&mut variables)?;
        let (entropy, length) = expectations(&variables)?;
        Ok(Grammar { variables, entropy, length })
    }

    /// Nats a character, the end mark counted as one.
    pub fn nats_per_character(&self) -> f64 {
        self.entropy / (self.length + 1.0)
    }

    /// Expected nats of a text.
    pub fn entropy(&self) -> f64 {
        self.entropy
    }

    /// Expected characters of a text, without the end mark.
    pub fn mean_length(&self) -> f64 {
        self.length
    }

    /// Every character of the rules, ascending.
    pub fn characters(&self) -> Vec<char> {
        let items = self.variables.iter().flat_map(|v| v.rules.iter().flatten());
        let characters = items.filter_map(|item| match item {
            Item::Character(c) => Some(*c),
            Item::Variable(_) => None,
        });
        characters.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Draws a text: hands over each character with its cost, and last of all None, the end, with its.
    pub fn draw(&self, rng: &mut Rng, mut character: impl FnMut(Option<char>, f64)) {
        let (mut stack, mut nats) = (self.start(), 0.0);
        while let Some(item) = stack.pop() {
            match item {
                Item::Character(c) => {
                    character(Some(c), nats);
                    nats = 0.0;
                }
                Item::Variable(v) => {
                    let variable = &self.variables[v];
                    let rule = variable.choice.draw(rng);
                    nats += variable.choice.nats(rule);
                    stack.extend(variable.rules[rule].iter().rev());
                }
            }
        }
        character(None, nats);
    }

    /// All that is left to derive before the first character.
    pub(super) fn start(&self) -> Vec<Item> {
        vec![Item::Variable(0)]
    }

    /// Every character that may come next, or None, the end, if `stack` is left to derive, its last item first: hands over
    /// what is left after it, and the probability times `p`.
    pub(super) fn next(
        &self,
        mut stack: Vec<Item>,
        p: f64,
        found: &mut impl FnMut(Option<char>, Vec<Item>, f64),
    ) {
        match stack.pop() {
            None => found(None, stack, p),
            Some(Item::Character(c)) => found(Some(c), stack, p),
            Some(Item::Variable(v)) => {
                let variable = &self.variables[v];
                for (i, rule) in variable.rules.iter().enumerate() {
                    let mut stack = stack.clone();
                    stack.extend(rule.iter().rev());
                    self.next(stack, p * variable.choice.probability(i), found);
                }
            }
        }
    }

    /// -ln p of each character of any text, and of its end; None if it is not a text of the grammar.
    pub fn score(&self, text: &str) -> Option<Vec<f64>> {
        let mut stack = self.start();
        let mut costs = Vec::new();
        for next in text.chars().map(Some).chain([None]) {
            let mut nats = 0.0;
            // Apply rules until the next character, or nothing, is on top.
            while let Some(&Item::Variable(v)) = stack.last() {
                let variable = &self.variables[v];
                let rule = variable.first.iter().position(|first| first.contains(&next))?;
                nats += variable.choice.nats(rule);
                stack.pop();
                stack.extend(variable.rules[rule].iter().rev());
            }
            if stack.pop() != next.map(Item::Character) {
                return None;
            }
            costs.push(nats);
        }
        Some(costs)
    }
}

/// A line of a grammar.
struct Rule<'a> {
    line: usize,
    name: &'a str,
    weight: u64,
    items: Vec<&'a str>,
}

impl<'a> Rule<'a> {
    fn parse(line: usize, text: &'a str) -> Result<Rule<'a>, DataError> {
        let bad = || malformed(format!("line {line}"), format!("{text:?}"), "NAME WEIGHT: ITEM ITEM ...");
        // The first colon ends the head, so that a colon can be an item.
        let (head, items) = text.split_once(':').ok_or_else(bad)?;
        let (name, weight) = head.trim().split_once(' ').ok_or_else(bad)?;
        let weight = weight.trim().parse::<u32>().ok().filter(|&w| w > 0).ok_or_else(bad)?;
        Ok(Rule { line, name, weight: weight.into(), items: items.split_whitespace().collect() })
    }

    fn resolve(&self, names: &[&str]) -> Result<Vec<Item>, DataError> {
        let item = |text: &&str| {
            let mut characters = text.chars();
            match (names.iter().position(|name| name == text), characters.next(), characters.next()) {
                (Some(v), ..) => Ok(Item::Variable(v)),
                (None, Some(c), None) => Ok(Item::Character(c)),
                _ => Err(malformed(
                    format!("line {}", self.line),
                    format!("{text:?}"),
                    "a variable with rules of its own, or one character",
                )),
            }
        };
        self.items.iter().map(item).collect()
    }
}

fn variable<'a>(
    name: &str,
    names: &[&str],
    rules: impl Iterator<Item = &'a Rule<'a>> + Clone,
) -> Result<Variable, DataError> {
    let weights: Vec<u64> = rules.clone().map(|rule| rule.weight).collect();
    let rules = rules.map(|rule| rule.resolve(names)).collect::<Result<Vec<_>, _>>()?;
    Ok(Variable { name: name.into(), rules, choice: Choice::new(&weights), first: Vec::new() })
}

fn malformed(place: String, found: String, expected: &str) -> DataError {
    DataError::Malformed {
        what: "the grammar".into(),
        place,
        found,
        expected: expected.into(),
        remedy: "correct the rule".into(),
    }
}

/// Fills in what each rule can begin with, and refuses rules of a variable that can begin with the same.
///
/// A rule that can be empty begins with what may follow its variable. Both sets grow until nothing changes.
fn predict(variables: &mut [Variable]) -> Result<(), DataError> {
    let n = variables.len();
    let mut first: Vec<BTreeSet<Option<char>>> = vec![BTreeSet::new(); n]; // None: can be empty
    let mut follow: Vec<BTreeSet<Option<char>>> = vec![BTreeSet::new(); n]; // None: the end
    follow[0].insert(None);
    loop {
        let size = |first: &[BTreeSet<_>], follow: &[BTreeSet<_>]| -> usize {
            first.iter().chain(follow).map(BTreeSet::len).sum()
        };
        let before = size(&first, &follow);
        for (v, variable) in variables.iter().enumerate() {
            for rule in &variable.rules {
                let begins = first_of(rule, &first);
                first[v].extend(begins);
                for (i, item) in rule.iter().enumerate() {
                    if let Item::Variable(u) = *item {
                        let after = resolved(first_of(&rule[i + 1..], &first), &follow[v]);
                        follow[u].extend(after);
                    }
                }
            }
        }
        if size(&first, &follow) == before {
            break;
        }
    }
    for (v, variable) in variables.iter_mut().enumerate() {
        let sets = variable.rules.iter().map(|rule| resolved(first_of(rule, &first), &follow[v]));
        variable.first = sets.collect();
        let all: BTreeSet<_> = variable.first.iter().flatten().collect();
        if all.len() < variable.first.iter().map(BTreeSet::len).sum() {
            let found = format!("two rules of {} that can begin with the same character", variable.name);
            return Err(malformed(
                String::new(),
                found,
                "an LL(1) grammar: the next character decides the rule",
            ));
        }
    }
    Ok(())
}

/// What a sequence can begin with; None if it can be empty.
fn first_of(items: &[Item], first: &[BTreeSet<Option<char>>]) -> BTreeSet<Option<char>> {
    let mut result = BTreeSet::new();
    for item in items {
        match *item {
            Item::Character(c) => {
                result.insert(Some(c));
                return result;
            }
            Item::Variable(v) => {
                result.extend(first[v].iter().filter(|c| c.is_some()));
                if !first[v].contains(&None) {
                    return result;
                }
            }
        }
    }
    result.insert(None);
    result
}

/// The set with "can be empty" replaced by what follows.
fn resolved(mut set: BTreeSet<Option<char>>, follow: &BTreeSet<Option<char>>) -> BTreeSet<Option<char>> {
    if set.remove(&None) {
        set.extend(follow);
    }
    set
}

/// (h, l) of the first variable: the solution of (I - M) x = e and (I - M) x = t.
fn expectations(variables: &[Variable]) -> Result<(f64, f64), DataError> {
    let n = variables.len();
    // Row A: I - M, then e and t as two more columns.
    let mut rows = vec![vec![0.0; n + 2]; n];
    for (row, variable) in rows.iter_mut().zip(variables) {
        for (i, rule) in variable.rules.iter().enumerate() {
            for item in rule {
                let column = if let Item::Variable(v) = item { *v } else { n + 1 };
                row[column] += variable.choice.probability(i);
            }
        }
        row[n] = variable.choice.entropy();
    }
    let m: Vec<Vec<f64>> = rows.iter().map(|row| row[..n].to_vec()).collect();
    if !vanishes(m) {
        let found = "variables that multiply faster than they end".into();
        return Err(malformed(
            String::new(),
            found,
            "a finite expected length: more weight on the short rules",
        ));
    }
    for (a, row) in rows.iter_mut().enumerate() {
        row[..n].iter_mut().for_each(|x| *x = -*x);
        row[a] += 1.0;
    }
    eliminate(&mut rows);
    Ok((rows[0][n], rows[0][n + 1]))
}

/// Whether M^k goes to 0, by squaring: M, M^2, M^4, ... The largest row sum falls below 1/2 in the end, or
/// never does.
fn vanishes(mut m: Vec<Vec<f64>>) -> bool {
    let n = m.len();
    for _ in 0..40 {
        let largest = m.iter().map(|row| row.iter().sum::<f64>()).fold(0.0, f64::max);
        if largest < 0.5 || !largest.is_finite() {
            return largest < 0.5;
        }
        let square = |i: usize, j: usize| (0..n).map(|k| m[i][k] * m[k][j]).sum::<f64>();
        m = (0..n).map(|i| (0..n).map(|j| square(i, j)).collect()).collect();
    }
    false
}

/// Gauss-Jordan elimination of the left square; the columns beyond it become the solutions. No row needs
/// exchanging: I - M with M^k -> 0 keeps positive pivots (it is an M-matrix).
fn eliminate(rows: &mut [Vec<f64>]) {
    for pivot in 0..rows.len() {
        let scale = 1.0 / rows[pivot][pivot];
        rows[pivot].iter_mut().for_each(|x| *x *= scale);
        let pivot_row = rows[pivot].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
            let factor = row[pivot];
            row.iter_mut().zip(&pivot_row).for_each(|(x, p)| *x -= factor * p);
        }
    }
}
