use super::set::edit_distance;
use super::settings::MAX_BETA2_TOKENS;
use super::*;

#[test]
fn presets_are_found_by_name_and_valid() {
    for preset in Preset::ALL {
        assert_eq!(Preset::from_name(preset.name()).unwrap(), preset);
        preset.config(65).validate().unwrap();
    }
    assert_eq!(Preset::from_name("nano_cpu").unwrap(), Preset::NanoCpu);
    let error = Preset::from_name("huge").unwrap_err().to_string();
    assert!(error.contains("huge") && error.contains("nano-cpu, baby, shakespeare"), "{error}");
}

/// Whatever the batch, a squared gradient counts half after the same tokens.
#[test]
fn beta2_by_its_half_life() {
    let mut train = Preset::NanoCpu.config(65).train;
    assert_eq!(train.beta2_of(768), 0.99);
    train.beta2_tokens = Some(1 << 20);
    for batch_tokens in [1 << 8, 1 << 12, 1 << 17] {
        let updates = (1 << 20) / batch_tokens;
        let left = (0..updates).fold(1.0, |left, _| left * train.beta2_of(batch_tokens));
        assert!((left - 0.5_f64).abs() < 1e-9, "{batch_tokens}: {left}");
    }
    assert!((train.beta2_of(1 << 20) - 0.5).abs() < 1e-15);
    // 0.95 with batches of 4,096 tokens is 0.9873 with batches of 1,024.
    train.beta2_tokens = Some((4096.0 * 0.5_f64.ln() / 0.95_f64.ln()).round() as u64);
    assert!((train.beta2_of(1024) - 0.95_f64.sqrt().sqrt()).abs() < 1e-6);
}

#[test]
fn windows_double_in_equal_times() {
    let mut train = Preset::Baby.config(65).train;
    assert_eq!(train.seq_len(256, 0), 256);
    (train.seq_len_warmup, train.seq_len_start) = (400, 32);
    let lengths = [0, 133, 134, 266, 267, 399, 400, u64::MAX].map(|iter| train.seq_len(256, iter));
    assert_eq!(lengths, [32, 32, 64, 64, 128, 128, 256, 256]);
    train.seq_len_start = 256;
    assert_eq!(train.seq_len(256, 0), 256);
}

#[test]
fn the_stable_part_ends_where_the_decay_begins() {
    let mut train = Preset::NanoCpu.config(65).train;
    assert_eq!(train.decay_start(), 1600);
    train.lr_decay_iters = Some(1000);
    assert_eq!(train.decay_start(), 800);
    train.decay_frac = 1.0;
    assert_eq!(train.decay_start(), train.warmup_iters);
    train.decay_frac = 0.0;
    assert_eq!(train.decay_start(), 1000);
}

