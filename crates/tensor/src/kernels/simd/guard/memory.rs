//! Memory between pages that nobody may touch, and the bench that runs a kernel on it.

use crate::grad::Accum;
use std::hash::{DefaultHasher, Hash};
use std::ptr;

/// At which end of a slice the forbidden page lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Behind,
    Before,
}

/// Numbers for which any bits are a value.
pub(super) trait Word: Copy {
    fn bits(self) -> u64;
}

macro_rules! words {
    ($($word:ty: $bits:expr;)*) => {
        $(impl Word for $word {
            fn bits(self) -> u64 {
                $bits(self)
            }
        })*
    };
}

words! {
    f32: |x: f32| u64::from(x.to_bits());
    u32: u64::from;
    i8: |x| x as u64;
    i16: |x| x as u64;
    i64: |x| x as u64;
}

/// What lies on the open side of a slice: four of it are a NaN as a float, and no row of any table as an index.
const MARK: u8 = 0xff;
/// How many marks: more than any vector or tile is wide.
const MARKS: usize = 256;
/// How many floats a slice may have.
const CAPACITY: usize = 1 << 17;

/// Memory for one slice between two pages without access.
pub(super) struct Guarded {
    mapping: *mut u8,
    pub(super) page: usize,
    inner: usize, // bytes between the two pages
}

impl Guarded {
    pub(super) fn new() -> Self {
        // SAFETY: this asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).expect("the size of a page");
        let inner = (size_of::<f32>() * CAPACITY + MARKS).next_multiple_of(page);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: new memory, where the system likes.
        let mapping = unsafe { libc::mmap(ptr::null_mut(), inner + 2 * page, libc::PROT_NONE, flags, -1, 0) };
        assert!(mapping != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        // SAFETY: these pages lie inside of the mapping just made, and nobody has a reference to them.
        let opened =
            unsafe { libc::mprotect(mapping.byte_add(page), inner, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(opened, 0, "mprotect: {}", std::io::Error::last_os_error());
        Self { mapping: mapping.cast(), page, inner }
    }

    /// Where a slice of so many bytes begins, and where its marks do, from the mapping's start.
    pub(super) fn places(&self, bytes: usize, side: Side) -> (usize, usize) {
        assert!(bytes + MARKS <= self.inner, "a slice of {bytes} bytes");
        let (front, rear) = (self.page, self.page + self.inner);
        match side {
            Side::Behind => (rear - bytes, rear - bytes - MARKS),
            Side::Before => (front, front + bytes),
        }
    }

    /// A copy of these values with a forbidden page on one side, and marks on the other.
    pub(super) fn place<T: Word>(&mut self, values: &[T], side: Side) -> &mut [T] {
        let (start, marks) = self.places(size_of_val(values), side);
        // SAFETY: both lie between the two pages and do not overlap; multiples of T's size from a page's ends are
        // aligned for T; any bits are a T; and `self` is borrowed for as long as the slice lives.
        unsafe {
            let slice = self.mapping.add(start).cast::<T>();
            ptr::copy_nonoverlapping(values.as_ptr(), slice, values.len());
            self.mapping.add(marks).write_bytes(MARK, MARKS);
            std::slice::from_raw_parts_mut(slice, values.len())
        }
    }

    /// Whether nobody wrote on the open side of a slice of so many bytes.
    pub(super) fn marks_are_whole(&self, bytes: usize, side: Side) -> bool {
        let (_, marks) = self.places(bytes, side);
        // SAFETY: between the two pages, and written by `place`.
        let marks = unsafe { std::slice::from_raw_parts(self.mapping.add(marks), MARKS) };
        marks.iter().all(|mark| *mark == MARK)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, to which no reference is left.
        unsafe { libc::munmap(self.mapping.cast(), self.inner + 2 * self.page) };
    }
}

/// Runs kernels on ordinary and on guarded memory.
pub(super) struct Bench {
    pub(super) guards: Vec<Guarded>,
    normals: Vec<f32>,
    pub(super) drawn: usize,
    pub(super) kernel: &'static str,
    pub(super) results: DefaultHasher,
}

impl Bench {
    pub(super) fn new() -> Self {
        let mut rng = random::Rng::new(1, random::Stream::Other(2));
        Self {
            guards: (0..16).map(|_| Guarded::new()).collect(),
            normals: (0..CAPACITY).map(|_| rng.normal()).collect(),
            drawn: 0,
            kernel: "",
            results: DefaultHasher::new(),
        }
    }

    /// Normal numbers, the same ones on every path.
    pub(super) fn normals(&mut self, len: usize) -> Vec<f32> {
        if self.drawn + len > self.normals.len() {
            self.drawn = 0;
        }
        self.drawn += len;
        self.normals[self.drawn - len..self.drawn].to_vec()
    }

    /// Runs a kernel on ordinary memory, then with each of its slices before and behind a forbidden page.
    pub(super) fn check<const I: usize, const O: usize>(
        &mut self,
        inputs: [Vec<f32>; I],
        ids: &[u32],
        outputs: [Vec<f32>; O],
        run: impl Fn([&[f32]; I], &[u32], [&mut [f32]; O]),
    ) {
        let expected = self.check_one_path(inputs, ids, outputs, run);
        expected.iter().flatten().for_each(|y| y.to_bits().hash(&mut self.results));
    }

    /// The same for inputs or outputs that differ between paths.
    pub(super) fn check_one_path<const I: usize, const O: usize>(
        &mut self,
        inputs: [Vec<f32>; I],
        ids: &[u32],
        outputs: [Vec<f32>; O],
        run: impl Fn([&[f32]; I], &[u32], [&mut [f32]; O]),
    ) -> [Vec<f32>; O] {
        let mut expected = outputs.clone();
        run(inputs.each_ref().map(|x| &x[..]), ids, expected.each_mut().map(|y| &mut y[..]));
        let kernel = self.kernel;
        let lengths: Vec<usize> = inputs.iter().chain(&outputs).map(Vec::len).chain([ids.len()]).collect();
        for side in [Side::Behind, Side::Before] {
            let mut guards = self.guards.iter_mut();
            let mut guard = || guards.next().expect("a guard for each slice");
            let x = inputs.each_ref().map(|x| &*guard().place(x, side));
            let mut y = outputs.each_ref().map(|y| guard().place(y, side));
            let guarded_ids = guard().place(ids, side);
            run(x, guarded_ids, y.each_mut().map(|y| &mut **y));
            for (n, (found, expected)) in y.iter().zip(&expected).enumerate() {
                assert!(same(found, expected), "{kernel}, lengths {lengths:?}: output {n}, guard {side:?}");
            }
            let untouched = x.iter().zip(&inputs).all(|(now, before)| same(now, before));
            assert!(untouched && same(guarded_ids, ids), "{kernel}, lengths {lengths:?}: inputs changed");
            for (guard, &len) in self.guards.iter().zip(&lengths) {
                let whole = guard.marks_are_whole(4 * len, side);
                assert!(whole, "{kernel}, lengths {lengths:?}: written outside, guard {side:?}");
            }
        }
        expected
    }
}

pub(super) fn same<T: Word>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.bits() == b.bits())
}

/// Gradients that are written, and gradients that are added.
pub(super) const ACCUMS: [Accum; 2] = [Accum::Replace, Accum::Add];

/// Three vectors and every tail: as the end of a slice is fixed, all sixteen alignments of its start too.
pub(super) fn tails() -> std::ops::RangeInclusive<usize> {
    0..=49
}

/// The widths of rows: the tails, and both sides of a block of the sums that are carried to f64.
pub(super) fn widths() -> impl Iterator<Item = usize> {
    (1..=49).chain([1008, 1023, 1024, 1025, 1047])
}

/// Forbids files with the memory of a process that ends by a signal.
pub(super) fn no_core_file() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: sets a limit of this process.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
}

