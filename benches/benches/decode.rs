//! Tokens a second, written one by one with a cache of keys and values.
//!
//! `NEWLEAF_BENCH_GPT2=1` adds the shape of GPT-2 with its 124 million parameters (half a gigabyte of random
//! weights, some seconds to make).

use benches::decoding::Writer;
use benches::{machine, measure, samples, table};
use gpt::config::GptConfig;

fn main() {
    machine::in_pool(|| {
        machine::describe();
        let nano_cpu = samples::config("nano-cpu").expect("one of ours").model;
        let tokens = nano_cpu.block_size - 1;
        let mut shapes = vec![("nano-cpu 4/4/128", nano_cpu, tokens)];
        if std::env::var_os("NEWLEAF_BENCH_GPT2").is_some_and(|value| value != "0") {
            shapes.push(("GPT-2 12/12/768", GptConfig::gpt2(), 32));
        }
        let mut criterion = measure::criterion();
        let mut group = measure::group(&mut criterion, "decode");
        let mut rows = Vec::new();
        for (name, config, tokens) in shapes {
            for (weights, writer) in [("f32", Writer::new(&config)), ("int8", Writer::new(&config).in_int8())]
            {
                let work = || assert_eq!(std::hint::black_box(writer.write(tokens)).len(), tokens);
                let name = format!("{name} {weights}");
                if let Some(seconds) = measure::series(&mut group, &format!("{name}, {tokens} tokens"), work)
                {
                    let rate = tokens as f64 / seconds;
                    rows.push(vec![name, tokens.to_string(), table::time(1.0 / rate), format!("{rate:.0}")]);
                }
            }
        }
        group.finish();
        table::print(
            "Greedy, after a prompt of one token.",
            &["model", "tokens", "a token", "tokens/s"],
            &rows,
        );
        criterion.final_summary();
    });
}
