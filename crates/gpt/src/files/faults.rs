//! Disks that fail, processes that die, and power that goes, for the tests of saving.

use super::fs::WriteInto;
use super::{Disk, Fs};
use random::Rng;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The operation fails; the process lives on and cleans up. A write leaves half a file behind.
    Error(io::ErrorKind),
    /// The process dies: nothing works any more. A write leaves this many quarters of the file, 0
    /// meaning no file at all.
    Crash(usize),
}

/// The real disk, on which one operation goes wrong.
pub(crate) struct FaultyFs {
    before: Cell<usize>,
    fault: Fault,
    dead: Cell<bool>,
    /// Whether the operation was reached.
    pub(crate) struck: Cell<bool>,
}

impl FaultyFs {
    /// Goes wrong at operation `at`, counting from 0.
    pub(crate) fn new(at: usize, fault: Fault) -> Self {
        Self { before: Cell::new(at), fault, dead: Cell::new(false), struck: Cell::new(false) }
    }

    fn run(&self, write: Option<(&Path, &[u8])>, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.dead.get() {
            return Err(io::Error::other("the process is dead"));
        }
        if self.struck.get() || self.before.get() > 0 {
            self.before.set(self.before.get().saturating_sub(1));
            return work();
        }
        self.struck.set(true);
        let (quarters, kind) = match self.fault {
            Fault::Error(kind) => (2, kind),
            Fault::Crash(quarters) => {
                self.dead.set(true);
                (quarters, io::ErrorKind::Other)
            }
        };
        if let Some((path, bytes)) = write.filter(|_| quarters > 0) {
            std::fs::write(path, &bytes[..bytes.len() * (quarters - 1) / 4])?;
        }
        Err(kind.into())
    }
}

impl Fs for FaultyFs {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.run(None, || Disk.create_dir(path))
    }
    fn write_synced(&self, path: &Path, write: &mut WriteInto<'_>) -> io::Result<()> {
        let bytes = written_by(write)?;
        self.run(Some((path, &bytes)), || Disk.write_synced(path, &mut |out| out.write_all(&bytes)))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run(None, || Disk.sync_dir(path))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(None, || Disk.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.run(None, || Disk.remove_file(path))
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.run(None, || Disk.remove_dir(path))
    }
}

fn written_by(write: &mut WriteInto<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    Ok(bytes)
}

/// Calls `check` with a file a byte longer, with each bit flipped, and cut to each length; puts it
/// back at the end. Changes are made in place: replacing a file of ext4 waits for the disk.
pub(crate) fn damage_everywhere(path: &Path, mut check: impl FnMut(&str)) {
    let original = std::fs::read(path).unwrap();
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut put = |at: usize, bytes: &[u8]| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(bytes).unwrap();
    };
    put(original.len(), b"\n");
    check("a byte more");
    File::options().write(true).open(path).unwrap().set_len(original.len() as u64).unwrap();
    for (at, &byte) in original.iter().enumerate() {
        for bit in 0..8 {
            put(at, &[byte ^ 1 << bit]);
            check(&format!("bit {bit} of byte {at}"));
        }
        put(at, &[byte]);
    }
    for length in (0..original.len()).rev() {
        File::options().write(true).open(path).unwrap().set_len(length as u64).unwrap();
        check(&format!("cut to {length}"));
    }
    put(0, &original);
}

/// One operation that was carried out, or a note of the test's between two.
#[derive(Clone, Debug)]
pub(crate) enum Logged {
    CreateDir(PathBuf),
    Write(PathBuf, Vec<u8>),
    SyncDir(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Note(u64),
}

/// The real disk, with a log of what was done.
#[derive(Default)]
pub(crate) struct RecordingFs(pub(crate) RefCell<Vec<Logged>>);

impl RecordingFs {
    pub(crate) fn log(&self, entry: Logged) {
        self.0.borrow_mut().push(entry);
    }
}

impl Fs for RecordingFs {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.log(Logged::CreateDir(path.into()));
        Disk.create_dir(path)
    }
    fn write_synced(&self, path: &Path, write: &mut WriteInto<'_>) -> io::Result<()> {
        let bytes = written_by(write)?;
        Disk.write_synced(path, &mut |out| out.write_all(&bytes))?;
        self.log(Logged::Write(path.into(), bytes));
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.log(Logged::SyncDir(path.into()));
        Disk.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.log(Logged::Rename(from.into(), to.into()));
        Disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.log(Logged::Remove(path.into()));
        Disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.log(Logged::Remove(path.into()));
        Disk.remove_dir(path)
    }
}

/// A disk as a power failure may find it: names that were not fsynced are there or not, in any
/// combination, whatever the order in which they were written.
struct Model {
    /// Names in each directory, by number; number 0 is the root.
    dirs: Vec<BTreeMap<String, Node>>,
    /// Changes to names that are not yet certain: (directory, name and what it now is).
    pending: Vec<(usize, Changes)>,
    /// What the names certainly are.
    certain: Vec<BTreeMap<String, Node>>,
}

/// Names, and what each now is; `None`: gone.
type Changes = Vec<(String, Option<Node>)>;

#[derive(Clone)]
enum Node {
    File(Vec<u8>),
    Dir(usize),
}

