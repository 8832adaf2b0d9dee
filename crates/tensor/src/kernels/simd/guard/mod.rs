//! Every kernel on slices that end, or begin, at a page that nobody may touch.
//!
//! A kernel that reads one float too far usually gets away with it: there is other memory of the process.
//! Here there is none, and the processor ends the test at that instruction with a signal. What stays
//! inside of the page is found too: on the open side of each slice lie NaNs that must neither be changed
//! nor reach a result, and every result has the same bits as on ordinary memory, on every path.
//!
//! The walk over all kernels runs in a process of its own: so the test outlives the signal and can say at which
//! kernel it came, and no other test sees the paths change ([`Path::force`] is for the whole process).
//!
//! What the kernels pack into scratch memory of their own is not guarded in this way. Only the tile kernels
//! read it through pointers, and they are run on guarded operands of their own (`products`).

mod attention;
mod elementwise;
mod memory;
mod products;
mod rows;

use super::Path;
use crate::kernels::attention::LADDER;
use attention::{decodes, rungs};
use elementwise::{broadcasts, maps, masks, sums_of_squares};
use memory::{Bench, no_core_file};
use products::{feed_forwards, gemms, int8_products, matvecs, products};
use rows::{blends, cross_entropies, embeddings, layer_norms, rms_norms, rotaries, softmaxes, sums_of_rows};
use std::hash::{DefaultHasher, Hasher};
use std::process::Command;

/// How to run the kernels of these names.
struct Case {
    names: &'static [&'static str],
    run: fn(&mut Bench),
}

/// Every kernel.
const CASES: &[Case] = &[
    Case { names: &["simd::product", "simd::tile"], run: products },
    Case { names: &["gemm::gemm"], run: gemms },
    Case { names: &["matvec::matvec"], run: matvecs },
    Case { names: &["int8::matvec_int8", "simd::int8"], run: int8_products },
    Case { names: &["attention"], run: rungs }, // all of LADDER, forward and backward
    Case { names: &["attention::decode::decode"], run: decodes },
    Case {
        names: &[
            "feed_forward::feed_forward_forward",
            "feed_forward::feed_forward_backward",
            "feed_forward::activate",
        ],
        run: feed_forwards,
    },
    Case { names: &["layer_norm::layer_norm_forward", "layer_norm::layer_norm_backward"], run: layer_norms },
    Case { names: &["rms_norm::rms_norm_forward", "rms_norm::rms_norm_backward"], run: rms_norms },
    Case { names: &["blend::blend_forward", "blend::blend_backward"], run: blends },
    Case { names: &["rotary::rotary_forward", "rotary::rotary_backward"], run: rotaries },
    Case { names: &["softmax::softmax_forward", "softmax::softmax_backward"], run: softmaxes },
    Case {
        names: &[
            "cross_entropy::cross_entropy_forward",
            "cross_entropy::add_cross_entropy",
            "cross_entropy::cross_entropy_backward",
            "cross_entropy::cross_entropy_gradient_in_place",
        ],
        run: cross_entropies,
    },
    Case {
        names: &[
            "embedding::gather_rows",
            "embedding::gather_rows_with_positions",
            "embedding::scatter_rows",
        ],
        run: embeddings,
    },
    Case { names: &["columns::sum_rows", "rows::add_partials"], run: sums_of_rows },
    Case { names: &["vmath::map", "vmath::map_in_place", "vmath::add_assign", "vmath::scale"], run: maps },
    Case { names: &["vmath::sum_of_squares", "vmath::sum_of_products"], run: sums_of_squares },
    Case { names: &["mask::apply"], run: masks },
    Case { names: &["broadcast::zip", "broadcast::reduce"], run: broadcasts },
];

/// Functions on slices of floats that are no kernels: they only cut.
const NO_KERNELS: &[&str] = &["parallel::for_each_chunk", "vmath::padded"];

/// Runs `work` of this test in a process of its own, whose end this one reports with the last lines it wrote.
fn alone(test: &str, work: impl FnOnce()) {
    const VARIABLE: &str = "TENSOR_TEST_ALONE";
    if std::env::var_os(VARIABLE).is_some() {
        return work();
    }
    let module = module_path!().split_once("::").map_or("", |(_, module)| module);
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).env(VARIABLE, "1");
    let output = command.output();
    // Under an emulator of another processor the program may be unable to start itself.
    let Some(output) = output.ok().filter(|output| output.stdout.starts_with(b"\nrunning 1 test")) else {
        return work();
    };
    let (log, summary) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let last: Vec<_> = log.lines().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(output.status.success(), "{}, after:\n{}", output.status, last.join("\n"));
    assert!(summary.contains("1 passed"), "the test {test} did not run: {summary}");
}

#[test]
fn no_kernel_touches_anything_outside_of_its_slices() {
    alone("no_kernel_touches_anything_outside_of_its_slices", || {
        no_core_file();
        walk();
    });
}

/// Every case on every path.
fn walk() {
    let mut bench = Bench::new();
    let mut first: Option<Vec<u64>> = None;
    let before = Path::current();
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        path.force();
        let mut results = Vec::new();
        for case in CASES {
            eprintln!("{path}: {}", case.names.join(", "));
            (bench.kernel, bench.drawn, bench.results) = (case.names[0], 0, DefaultHasher::new());
            (case.run)(&mut bench);
            results.push(bench.results.finish());
        }
        let first = first.get_or_insert_with(|| results.clone());
        for ((case, first), result) in CASES.iter().zip(first).zip(results) {
            assert_eq!(*first, result, "{:?}: other bits on {path}", case.names);
        }
    }
    before.force();
}

/// A public function that takes floats and stands in no case is a kernel that was forgotten.
#[test]
fn every_kernel_has_a_case() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels");
    let (mut folders, mut found) = (vec![folder.clone()], Vec::new());
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("simd") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = path.strip_prefix(&folder).unwrap().with_extension("");
                let module = module.to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "::");
                let text = std::fs::read_to_string(&path).unwrap();
                let signatures = text.split("\npub fn ").skip(1).map(|f| f.split('{').next().unwrap_or(f));
                let kernels = signatures.filter(|signature| signature.contains("[f32]"));
                found.extend(kernels.map(|f| format!("{module}::{}", f.split(['(', '<']).next().unwrap())));
            }
        }
    }
    let rungs = LADDER
        .iter()
        .flat_map(|rung| ["forward", "backward"].map(|pass| format!("attention::{}::{pass}", rung.name)));
    let names = CASES.iter().flat_map(|case| case.names).chain(NO_KERNELS);
    let known: Vec<_> = names.map(ToString::to_string).chain(rungs).collect();
    assert!(found.len() > 20, "{found:?}");
    let forgotten: Vec<_> = found.iter().filter(|name| !known.contains(name)).collect();
    assert!(forgotten.is_empty(), "write a case for {forgotten:?} in {}", file!());
}
