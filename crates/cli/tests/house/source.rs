//! What a source file imports, read from its text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A source file: where its module is, and what it says.
#[derive(Debug)]
pub(super) struct File {
    /// Crate and modules, such as `["gpt", "train", "step"]`.
    pub(super) module: Vec<String>,
    pub(super) tokens: Vec<String>,
    /// What `use` brings into it: the name here, and the path. The name `*` stands for everything.
    pub(super) uses: Vec<Use>,
}

#[derive(Clone, Debug)]
pub(super) struct Use {
    name: String,
    path: Vec<String>,
    /// Whether others see the name here, too.
    passed_on: bool,
}

/// The source files below a folder, by name such as `gpt/train/step.rs`.
pub(super) fn collect(folder: &Path, name: &str, texts: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &name, texts);
        } else if name.ends_with(".rs") {
            texts.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// `gpt/train/step.rs` is the module `gpt::train::step`, `gpt/train/mod.rs` is `gpt::train`.
pub(super) fn module(name: &str) -> Vec<String> {
    let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(String::from).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Words and signs of a text, `::` being one; no comments, texts, numbers with signs.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        match at(i) {
            '/' if at(i + 1) == '/' => i += chars[i..].iter().take_while(|&&c| c != '\n').count(),
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = after_string(&chars, i),
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                i += 1 + chars[i..].iter().take_while(|&&c| c != '\'').count();
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => i += 1, // a lifetime: its name is a word that means nothing here
            c if is_word(c) => {
                let end = i + chars[i..].iter().take_while(|&&c| is_word(c)).count();
                let word: String = chars[i..end].iter().collect();
                let hashes = chars[end..].iter().take_while(|&&c| c == '#').count();
                if word.ends_with('r') && word.len() <= 2 && at(end + hashes) == '"' {
                    let close: Vec<char> =
                        std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                    let body = end + hashes + 1;
                    let length = chars[body..].windows(close.len()).position(|window| window == close);
                    i = length.map_or(chars.len(), |length| body + length + close.len());
                } else {
                    tokens.push(word);
                    i = end;
                }
            }
            ':' if at(i + 1) == ':' => {
                tokens.push("::".into());
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.into());
                }
                i += 1;
            }
        }
    }
    tokens
}

/// Where a string that begins at `start` has ended.
fn after_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The tokens without the items behind `#[cfg(test)]`, and the modules in other files among those.
pub(super) fn without_tests(tokens: Vec<String>) -> (Vec<String>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules, mut i) = (Vec::new(), Vec::new(), 0);
    while i < tokens.len() {
        if !tokens[i..].iter().map(String::as_str).take(MARK.len()).eq(MARK) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        i += MARK.len();
        while tokens.get(i).is_some_and(|token| token == "#") {
            i = after_group(&tokens, i + 1);
        }
        if let Some(end) = tokens[i..].iter().position(|token| token == ";" || token == "{") {
            let item = &tokens[i..i + end];
            if let (Some(at), ";") = (item.iter().position(|token| token == "mod"), &tokens[i + end][..]) {
                modules.push(item[at + 1].clone());
            }
            i = if tokens[i + end] == ";" { i + end + 1 } else { after_group(&tokens, i + end) };
        }
    }
    (kept, modules)
}

