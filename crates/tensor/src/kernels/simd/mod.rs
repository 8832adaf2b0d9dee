//! Vectors of sixteen floats on every machine, and the choice of instructions at run time.
//!
//! A kernel is written once, against the trait [`Simd`], in safe code: `S::V` is sixteen lanes, which are
//! one AVX-512 register, two AVX registers, four NEON registers, or an array. Because the number of
//! lanes, the order of every reduction, and the rounding of every operation (fused multiply-add
//! included) are the same in all of them, **all paths give the same bits**.
//!
//! [`dispatch`] runs a [`Kernel`] with the best instructions that this processor has. The whole kernel
//! is inlined into a function compiled with those instructions, so nothing is decided inside a loop.
//! `NEWLEAF_SIMD=avx512|avx2|neon|scalar` in the environment forces a path.
//!
//! This folder is the only place in the project with `unsafe` code: calls of instructions that the
//! token's existence proves to be there, and raw pointers in the tile kernels.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(test, unix))]
mod guard;
pub(crate) mod int8;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod product;
mod scalar;
pub(crate) mod shared;
mod tile;
mod vector;

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

pub use vector::{Kernel, LANES, Simd, Start, Tile};

/// Which instructions the kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Path {
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512 = 1,
    /// x86-64 with AVX2 and FMA.
    Avx2 = 2,
    /// aarch64.
    Neon = 3,
    /// Any processor: plain Rust.
    Scalar = 4,
}

/// 0: not chosen yet.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl Path {
    /// All paths, fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Scalar];

    /// The name that `NEWLEAF_SIMD` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }

    /// Whether this processor has the instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true, // part of the base instruction set
            Self::Scalar => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// What `NEWLEAF_SIMD` asks for, if it is set.
    ///
    /// # Errors
    /// If that is no path, or this processor does not have the instructions; the message says what it has.
    pub fn requested() -> Result<Option<Self>, String> {
        let Some(asked) = std::env::var_os("NEWLEAF_SIMD").filter(|asked| !asked.is_empty()) else {
            return Ok(None);
        };
        let usable = || Self::ALL.into_iter().filter(|path| path.is_available());
        usable().find(|path| asked == path.name()).map(Some).ok_or_else(|| {
            let names: Vec<_> = usable().map(Self::name).collect();
            format!("NEWLEAF_SIMD={}: expected one of {}", asked.to_string_lossy(), names.join(", "))
        })
    }

    /// The path in use: what `NEWLEAF_SIMD` asks for, else the fastest. Where it asks for what this processor
    /// does not have, the fastest too, with a warning on stderr; programs refuse that first ([`Self::requested`]).
    #[must_use]
    pub fn current() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        if let Some(path) = Self::ALL.into_iter().find(|path| *path as u8 == chosen) {
            return path;
        }
        let requested = Self::requested().unwrap_or_else(|problem| {
            eprintln!("warning: {problem}");
            None
        });
        let path = requested
            .or_else(|| Self::ALL.into_iter().find(|path| path.is_available()))
            .unwrap_or(Self::Scalar);
        CHOSEN.store(path as u8, Ordering::Relaxed);
        path
    }

    /// Makes the whole process use this path from now on. For tests and benches, which compare paths.
    ///
    /// # Panics
    /// If this processor does not have the instructions.
    pub fn force(self) {
        assert!(self.is_available(), "this processor has no {self}");
        CHOSEN.store(self as u8, Ordering::Relaxed);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Runs `work` on every path that this processor has, one test at a time: the path is the whole process's.
#[cfg(test)]
pub(crate) fn on_every_path(mut work: impl FnMut(Path)) {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = Path::current();
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        path.force();
        work(path);
    }
    before.force();
}

/// Runs a kernel on the current path.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY (all arms): `Path::current` only answers paths for which `is_available` asked the processor.
    match Path::current() {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { avx512::run(kernel) },
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { avx2::run(kernel) },
        #[cfg(target_arch = "aarch64")]
        Path::Neon => unsafe { neon::run(kernel) },
        _ => unsafe { scalar::run(kernel) },
    }
}
