//! The same numbers as transformers' Llama and Qwen3: logits, loss and every gradient of two layers each, with RMSNorm,
//! rotary positions, SwiGLU, fewer heads of keys and values than of queries, and norms of queries and keys.
//!
//! The fixtures hold numbers that `fixtures/make_llama.py` computed with transformers, under its names of the
//! parameters. No Python is needed here.

use crate::parity::{Fixture, assert_close, largest};
use gpt::Gpt;
use gpt::config::{Activation, GptConfig, Norm, Position};
use random::{Rng, Stream};
use serde::Deserialize;
use tensor::{Grads, Params, Tape, Workspace};

#[derive(Deserialize)]
struct Settings {
    n_layer: usize,
    n_head: usize,
    n_kv_head: usize,
    n_embd: usize,
    block_size: usize,
    vocab_size: usize,
    tied: bool,
    norm_eps: f32,
    rope_base: f64,
    qk_norm: bool,
}

impl Settings {
    fn config(&self) -> GptConfig {
        GptConfig {
            n_layer: self.n_layer,
            n_head: self.n_head,
            n_kv_head: Some(self.n_kv_head),
            n_embd: self.n_embd,
            block_size: self.block_size,
            vocab_size: self.vocab_size,
            tied: self.tied,
            norm_eps: self.norm_eps,
            rope_base: self.rope_base,
            qk_norm: self.qk_norm,
            position: Position::Rope,
            norm: Norm::RmsNorm,
            activation: Activation::Swiglu,
            bias: false,
            dropout: 0.0,
            ..GptConfig::default()
        }
    }
}

/// What transformers calls a parameter of ours. Of several names the rows lie one above the other: queries, keys and values
/// in `c_attn`, gate and up in `c_fc`.
fn theirs(name: &str) -> Vec<String> {
    let (layer, name) = match name.strip_prefix("h.").and_then(|rest| rest.split_once('.')) {
        Some((layer, rest)) => (format!("model.layers.{layer}."), rest),
        None => (String::new(), name),
    };
    let names: &[&str] = match name {
        "wte.weight" => &["model.embed_tokens"],
        "ln_f.weight" => &["model.norm"],
        "lm_head.weight" => &["lm_head"],
        "ln_1.weight" => &["input_layernorm"],
        "ln_2.weight" => &["post_attention_layernorm"],
        "attn.c_attn.weight" => &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "attn.c_proj.weight" => &["self_attn.o_proj"],
        "mlp.c_fc.weight" => &["mlp.gate_proj", "mlp.up_proj"],
        "mlp.c_proj.weight" => &["mlp.down_proj"],
        other => panic!("{other}: no such parameter in Llama"),
    };
    names.iter().map(|name| format!("{layer}{name}.weight")).collect()
}

/// The numbers of a parameter of ours: `kind` is `param` or `grad`.
fn floats(fixture: &Fixture, kind: &str, name: &str) -> Vec<f32> {
    theirs(name).iter().flat_map(|name| fixture.floats(&format!("{kind}.{name}"))).collect()
}

#[test]
fn logits_loss_and_every_gradient_of_llama_and_qwen3() {
    for name in ["llama", "qwen3"] {
        let fixture = Fixture::read(&format!("{name}.safetensors"));
        let config = fixture.settings::<Settings>().config();
        let mut params = Params::new();
        let model = Gpt::new(&config, &mut params, &mut Rng::new(0, Stream::Init));
        let mut used = 0;
        for id in params.ids() {
            let floats = floats(&fixture, "param", params.name(id));
            used += theirs(params.name(id)).len();
            params.data_mut(id).copy_from_slice(&floats);
        }
        assert_eq!(used, fixture.count("param."), "{name}: every parameter of the fixture is one of ours");

        let shape = fixture.shape("ids");
        let (shape, count) = ([shape[0], shape[1]], shape[0] * shape[1]);
        let (workspace, mut grads) = (Workspace::poisoned(), Grads::new(&params));
        let tape = Tape::new(&params, &workspace);
        let logits = model.logits(&fixture.integers("ids"), &mut model.causal(&tape, shape));
        let loss = logits.cross_entropy(&fixture.integers("labels"), &vec![1.0; count], count as f32);
        loss.backward(&mut grads);

        let expected = fixture.floats("logits");
        assert_close(
            &format!("{name}: logits"),
            &logits.read(|x| x.data.to_vec()),
            &expected,
            largest(&expected),
        );
        let expected = fixture.floats("loss");
        assert_close(&format!("{name}: loss"), &[loss.item()], &expected, largest(&expected));
        for id in params.ids() {
            let ours = params.name(id);
            let expected = floats(&fixture, "grad", ours);
            let found = grads.get(id).expect("reached");
            assert_close(&format!("{name}: gradient of {ours}"), found, &expected, largest(&expected));
        }
    }
}