/// Where the bracket that opens at `start` has closed.
fn after_group(tokens: &[String], start: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match &token[..] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// What the `use` declarations bring in.
pub(super) fn uses(tokens: &[String]) -> Vec<Use> {
    let mut uses = Vec::new();
    for (i, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "use") {
        let passed_on =
            i > 0 && (tokens[i - 1] == "pub" || (i > 3 && tokens[i - 1] == ")" && tokens[i - 4] == "pub"));
        use_tree(tokens, &mut (i + 1), &mut Vec::new(), passed_on, &mut uses);
    }
    uses
}

/// Reads one branch of a `use`, from `at` on.
fn use_tree(tokens: &[String], at: &mut usize, path: &mut Vec<String>, passed_on: bool, uses: &mut Vec<Use>) {
    let depth = path.len();
    let mut name = None;
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match &token[..] {
            "::" => {}
            "{" => {
                while tokens.get(*at).is_some_and(|token| token != "}") {
                    use_tree(tokens, at, path, passed_on, uses);
                }
                *at += 1;
                path.truncate(depth);
                if tokens.get(*at).is_some_and(|token| token == ",") {
                    *at += 1;
                }
                return;
            }
            "as" => {
                name = tokens.get(*at).cloned();
                *at += 1;
            }
            "," | ";" => break,
            "}" => {
                *at -= 1;
                break;
            }
            word => path.push(word.into()),
        }
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(last) = path.last() {
        let name = name.unwrap_or_else(|| last.clone());
        uses.push(Use { name, path: path.clone(), passed_on });
    }
    path.truncate(depth);
}

impl File {
    /// Whether `pub use` brings a name in.
    fn passes_on(&self, name: &str) -> bool {
        self.uses.iter().any(|one| one.passed_on && one.name == name)
    }

    /// Whether the name is defined here.
    fn defines(&self, name: &str) -> bool {
        const ITEMS: [&str; 8] = ["fn", "struct", "enum", "trait", "const", "type", "static", "mod"];
        self.tokens.windows(2).any(|pair| pair[1] == name && ITEMS.contains(&&pair[0][..]))
    }

    /// The macros that it defines.
    pub(super) fn macros(&self) -> impl Iterator<Item = &str> {
        let is_definition = |three: &&[String]| three[0] == "macro_rules" && three[1] == "!";
        self.tokens.windows(3).filter(is_definition).map(|three| &three[2][..])
    }

    /// The paths that it names: in `use`, in its code, and in registries, where a word that is given to a macro of
    /// ours is a module.
    pub(super) fn paths(
        &self,
        by_module: &BTreeMap<&[String], &String>,
        macros: &BTreeSet<&str>,
    ) -> Vec<Vec<String>> {
        let (tokens, mut paths, mut words) = (&self.tokens, Vec::new(), BTreeSet::new());
        let is = |i: usize, sign: &str| tokens.get(i).is_some_and(|token| token == sign);
        let is_word = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let (mut i, mut end_of_registry) = (0, 0);
        while i < tokens.len() {
            if tokens[i] == "use" {
                i += tokens[i..].iter().take_while(|token| *token != ";").count();
                continue;
            }
            let before = if i > 0 { &tokens[i - 1][..] } else { "" };
            let begins = is_word(&tokens[i]) && !matches!(before, "::" | "." | "$" | "mod" | "fn");
            if begins {
                let start = i;
                words.insert(&tokens[i][..]);
                while is(i + 1, "::") && tokens.get(i + 2).is_some_and(|token| is_word(token)) {
                    i += 2;
                }
                let path: Vec<String> =
                    tokens[start..=i].iter().filter(|token| *token != "::").cloned().collect();
                let child = [&self.module[..], &path[..1]].concat();
                if path.len() > 1 || (i < end_of_registry && by_module.contains_key(&child[..])) {
                    paths.push(path);
                }
                if macros.contains(&tokens[i][..]) && is(i + 1, "!") {
                    end_of_registry = after_group(tokens, i + 2);
                }
            }
            i += 1;
        }
        // What is passed on is no arrow, unless it is used here, too.
        let used = self.uses.iter().filter(|one| !one.passed_on || words.contains(&one.name[..]));
        paths.extend(used.map(|one| one.path.iter().filter(|word| *word != "*").cloned().collect()));
        paths
    }
}

/// The file that defines what a path leads to, as seen from a module; none if it is not of this workspace.
pub(super) fn resolve(
    files: &BTreeMap<String, File>,
    by_module: &BTreeMap<&[String], &String>,
    from: &[String],
    path: &[String],
    depth: usize,
) -> Option<String> {
    if depth > 16 {
        return None; // names that pass each other on
    }
    let (mut module, mut rest) = (from.to_vec(), path);
    match &path.first()?[..] {
        "crate" => {
            module.truncate(1);
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|word| word == "super") {
                module.pop();
                rest = &rest[1..];
            }
        }
        first => {
            let child = [from, &path[..1]].concat();
            if !by_module.contains_key(&child[..]) {
                // A crate, or a name that some `use` of this file brought in, which is an arrow of its own.
                by_module.get(&[first.to_string()][..])?;
                module = vec![first.into()];
                rest = &rest[1..];
            }
        }
    }
    while let Some(next) = rest.first() {
        let child = [&module[..], &rest[..1]].concat();
        let file = &files[*by_module.get(&module[..])?];
        if by_module.contains_key(&child[..]) && !(rest.len() == 1 && file.passes_on(next)) {
            module = child;
            rest = &rest[1..];
            continue;
        }
        let passed = file.uses.iter().filter(|one| one.name == *next || one.name == "*");
        for one in passed {
            let mut path = one.path.clone();
            if one.name == "*" {
                path.pop();
                path.push(next.clone());
            }
            path.extend_from_slice(&rest[1..]);
            if path != rest || module != from {
                let found = resolve(files, by_module, &module, &path, depth + 1);
                if one.name != "*" || found.as_ref().is_some_and(|found| files[found].defines(next)) {
                    return found;
                }
            }
        }
        break;
    }
    by_module.get(&module[..]).map(|name| name.to_string())
}
