# What continuous integration runs, one target a step. `make check` runs them all.

.PHONY: check format lint test docs targets examples benches smoke long

check: format lint test docs targets examples benches smoke

# Every file by name: `cargo fmt` does not see modules that a macro declares.
format:
	rustfmt --edition 2024 --check $$(git ls-files '*.rs')

lint:
	cargo clippy --workspace --all-targets -- -D warnings

# The README's test command, on one thread and on several: the results may not differ.
test:
	RAYON_NUM_THREADS=1 cargo test --workspace
	RAYON_NUM_THREADS=4 cargo test --workspace

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Other systems, and the library in a browser: checked, not linked. A target that cannot be installed is named and left out.
targets:
	for target in x86_64-pc-windows-gnu aarch64-apple-darwin wasm32-unknown-unknown; do \
	  if ! rustup target add $$target >/dev/null 2>&1; then \
	    echo "targets: $$target is not installed and rustup cannot install it: NOT CHECKED"; continue; \
	  fi; \
	  case $$target in \
	    wasm32-*) cargo check --target $$target --no-default-features -p tensor -p nn -p data -p gpt ;; \
	    *) cargo check --target $$target --workspace ;; \
	  esac || exit 1; \
	done

examples:
	for example in 01_by_hand 02_tape 03_your_own_op 04_bigram 05_char_gpt 06_sample 07_speedrun 08_scaling \
	  09_sentiment 10_lora 11_few_shot 12_translation 13_chatbot; do \
	  NEWLEAF_EXAMPLE_STEPS=20 cargo run --release -q -p examples --example $$example > /dev/null || exit 1; \
	done

# Built, not run: nothing here depends on how fast a machine is.
benches:
	cargo build --release -p benches -p experiments --benches --bins

# The program itself, for a few seconds, then what it made.
smoke:
	rm -rf target/smoke
	cargo run --release -q -- train --max-iters 60 --eval-interval 30 --out target/smoke
	cargo run --release -q -- sample --model target/smoke --max-new-tokens 80
	cargo run --release -q -- eval --model target/smoke --data datasets/stories-en.txt --json
	cargo run --release -q -- info target/smoke

# Slow proofs, run by hand: see CONTRIBUTING.md.
long:
	CASES=4096 cargo test --release -p tensor --test all registry::
	for path in avx512 avx2 scalar; do NEWLEAF_SIMD=$$path cargo run --release -q -- info && NEWLEAF_SIMD=$$path cargo test --release -p tensor -p nn -p gpt || exit 1; done