#[test]
fn a_config_survives_json_to_the_last_bit() {
    let mut config = Preset::Baby.config(5000);
    config.train.learning_rate = 0.1 + 0.2; // 0.30000000000000004
    config.train.seed = u64::MAX;
    config.model.norm_eps = f32::from_bits(0x3727_c5ad);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
    assert!(json.contains(r#""schedule":"cosine""#) && json.contains(r#""sampler":"crop""#), "{json}");
}

#[test]
fn unknown_fields_are_refused_and_newer_ones_have_defaults() {
    let minimal =
        r#"{"n_layer":1,"n_head":1,"n_embd":4,"block_size":8,"vocab_size":3,"dropout":0,"bias":true"#;
    let config: GptConfig = serde_json::from_str(&format!("{minimal}}}")).unwrap();
    assert!(config.tied && config.activation == Activation::Gelu && config.norm == Norm::LayerNorm);
    let error = serde_json::from_str::<GptConfig>(&format!(r#"{minimal},"n_layers":2}}"#)).unwrap_err();
    assert!(error.to_string().contains("n_layers"), "{error}");
}

/// What the first version wrote, all of which is required; a setting that came later has its default.
#[test]
fn files_of_the_first_version_are_read() {
    let model =
        r#"{"n_layer":1,"n_head":1,"n_embd":4,"block_size":8,"vocab_size":3,"dropout":0.1,"bias":true}"#;
    let train = r#"{"max_iters":9,"batch_size":2,"learning_rate":0.1,"min_lr":0.0,"warmup_iters":0,"schedule":"linear",
        "optimizer":"sgd","weight_decay":0.0,"beta1":0.5,"beta2":0.5,"eps":1.0,"grad_clip":0.0,"eval_interval":1,
        "eval_iters":1,"seed":18446744073709551615,"sampler":"epoch","checkpoint_interval":1,"keep_checkpoints":3,
        "log_interval":1}"#;
    fn each<T: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str, expected: T) {
        assert_eq!(serde_json::from_str::<T>(text).unwrap(), expected);
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
        let message = |fields: &serde_json::Map<_, _>| {
            serde_json::from_str::<T>(&serde_json::to_string(fields).unwrap()).unwrap_err().to_string()
        };
        for name in fields.keys() {
            let mut without = fields.clone();
            without.shift_remove(name);
            assert!(message(&without).contains(&format!("missing field `{name}`")), "{name}");
            without.insert(name.clone(), serde_json::Value::Null);
            assert!(!message(&without).contains("missing field"), "{name} is null");
        }
        let first = &text[1..text.find(',').unwrap()];
        let twice = serde_json::from_str::<T>(&text.replacen('{', &format!("{{{first},"), 1)).unwrap_err();
        assert!(twice.to_string().contains("duplicate field"), "{twice}");
    }
    let mut expected = Preset::NanoCpu.config(3);
    let c = &mut expected.model;
    (c.n_layer, c.n_head, c.n_embd, c.block_size, c.dropout, c.bias) = (1, 1, 4, 8, 0.1, true);
    let c = &mut expected.train;
    (c.max_iters, c.batch_size, c.learning_rate, c.min_lr, c.warmup_iters) = (9, 2, 0.1, 0.0, 0);
    (c.schedule, c.optimizer, c.weight_decay, c.beta1) = (Schedule::Linear, Optimizer::Sgd, 0.0, 0.5);
    (c.beta2, c.eps, c.grad_clip, c.eval_interval, c.eval_iters) = (0.5, 1.0, 0.0, 1, 1);
    (c.seed, c.sampler, c.checkpoint_interval, c.keep_checkpoints) = (u64::MAX, SamplingMode::Epoch, 1, 3);
    (c.log_interval, c.lr_decay_iters) = (1, None);
    each(model, expected.model);
    each(train, expected.train);
}

#[test]
fn every_field_can_be_set_and_is_listed() {
    let config = Preset::NanoCpu.config(65);
    let json = serde_json::to_value(&config).unwrap();
    let mut listed = FIELDS.iter();
    for (group, part) in [(Group::Model, "model"), (Group::Train, "train")] {
        for (name, value) in json[part].as_object().unwrap() {
            let field = listed.next().unwrap();
            assert_eq!((field.name, field.group), (name.as_str(), group));
            let mut changed = config.clone();
            // Set to another value, then back: only this field may have moved.
            let other = match value {
                serde_json::Value::Bool(b) => (!b).to_string(),
                serde_json::Value::String(_) => {
                    ["relu2", "rms_norm", "linear", "sgd", "epoch", "rope", "mlm", "1,0,0"]
                        .into_iter()
                        .find(|text| changed.set(name, text).is_ok())
                        .unwrap()
                        .to_string()
                }
                _ => "7".to_string(),
            };
            changed.set(name, &other).unwrap();
            assert_ne!(changed, config, "{name}");
            let text = match value {
                serde_json::Value::Null => "none".to_string(),
                serde_json::Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            changed.set(&format!("--{}", name.replace('_', "-")), &text).unwrap();
            assert_eq!(changed, config, "{name}");
        }
    }
    assert_eq!(listed.next(), None);
}

#[test]
fn unknown_names_and_unreadable_values_are_explained() {
    let mut config = Preset::NanoCpu.config(65);
    let before = config.clone();
    let mut message = |name: &str, value: &str| config.set(name, value).unwrap_err().to_string();
    assert!(message("n_layers", "2").contains("did you mean n_layer?"));
    assert!(message("lerning-rate", "2").contains("learning_rate"));
    assert!(message("batch", "2").contains("batch_size, micro_batch"));
    assert!(message("zzzzzzzz", "2").contains("expected one of n_layer, n_head"));
    assert!(message(&"x".repeat(100_000), "2").contains("expected one of"));
    assert!(message("n_layer", "two").contains(r#"n_layer is "two": expected a whole number"#));
    assert!(message("n_layer", "-2").contains("whole number"));
    assert!(message("dropout", "").contains("a number"));
    assert!(message("activation", "relu").contains("gelu, gelu_tanh, relu2, swiglu"));
    assert!(message("patience", "x").contains("or none"));
    assert!(message("bias", "maybe").contains("true or false"));
    assert_eq!(config, before);
}

#[test]
fn edit_distances() {
    assert_eq!(edit_distance("kitten", "sitting"), 3);
    assert_eq!(edit_distance("", "abc"), 3);
    assert_eq!(edit_distance("abc", "abc"), 0);
}

/// The fields named in the error of a changed preset.
fn problems(change: impl FnOnce(&mut Config)) -> Vec<&'static str> {
    let mut config = Preset::NanoCpu.config(65);
    change(&mut config);
    match config.validate() {
        Ok(()) => vec![],
        Err(ConfigError::Invalid(problems)) => problems.iter().map(|p| p.field).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn each_bad_value_is_named() {
    assert_eq!(problems(|_| ()), [""; 0]);
    assert_eq!(problems(|c| c.model.n_head = 3), ["n_embd"]);
    assert_eq!(problems(|c| c.model.n_layer = 0), ["n_layer"]);
    assert_eq!(problems(|c| c.model.n_layer = MAX_N_LAYER + 1), ["n_layer"]);
    assert_eq!(problems(|c| c.model.n_embd = 131_072), ["n_embd"]);
    assert_eq!(problems(|c| c.model.vocab_size = 1_000_001), ["vocab_size"]);
    assert_eq!(problems(|c| c.model.block_size = usize::MAX), ["block_size"]);
    for dropout in [1.0, -0.1, f32::NAN] {
        assert_eq!(problems(|c| c.model.dropout = dropout), ["dropout"]);
    }
    assert_eq!(problems(|c| c.model.attn_dropout = Some(1.0)), ["attn_dropout"]);
    assert_eq!(problems(|c| c.model.norm_eps = 0.0), ["norm_eps"]);
    assert_eq!(problems(|c| c.model.n_kv_head = Some(2)), [""; 0]);
    for heads in [0, 3, 8] {
        assert_eq!(problems(|c| c.model.n_kv_head = Some(heads)), ["n_kv_head"]);
    }
    assert_eq!(
        problems(|c| (c.model.position, c.model.n_embd, c.model.n_head) = (Position::Rope, 12, 4)),
        ["position"]
    );
    assert_eq!(problems(|c| c.model.rope_base = 1.0), ["rope_base"]);
    assert_eq!(problems(|c| c.model.window = Some(0)), ["window"]);
    assert_eq!(problems(|c| c.model.soft_cap = f32::NAN), ["soft_cap"]);
    for ngram in [1, MAX_NGRAM + 1, usize::MAX] {
        assert_eq!(problems(|c| c.model.ngram = ngram), ["ngram"]);
    }
    assert_eq!(problems(|c| c.model.ngram_rows = 0), ["ngram_rows"]);
    assert_eq!(problems(|c| c.model.ngram_dropout = 1.0), ["ngram_dropout"]);
    assert_eq!(problems(|c| c.train.max_iters = 0), ["max_iters", "warmup_iters"]);
    assert_eq!(problems(|c| c.train.micro_batch = Some(13)), ["micro_batch"]);
    assert_eq!(problems(|c| c.train.micro_batch = Some(0)), ["micro_batch"]);
    assert_eq!(problems(|c| c.train.batch_size = 0), ["batch_size"]);
    for lr in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(problems(|c| c.train.learning_rate = lr).contains(&"learning_rate"), "{lr}");
    }
    assert_eq!(problems(|c| c.train.min_lr = 1.0), ["min_lr"]);
    assert_eq!(problems(|c| c.train.min_lr = f64::NAN), ["min_lr"]);
    assert_eq!(problems(|c| c.train.warmup_iters = 2000), ["warmup_iters", "lr_decay_iters"]);
    assert_eq!(problems(|c| c.train.lr_decay_iters = Some(100)), ["lr_decay_iters"]);
    assert_eq!(problems(|c| c.train.beta1 = 1.0), ["beta1"]);
    assert_eq!(problems(|c| c.train.beta2 = f64::NAN), ["beta2"]);
    assert_eq!(problems(|c| c.train.eps = 0.0), ["eps"]);
    assert_eq!(problems(|c| c.train.weight_decay = -0.1), ["weight_decay"]);
    assert_eq!(problems(|c| c.train.grad_clip = f64::INFINITY), ["grad_clip"]);
    assert_eq!(problems(|c| c.train.muon_momentum = 1.0), ["muon_momentum"]);
    assert_eq!(problems(|c| c.train.ema = 1.0), ["ema"]);
    assert_eq!(problems(|c| (c.train.seq_len_warmup, c.train.seq_len_start) = (9, 24)), ["seq_len_start"]);
    assert_eq!(problems(|c| (c.train.seq_len_warmup, c.train.seq_len_start) = (9, 0)), ["seq_len_start"]);
    assert_eq!(problems(|c| (c.train.seq_len_warmup, c.train.seq_len_start) = (9, 16)), [""; 0]);
    assert_eq!(problems(|c| c.train.mask_rate = 0.0), ["mask_rate"]);
    assert_eq!(problems(|c| c.train.span_mean = f64::NAN), ["span_mean"]);
    assert_eq!(problems(|c| c.train.span_length = Some(0)), ["span_length"]);
    assert_eq!(problems(|c| c.train.fim_rate = 1.5), ["fim_rate"]);
    let mlm = || "mlm".parse().expect("an objective");
    assert_eq!(problems(|c| c.train.objective = mlm()), [""; 0]);
    assert_eq!(problems(|c| (c.train.objective, c.train.seq_len_warmup) = (mlm(), 9)), ["seq_len_warmup"]);
    assert_eq!(problems(|c| (c.train.documents, c.train.seq_len_warmup) = (true, 9)), ["seq_len_warmup"]);
    assert_eq!(problems(|c| c.train.spike_guard = -1.0), ["spike_guard"]);
    for tokens in [0, MAX_BETA2_TOKENS + 1, u64::MAX] {
        assert_eq!(problems(|c| c.train.beta2_tokens = Some(tokens)), ["beta2_tokens"]);
    }
    assert_eq!(problems(|c| c.train.decay_frac = 1.5), ["decay_frac"]);
    assert_eq!(problems(|c| c.train.muon_iters = 0), ["muon_iters"]);
    assert_eq!(problems(|c| c.train.muon_lr = 0.0), ["muon_lr"]);
    assert_eq!(problems(|c| c.train.label_smoothing = 1.0), ["label_smoothing"]);
    assert_eq!(problems(|c| c.train.z_loss = f32::INFINITY), ["z_loss"]);
    assert_eq!(problems(|c| c.train.patience = Some(0)), ["patience"]);
    assert_eq!(problems(|c| c.train.keep_checkpoints = 1), ["keep_checkpoints"]);
    assert_eq!(problems(|c| c.train.checkpoint_minutes = f64::NAN), ["checkpoint_minutes"]);
    assert_eq!(problems(|c| c.train.eval_interval = 0), ["eval_interval"]);
}

#[test]
fn all_problems_come_at_once_with_value_and_remedy() {
    let mut config = Preset::NanoCpu.config(65);
    config.model.n_embd = 130;
    config.train.learning_rate = -1.0;
    let message = config.validate().unwrap_err().to_string();
    for part in ["n_embd is 130", "multiple of n_head (4)", "--n-embd 128 or 132", "learning_rate is -1"] {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

/// docs/settings.md is this table. After a change of a setting:
/// `NEWLEAF_WRITE_DOCS=1 cargo test -p gpt --lib settings_are_documented`
#[test]
fn settings_are_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
    let (expected, found) = (documentation(), std::fs::read_to_string(path).unwrap_or_default());
    if std::env::var_os("NEWLEAF_WRITE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    } else {
        let differs = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
        assert!(expected == found, "docs/settings.md is stale (see this test): {differs:?}");
    }
}

fn documentation() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         Each is a flag of `newleaf train` and of the commands that train: `--n-layer 6` or `--n_layer 6`. A preset is the\n\
         default and what its column says. What settings cannot be together is said, all at once, before anything is\n\
         trained. This page is written by a test from `crates/gpt/src/config/settings.rs`.\n",
    );
    let values = |config: Config| config.model.values().into_iter().chain(config.train.values());
    let usual = values(Config { model: GptConfig::default(), train: TrainConfig::default() });
    let presets = Preset::ALL.map(|preset| values(preset.config(0)).collect::<Vec<_>>());
    let shown = |value: &str| value.trim_matches('"').replace("null", "none");
    let names = Preset::ALL.map(Preset::name).join(" | ");
    let mut heading = None;
    for (i, (field, (name, default))) in FIELDS.iter().zip(usual).enumerate() {
        assert_eq!(field.name, name);
        if heading.replace(field.group) != Some(field.group) {
            text += match field.group {
                Group::Model => "\n## The model\n",
                Group::Train => "\n## The training\n",
            };
            text += &format!("\n| setting | default | {names} | what it is |\n|---|---|---|---|---|---|\n");
        }
        let of_preset = presets.each_ref().map(|all| match &all[i].1 {
            value if *value == default => String::new(),
            value => shown(value),
        });
        text += &format!("| `{name}` | {} | {} | {} |\n", shown(&default), of_preset.join(" | "), field.help);
    }
    text
}
