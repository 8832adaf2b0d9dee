//! The kernels on random shapes, large ones too, against their formulas in f64.
//!
//! `SHAPES=10000 cargo test --release -p tensor --test all shapes::` is the long run.
//!
//! `registry.rs` compares every operation with its definition, but in small: matrix products to 36 by 20 by 40,
//! rows to 40 wide, sequences to 17. For what is only reached through operations and has no larger structure
//! (element-wise functions, reshapes, dropout, `softmax` and the like inside of 40 columns) more `CASES` there
//! are enough. Here are the kernels with blocks, panels and chunks, at sizes on both sides of each of them, and
//! those that no operation calls (`matvec`, `decode`).
//!
//! **The bound** of each element is 1e-5 of the largest magnitude of the result (`gradcheck::TOLERANCE`), plus what
//! f32 costs in this very computation: [`F`] computes in f64 and carries beside each value the error that the
//! same steps could have made in f32, to first order: 2^-24 of the magnitude of every partial result, times what
//! later steps multiply it with (J. H. Wilkinson's running error analysis). For a sum of n terms that is the
//! sum of the magnitudes of its n partial sums. The kernels add in other orders, in sixteen lanes, which makes
//! their partial sums smaller. A sum that nearly cancels is thus held to its terms, and not to what is left.

mod attention;
mod elementwise;
mod products;
mod random;
mod rows;
mod running_error;