#[test]
fn slices_lie_at_every_alignment() {
    let mut guard = Guarded::new();
    let mut seen = [false; 16];
    for len in tails() {
        let slice = guard.place(&vec![1.0_f32; len], Side::Behind);
        seen[slice.as_ptr().addr() % 64 / 4] = true;
        let end = slice.as_ptr_range().end.addr();
        assert_eq!(end % guard.page, 0, "the page behind begins where the slice ends");
        let slice = guard.place(&vec![1.0_f32; len], Side::Before);
        assert_eq!(slice.as_ptr().addr() % guard.page, 0, "the page before ends where the slice begins");
    }
    assert_eq!(seen, [true; 16]);
}

/// What a copy of this process does, and the signal that ends it, if one does.
fn signal_of(work: impl FnOnce()) -> Option<i32> {
    // SAFETY: the copy has this thread alone, so it must not need what another one may hold. It sets a limit,
    // does `work`, which is one access to memory, and ends at once.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
        if child == 0 {
            no_core_file();
            work();
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child, "{}", std::io::Error::last_os_error());
        assert!(libc::WIFSIGNALED(status) || (libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0));
        libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
    }
}

#[test]
fn the_guard_guards() {
    const LEN: isize = 5;
    let mut guard = Guarded::new();
    for (side, inside, outside) in [(Side::Behind, LEN - 1, LEN), (Side::Before, 0, -1)] {
        let start = guard.place(&[1.0_f32; LEN as usize], side).as_mut_ptr();
        // SAFETY: the first two access an element. The others do not, and that is the point: nothing is mapped
        // there for access, so the copy of the process that does it ends, and no other memory can be hit.
        let (read, write) = (
            |at: isize| signal_of(|| _ = unsafe { start.wrapping_offset(at).read_volatile() }),
            |at: isize| signal_of(|| unsafe { start.wrapping_offset(at).write_volatile(2.0) }),
        );
        assert_eq!((read(inside), write(inside)), (None, None), "{side:?}: inside");
        for signal in [read(outside), write(outside)] {
            let fault = [libc::SIGSEGV, libc::SIGBUS];
            assert!(signal.is_some_and(|signal| fault.contains(&signal)), "{side:?}: {signal:?}");
        }
    }
}

/// The bench notices what no page can: a wrong result, and a write on the open side.
#[test]
fn the_bench_notices() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let fails = |run: fn(&mut [f32])| {
        let check = || Bench::new().check([], &[], [vec![1.0; 3]], |[], _, [y]| run(y));
        catch_unwind(AssertUnwindSafe(check)).is_err()
    };
    assert!(!fails(|y| y[2] = 5.0));
    // A result that depends on where the slice lies.
    assert!(fails(|y| y[0] = if y.as_ptr().addr().is_multiple_of(4096) { 1.0 } else { 2.0 }));
    let mut guard = Guarded::new();
    for side in [Side::Behind, Side::Before] {
        guard.place(&[1.0_f32; 3], side);
        assert!(guard.marks_are_whole(12, side));
        let (_, marks) = guard.places(12, side);
        // SAFETY: the last mark lies between the two pages, and no slice lives.
        unsafe { guard.mapping.add(marks + MARKS - 1).write(0) };
        assert!(!guard.marks_are_whole(12, side));
    }
}
