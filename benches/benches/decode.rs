//! Tokens a second, generated one by one with a cache of keys and values; then what a prompt costs beside a forward pass
//! without a cache, what sequences side by side gain, and the slowest token of a text longer than its context.
//!
//! `NEWLEAF_BENCH_GPT2=1` adds the shape of GPT-2 with its 124 million parameters (half a gigabyte of random
//! weights, some seconds to make).

use benches::alternate::{alternate, median};
use benches::decoding::Writer;
use benches::{machine, measure, samples, table};
use gpt::config::GptConfig;

fn main() {
    machine::in_pool(|| {
        machine::describe();
        let nano_cpu = samples::config("nano-cpu").expect("one of ours").model;
        let tokens = nano_cpu.block_size - 1;
        let mut shapes = vec![("nano-cpu 4/4/128", nano_cpu.clone(), tokens)];
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
        if measure::is_wanted("prompts") {
            prompts_and_sequences(&shapes_of_prompts(&nano_cpu));
        }
    });
}

/// The shapes, each with the tokens of its prompt and of a text that outgrows its context.
fn shapes_of_prompts(nano_cpu: &GptConfig) -> Vec<(&'static str, GptConfig, usize, usize)> {
    let mut shapes = vec![("nano-cpu 4/4/128", nano_cpu.clone(), 48, 3 * nano_cpu.block_size)];
    if std::env::var_os("NEWLEAF_BENCH_GPT2").is_some_and(|value| value != "0") {
        // A context of 128 positions, so that it is soon full.
        shapes.push(("GPT-2 12/12/768", GptConfig::gpt2(), 512, 0));
        shapes.push(("GPT-2, context 128", GptConfig { block_size: 128, ..GptConfig::gpt2() }, 96, 200));
    }
    shapes
}

fn prompts_and_sequences(shapes: &[(&'static str, GptConfig, usize, usize)]) {
    const TEXTS: usize = 8;
    let mut rows = Vec::new();
    for (name, config, prompt, tokens) in shapes {
        let writer = Writer::new(config);
        let prefill = alternate(measure::budget(4.0), || writer.prefill(*prompt), || writer.forward(*prompt));
        let one = || (0..TEXTS).for_each(|_| writer.write_side_by_side(1, 16));
        let together = alternate(measure::budget(4.0), || writer.write_side_by_side(TEXTS, 16), one);
        let seconds = writer.seconds_of_tokens(if measure::is_bench() { *tokens } else { (*tokens).min(2) });
        let slowest = seconds.iter().copied().reduce(f64::max).map(|slowest| slowest / median(&seconds));
        rows.push(vec![
            (*name).to_string(),
            format!("{prompt} tokens, {:.2}", prefill.ratio()),
            format!("{:.2}", 1.0 / together.ratio()),
            slowest.map_or("-".into(), |slowest| format!("{slowest:.2}")),
        ]);
    }
    table::print(
        "Prompts over a forward pass of as many tokens; tokens/s of 8 sequences at once over one after the other; the \
         slowest token over the median, where the text outgrows its context.",
        &["model", "prompt / forward", "8 at once", "slowest / median"],
        &rows,
    );
}
