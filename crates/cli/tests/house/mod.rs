//! Who may import whom. The arrows between files are read from the source: every `use`, every path such as
//! `crate::tape::Tape` or `nn::Linear`, every line of a registry, in every file of every crate's `src`. A name that a
//! file only passes on (`pub use`) leads to the file that defines it, so that a `mod.rs` hides nothing. Tests are left
//! out.
//!
//! Two rules: the nevers ([`NEVERS`]), and no circle between files. Nothing breaks them.

mod source;

use source::{File, collect, module, resolve, tokens, uses, without_tests};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// (from, to, reason): no file whose name begins with the first imports one whose name begins with the second. A name
/// is that of the crate and the path below its `src`, such as `gpt/train/step.rs`. Files of one room see each other.
const NEVERS: &[(&str, &[&str], &str)] = &[
    ("random/", &["tensor/", "nn/", "data/", "synth/", "gpt/", "cli/"], "random imports nothing"),
    (
        "chart/",
        &["random/", "tensor/", "nn/", "data/", "synth/", "gpt/", "cli/"],
        "a picture knows numbers and names",
    ),
    ("tensor/", &["nn/", "data/", "synth/", "gpt/", "cli/"], "tensor is the ground floor"),
    ("nn/", &["data/", "synth/", "gpt/", "cli/"], "layers know shapes, not texts"),
    ("data/", &["tensor/", "nn/", "gpt/", "synth/", "cli/"], "data knows nothing of tensors or models"),
    ("synth/", &["tensor/", "nn/", "gpt/", "cli/"], "corpora of known entropy need no model"),
    ("gpt/", &["synth/", "cli/"], "a model does not know where its text comes from"),
    ("gpt/generate", &["gpt/train", "gpt/tune"], "sampling needs no training"),
    ("gpt/files/", &["gpt/"], "files know bytes and tensors, not models"),
    (
        "tensor/kernels/",
        &["tensor/op.rs", "tensor/ops/", "tensor/tape", "tensor/gradcheck"],
        "kernels know slices",
    ),
];

#[test]
fn nobody_imports_what_it_must_not() {
    let house = House::read();
    let broken: Vec<String> = house
        .broken_nevers()
        .map(|(from, to, reason)| format!("{from} imports {to}, but {reason}"))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::read();
    assert!(house.arrows.len() > 300 && house.arrows.values().flatten().count() > 1000, "nothing was read");
    let circles: Vec<String> = house.circles().iter().map(|circle| house.lines(circle)).collect();
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}

/// The files and their arrows.
#[derive(Debug, Default)]
struct House {
    /// For each file, such as `gpt/train/step.rs`, those that it imports.
    arrows: BTreeMap<String, BTreeSet<String>>,
}

impl House {
    /// The house of this workspace.
    fn read() -> House {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut texts = BTreeMap::new();
        for folder in fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
            let name = folder.file_name().unwrap().to_str().unwrap().to_string();
            collect(&folder.join("src"), &name, &mut texts);
        }
        House::of(&texts)
    }

    /// The house of these texts, by name of file.
    fn of(texts: &BTreeMap<String, String>) -> House {
        let tokens: BTreeMap<&String, Vec<String>> =
            texts.iter().map(|(name, text)| (name, tokens(text))).collect();
        let mut tests = BTreeSet::new();
        let mut files = BTreeMap::new();
        for (name, tokens) in tokens {
            let module = module(name);
            let (tokens, of_tests) = without_tests(tokens);
            tests.extend(of_tests.into_iter().map(|test| [&module[..], &[test]].concat()));
            let uses = uses(&tokens);
            files.insert(name.clone(), File { module, tokens, uses });
        }
        files.retain(|name, file| {
            let stem = name.rsplit('/').next().unwrap_or(name);
            !tests.contains(&file.module) && stem != "tests.rs" && !stem.ends_with("_tests.rs")
        });
        let macros: BTreeSet<&str> = files.values().flat_map(|file| file.macros()).collect();
        let by_module: BTreeMap<&[String], &String> =
            files.iter().map(|(name, file)| (&file.module[..], name)).collect();
        let arrow = |(name, file): (&String, &File)| {
            let targets = file.paths(&by_module, &macros).into_iter();
            let targets = targets.filter_map(|path| resolve(&files, &by_module, &file.module, &path, 0));
            (name.clone(), targets.filter(|target| target != name).collect())
        };
        House { arrows: files.iter().map(arrow).collect() }
    }

    /// All files that a file leads to, by one arrow or several.
    fn reached<'h>(&'h self, from: &'h String) -> BTreeSet<&'h String> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(self.arrows.get(file).into_iter().flatten().filter(|&next| seen.insert(next)));
        }
        seen
    }

    /// A circle as text: a line for each file, with those of the circle that it imports.
    fn lines(&self, circle: &[String]) -> String {
        let within = |from: &String| -> Vec<&str> {
            self.arrows[from].iter().filter(|to| circle.contains(to)).map(String::as_str).collect()
        };
        circle.iter().map(|from| format!("  {from} -> {}\n", within(from).join(", "))).collect()
    }

    /// The arrows that [`NEVERS`] forbids, with the reason.
    fn broken_nevers(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let arrows =
            self.arrows.iter().flat_map(|(from, tos)| tos.iter().map(move |to| (&from[..], &to[..])));
        arrows.filter_map(|(from, to)| {
            let forbids = |(room, others, _): &&(&str, &[&str], &str)| {
                from.starts_with(room)
                    && !to.starts_with(room)
                    && others.iter().any(|other| to.starts_with(other))
            };
            NEVERS.iter().find(forbids).map(|&(_, _, reason)| (from, to, reason))
        })
    }

    /// The circles: sets of files each of which leads to each other one.
    fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<&String, BTreeSet<&String>> =
            self.arrows.keys().map(|file| (file, self.reached(file))).collect();
        let both = |a: &String, b: &String| reached[a].contains(b) && reached[b].contains(a);
        let mut circles: Vec<Vec<String>> = Vec::new();
        for file in self.arrows.keys().filter(|file| reached[file].contains(file)) {
            match circles.iter_mut().find(|circle| both(&circle[0], file)) {
                Some(circle) => circle.push(file.clone()),
                None => circles.push(vec![file.clone()]),
            }
        }
        circles
    }
}