impl Model {
    /// A path below the root, as (its directory, its name).
    fn locate(&self, root: &Path, path: &Path) -> (usize, String) {
        let parts: Vec<String> =
            path.strip_prefix(root).unwrap().iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let (name, above) = parts.split_last().unwrap();
        let dir = above.iter().fold(0, |dir, part| self.dir(dir, part));
        (dir, name.clone())
    }

    fn dir(&self, parent: usize, name: &str) -> usize {
        match self.dirs[parent].get(name) {
            Some(Node::Dir(number)) => *number,
            _ => panic!("{name} is not a directory"),
        }
    }

    fn change(&mut self, dir: usize, changes: Vec<(String, Option<Node>)>) {
        apply(&mut self.dirs[dir], &changes);
        self.pending.push((dir, changes));
    }

    fn step(&mut self, root: &Path, entry: &Logged) {
        match entry {
            Logged::CreateDir(path) => {
                let (dir, name) = self.locate(root, path);
                self.dirs.push(BTreeMap::new());
                self.certain.push(BTreeMap::new());
                self.change(dir, vec![(name, Some(Node::Dir(self.dirs.len() - 1)))]);
            }
            Logged::Write(path, bytes) => {
                let (dir, name) = self.locate(root, path);
                self.change(dir, vec![(name, Some(Node::File(bytes.clone())))]);
            }
            Logged::Rename(from, to) => {
                let (dir, from) = self.locate(root, from);
                let (_, to) = self.locate(root, to);
                let node = self.dirs[dir][&from].clone();
                self.change(dir, vec![(from, None), (to, Some(node))]);
            }
            Logged::Remove(path) => {
                let (dir, name) = self.locate(root, path);
                self.change(dir, vec![(name, None)]);
            }
            Logged::SyncDir(path) => {
                let synced = if path == root { 0 } else { self.locate(root, path).0 };
                let synced = if path == root { synced } else { self.dir(synced, &self.locate(root, path).1) };
                let (now, later) =
                    std::mem::take(&mut self.pending).into_iter().partition(|(dir, _)| *dir == synced);
                self.pending = later;
                let now: Vec<_> = now;
                now.iter().for_each(|(dir, changes)| apply(&mut self.certain[*dir], changes));
            }
            Logged::Note(_) => {}
        }
    }

    /// Writes what the power failure leaves if of the pending changes those chosen had reached the disk.
    fn write_out(&self, to: &Path, chosen: impl Fn(usize) -> bool) {
        let mut dirs = self.certain.clone();
        for (_, (dir, changes)) in self.pending.iter().enumerate().filter(|(i, _)| chosen(*i)) {
            apply(&mut dirs[*dir], changes);
        }
        write_dir(&dirs, 0, to);
    }
}

fn apply(dir: &mut BTreeMap<String, Node>, changes: &[(String, Option<Node>)]) {
    for (name, node) in changes {
        match node {
            Some(node) => dir.insert(name.clone(), node.clone()),
            None => dir.remove(name),
        };
    }
}

fn write_dir(dirs: &[BTreeMap<String, Node>], number: usize, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for (name, node) in &dirs[number] {
        match node {
            Node::File(bytes) => std::fs::write(to.join(name), bytes).unwrap(),
            Node::Dir(number) => write_dir(dirs, *number, &to.join(name)),
        }
    }
}

/// Cuts the power after every operation of a log and calls `check` with every state of the disk that
/// may be found then (beyond 2^6 combinations: 64 of them, none and all included) and the last note
/// before the cut. Returns how many states there were.
pub(crate) fn cut_power_everywhere(
    root: &Path,
    log: &[Logged],
    mut check: impl FnMut(&Path, Option<u64>),
) -> usize {
    let mut model = Model { dirs: vec![BTreeMap::new()], pending: vec![], certain: vec![BTreeMap::new()] };
    let mut rng = Rng::new(1, random::Stream::Other(0));
    let scratch = tempfile::tempdir().unwrap();
    let (mut states, mut note) = (0, None);
    let mut examine = |model: &Model, note, chosen: u64| {
        let at = scratch.path().join("disk");
        model.write_out(&at, |i| chosen >> (i % 64) & 1 == 1);
        check(&at, note);
        std::fs::remove_dir_all(&at).unwrap();
        states += 1;
    };
    for entry in log {
        if let Logged::Write(path, bytes) = entry {
            // In the middle of writing, the name and any part of the contents may be on disk.
            for length in [0, bytes.len() / 2] {
                let (dir, name) = model.locate(root, path);
                model.pending.push((dir, vec![(name, Some(Node::File(bytes[..length].to_vec())))]));
                examine(&model, note, u64::MAX);
                model.pending.pop();
            }
        }
        model.step(root, entry);
        if let Logged::Note(n) = entry {
            note = Some(*n);
        }
        let n = model.pending.len();
        match n {
            0..=6 => (0..1 << n).for_each(|chosen| examine(&model, note, chosen)),
            _ => {
                let some: Vec<u64> = (0..62).map(|_| rng.next_u64()).chain([0, u64::MAX]).collect();
                some.into_iter().for_each(|chosen| examine(&model, note, chosen));
            }
        }
    }
    states
}
