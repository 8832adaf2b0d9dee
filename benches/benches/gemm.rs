//! Matrix products in the shapes of training: ours beside the crate `matrixmultiply`, called through ndarray.

use benches::alternate::{Comparison, alternate};
use benches::{machine, measure, samples, table};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use tensor::AlignedVec;
use tensor::kernels::gemm::{Init, Mat, gemm};

/// C (M, N) = A (M, K) B (K, N), with A or B stored transposed, as the three products of a linear layer are.
#[derive(Clone, Copy)]
enum Kind {
    /// y = x W^T
    Forward,
    /// dx = dy W
    Input,
    /// dW = dy^T x
    Weight,
}

/// The linear layers of one step: rows, inputs, outputs.
const LAYERS: [(&str, usize, usize, usize); 8] = [
    ("nano-cpu c_attn", 768, 128, 384),
    ("nano-cpu c_fc", 768, 128, 512),
    ("nano-cpu mlp.c_proj", 768, 512, 128),
    ("nano-cpu lm_head", 768, 128, 65),
    ("baby c_attn", 2048, 384, 1152),
    ("baby c_fc", 2048, 384, 1536),
    ("baby mlp.c_proj", 2048, 1536, 384),
    ("baby lm_head", 2048, 384, 65),
];

fn main() {
    machine::in_pool(|| {
        machine::describe();
        for threads in [1, rayon::current_num_threads()] {
            machine::pool(threads).install(|| compare(threads));
            if rayon::current_num_threads() == 1 {
                break;
            }
        }
        let mut criterion = measure::criterion();
        let mut group = measure::group(&mut criterion, "gemm");
        for (name, product) in products() {
            let [a, b, mut c] = product.inputs();
            let (a, b) = product.mats(&a, &b);
            measure::series(&mut group, &name, || gemm(&mut c, a, b, Init::Zero));
        }
        group.finish();
        criterion.final_summary();
    });
}

/// All products by name.
fn products() -> Vec<(String, Product)> {
    let mut products =
        vec![("1024 cube".to_string(), Product { m: 1024, n: 1024, k: 1024, kind: Kind::Input })];
    for (name, rows, inputs, outputs) in LAYERS {
        let product = |m, n, k, kind| Product { m, n, k, kind };
        products.push((format!("{name} y"), product(rows, outputs, inputs, Kind::Forward)));
        products.push((format!("{name} dx"), product(rows, inputs, outputs, Kind::Input)));
        products.push((format!("{name} dW"), product(outputs, inputs, rows, Kind::Weight)));
    }
    products
}

/// Times all products against `matrixmultiply` and prints a table.
fn compare(threads: usize) {
    let mut rows = Vec::new();
    for (name, product) in
        products().into_iter().filter(|(name, _)| measure::is_wanted(&format!("gemm/{name}")))
    {
        let Product { m, n, k, .. } = product;
        let flops = 2.0 * (m * n * k) as f64;
        let both = product.compare();
        rows.push(vec![
            name,
            format!("{m} {n} {k}"),
            table::time(both.median_a()),
            table::giga(flops, both.median_a()),
            table::giga(flops, both.median_b()),
            format!("{:.2}", both.ratio()),
        ]);
    }
    let header = ["product", "M N K", "ours", "GFLOP/s", "matrixmultiply GFLOP/s", "time ratio"];
    table::print(&format!("Threads: {threads}. Ratio: ours / matrixmultiply, alternating."), &header, &rows);
}

#[derive(Clone, Copy)]
struct Product {
    m: usize,
    n: usize,
    k: usize,
    kind: Kind,
}

impl Product {
    fn inputs(&self) -> [AlignedVec; 3] {
        let Self { m, n, k, .. } = *self;
        [samples::floats(m * k, 1), samples::floats(k * n, 2), AlignedVec::zeros(m * n)]
    }

    fn mats<'a>(&self, a: &'a [f32], b: &'a [f32]) -> (Mat<'a>, Mat<'a>) {
        let Self { m, n, k, kind } = *self;
        match kind {
            Kind::Forward => (Mat::new(a, m, k), Mat::new(b, n, k).t()),
            Kind::Input => (Mat::new(a, m, k), Mat::new(b, k, n)),
            Kind::Weight => (Mat::new(a, k, m).t(), Mat::new(b, k, n)),
        }
    }

    fn views<'a>(&self, a: &'a [f32], b: &'a [f32]) -> (ArrayView2<'a, f32>, ArrayView2<'a, f32>) {
        let Self { m, n, k, kind } = *self;
        let view = |data, rows, cols| ArrayView2::from_shape((rows, cols), data).expect("row-major");
        match kind {
            Kind::Forward => (view(a, m, k), view(b, n, k).reversed_axes()),
            Kind::Input => (view(a, m, k), view(b, k, n)),
            Kind::Weight => (view(a, k, m).reversed_axes(), view(b, k, n)),
        }
    }

    /// Checks that both give the same product, then times them.
    fn compare(&self) -> Comparison {
        let [a, b, mut ours] = self.inputs();
        let mut theirs = ours.clone();
        let ((a1, b1), (a2, b2)) = (self.mats(&a, &b), self.views(&a, &b));
        gemm(&mut ours, a1, b1, Init::Zero);
        reference(&mut theirs, self.n, a2, b2);
        let error = samples::difference(&ours, &theirs);
        assert!(error < 1e-5, "the products differ by {error:e} of the largest element");
        let ours = || gemm(&mut ours, a1, b1, Init::Zero);
        alternate(measure::budget(0.5), ours, || reference(&mut theirs, self.n, a2, b2))
    }
}

/// `matrixmultiply` through ndarray. It is called with one block of rows for each thread.
fn reference(c: &mut [f32], n: usize, a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) {
    let rows = a.nrows().div_ceil(rayon::current_num_threads());
    let part = |(c, a): (&mut [f32], ArrayView2<'_, f32>)| {
        let mut c = ArrayViewMut2::from_shape((a.nrows(), n), c).expect("row-major");
        general_mat_mul(1.0, &a, &b, 0.0, &mut c);
    };
    if rows == a.nrows() {
        return part((c, a));
    }
    let parts: Vec<_> = c.chunks_mut(rows * n).zip(a.axis_chunks_iter(Axis(0), rows)).collect();
    parts.into_par_iter().with_max_len(1).for_each(part);
}