/// A small house: of each file its name and text. Every crate has a lib.rs.
fn house(files: &[(&str, &str)]) -> House {
    let roots =
        files.iter().map(|(name, _)| (format!("{}/lib.rs", name.split('/').next().unwrap()), String::new()));
    let files = files.iter().map(|&(name, text)| (name.to_string(), text.to_string()));
    House::of(&roots.chain(files).collect())
}

#[test]
fn circles_are_found_wherever_they_hide() {
    let circle = |files: &[(&str, &str)]| house(files).circles();
    // By `use`, by a path in the code, by a group, by another name.
    for back in [
        "use crate::a::A;",
        "fn f() -> super::a::A { super::a::A }",
        "use crate::{a::{self, A as It}, c};",
        "pub use crate::a::A; struct B(A);",
    ] {
        let files =
            [("data/lib.rs", "mod a; mod b; mod c;"), ("data/a.rs", "use crate::b::B;"), ("data/b.rs", back)];
        assert_eq!(circle(&files), [["data/a.rs", "data/b.rs"]], "{back}");
    }
    // Behind a mod.rs that passes names on, also with a star.
    for door in
        ["mod a; mod b; pub use a::A; pub(crate) use b::B;", "mod a; mod b; pub use a::*; pub use b::*;"]
    {
        let a = ("data/x/a.rs", "pub struct A(super::B);");
        let b = ("data/x/b.rs", "use super::A; pub struct B;");
        assert_eq!(circle(&[("data/x/mod.rs", door), a, b]), [["data/x/a.rs", "data/x/b.rs"]], "{door}");
    }
    // A registry in the file of the type that its lines are of.
    let registry = "pub struct Entry; macro_rules! registry { ($($n:ident),*) => { $(mod $n;)* \
                    const ALL: &[Entry] = &[$($n::ENTRY),*]; } } registry! { one, two }";
    let one = ("data/x/one.rs", "pub const ENTRY: super::Entry = super::Entry;");
    let two = ("data/x/two.rs", "pub const TWO: u8 = 2;");
    assert_eq!(circle(&[("data/x/mod.rs", registry), one, two]), [["data/x/mod.rs", "data/x/one.rs"]]);
    // Three files.
    let round =
        [("nn/a.rs", "use crate::b::B;"), ("nn/b.rs", "use crate::c::C;"), ("nn/c.rs", "use crate::a::A;")];
    assert_eq!(circle(&round), [["nn/a.rs", "nn/b.rs", "nn/c.rs"]]);
}

#[test]
fn what_is_no_circle_is_none() {
    for back in [
        "// use crate::a::A;",
        "/* use crate::a::A; /* in a comment */ use crate::a::A; */",
        r##"const TEXT: &str = "use crate::a::A;"; const RAW: &str = r#"crate::a::A " "#;"##,
        "#[cfg(test)] mod tests { use crate::a::A; }",
        "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;",
        "#[cfg(test)] use crate::a::A;",
        "pub use crate::a::A;", // passed on, not used
        "fn f<'a>(x: &'a str) -> char { 'a' }",
    ] {
        let files =
            [("data/a.rs", "use crate::b::B;"), ("data/b.rs", back), ("data/b_tests.rs", "use crate::a::A;")];
        assert_eq!(house(&files).circles(), [[""; 0]; 0], "{back}");
        assert_eq!(house(&files).arrows["data/a.rs"].len(), 1, "{back}");
    }
}

#[test]
fn what_must_not_be_is_found() {
    let broken = |from: &str, text: &str, to: &str| {
        let files = [(from, text), (to, "pub struct It;")];
        house(&files).broken_nevers().map(|(from, to, _)| format!("{from} {to}")).collect::<Vec<_>>()
    };
    assert_eq!(broken("data/a.rs", "use tensor::It;", "tensor/lib.rs"), ["data/a.rs tensor/lib.rs"]);
    assert_eq!(broken("nn/a.rs", "fn f(_: data::It) {}", "data/lib.rs"), ["nn/a.rs data/lib.rs"]);
    assert_eq!(broken("gpt/files/a.rs", "use crate::b::It;", "gpt/b.rs"), ["gpt/files/a.rs gpt/b.rs"]);
    assert_eq!(broken("gpt/generate/a.rs", "use crate::train::It;", "gpt/train/mod.rs").len(), 1);
    assert_eq!(broken("tensor/kernels/a.rs", "use crate::It;", "tensor/op.rs"), [""; 0]);
    let passed_on = [
        ("tensor/lib.rs", "mod op; pub use op::It; mod kernels;"),
        ("tensor/op.rs", "pub struct It;"),
        ("tensor/kernels/a.rs", "use crate::It;"),
    ];
    assert_eq!(house(&passed_on).broken_nevers().count(), 1);
    assert_eq!(broken("gpt/files/a.rs", "use super::b::It;", "gpt/files/b.rs"), [""; 0]);
    assert_eq!(broken("tensor/a.rs", "use crate::kernels::It;", "tensor/kernels/mod.rs"), [""; 0]);
}
