//! Generating with a cache: one forward for prompts, tokens and sequences side by side, of every model and tuning.

use super::peft::{all, configs, scatter, tuned};
use super::training::{model, variants};
use data::chat::{ChatTemplate, Message, Role};
use data::{CharTokenizer, DataError, Tokenizer};
use gpt::config::GptConfig;
use gpt::generate::{Decoder, Generator, Sampler, Session};
use gpt::{Gpt, config::Preset};
use random::{Rng, Stream};
use tensor::{Params, Tape, Workspace};

const VOCAB: usize = 13;

fn text(len: usize, seed: u64) -> Vec<u32> {
    let mut rng = Rng::new(seed, Stream::Other(0));
    (0..len).map(|_| rng.below(VOCAB as u64) as u32).collect()
}

/// The logits after each token of a text, (T, V), by a forward of all at once.
fn at_once(model: &Gpt, params: &Params, ids: &[u32]) -> Vec<f32> {
    let workspace = Workspace::poisoned();
    let tape = Tape::no_grad(params, &workspace);
    model.logits(ids, &mut model.causal(&tape, [1, ids.len()])).read(|x| x.data.to_vec())
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    let scale = expected.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-5 * scale);
    assert!(close && found.len() == expected.len(), "{what}: {found:?}\n{expected:?}");
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Whatever was tuned generates as it computes: prefixes and prompts are in the cache, adapters in their layers, changes of
/// weights wherever the weights are used. Token by token, in one piece, in two.
#[test]
fn every_tuned_model_generates() {
    for config in configs() {
        for method in all() {
            let (model, mut params) = tuned(&config, method);
            scatter(&mut params, &mut Rng::new(9, Stream::Init), |_| true);
            let ids = text(model.max_tokens(&params), 5);
            let expected = at_once(&model, &params, &ids);
            let row = |t: usize| &expected[t * VOCAB..(t + 1) * VOCAB];
            let mut one_by_one = Decoder::new(&model, &params);
            for (t, &id) in ids.iter().enumerate() {
                assert_close(&format!("{method}, position {t}"), one_by_one.push(id), row(t));
            }
            for cut in [0, 1, ids.len() / 2] {
                let mut decoder = Decoder::new(&model, &params);
                decoder.push_all(&ids[..cut]);
                assert_close(method, decoder.push_all(&ids[cut..]), row(ids.len() - 1));
            }
            // Beyond the context: half of it is computed again, behind the prompt or prefix.
            let kept = &ids[ids.len().div_ceil(2)..];
            let next = at_once(&model, &params, &[kept, &[1]].concat());
            assert_close(method, one_by_one.push(1), &next[kept.len() * VOCAB..]);
        }
    }
}

/// A sequence has the same bits whoever is beside it, and however long the others are.
#[test]
fn sequences_side_by_side_have_the_bits_of_each_alone() {
    for config in variants() {
        let (model, params) = model(&config);
        let start = |i: usize| {
            let mut decoder = Decoder::new(&model, &params);
            decoder.push_all(&text(1 + 2 * i, i as u64));
            decoder
        };
        let mut together: Vec<Decoder<'_>> = (0..4).map(start).collect();
        let mut alone = together.clone();
        for step in 0..12 {
            let tokens: Vec<u32> = (0..4).map(|i| (i + step) % VOCAB as u32).collect();
            Decoder::push_each(&mut together.iter_mut().collect::<Vec<_>>(), &tokens);
            for ((together, alone), &token) in together.iter().zip(&mut alone).zip(&tokens) {
                assert_eq!(bits(together.logits()), bits(alone.push(token)), "{:?}", config.model);
            }
        }
    }
}

/// Many sequences, some of them sliding, have the same bits on any number of threads.
#[test]
fn many_sequences_have_the_same_bits_on_any_number_of_threads() {
    let (model, params) = model(&variants()[0]);
    let logits = |threads: usize| {
        let mut decoders: Vec<Decoder<'_>> = (0..21)
            .map(|i| {
                let decoder = Decoder::new(&model, &params);
                if i % 2 == 0 { decoder } else { decoder.sliding() }
            })
            .collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            for step in 0..12 {
                let tokens: Vec<u32> = (0..21).map(|i| (i + step) % VOCAB as u32).collect();
                Decoder::push_each(&mut decoders.iter_mut().collect::<Vec<_>>(), &tokens);
            }
        });
        decoders.iter().flat_map(|decoder| bits(decoder.logits())).collect::<Vec<_>>()
    };
    let one = logits(1);
    assert!([2, 3, 16].iter().all(|&threads| logits(threads) == one));
}

#[test]
#[should_panic(expected = "one model and its parameters")]
fn sequences_of_other_parameters_are_refused() {
    let (model, params) = model(&variants()[0]);
    let others = params.clone();
    let (mut a, mut b) = (Decoder::new(&model, &params), Decoder::new(&model, &others));
    Decoder::push_each(&mut [&mut a, &mut b], &[1, 2]);
}

/// Prompts of unequal lengths in one forward pass: each is computed as by itself, and padding is nowhere.
#[test]
fn prompts_of_unequal_lengths_go_through_together() {
    for config in variants() {
        let (model, params) = model(&config);
        let prompts = [text(5, 1), text(1, 2), text(9, 3)];
        let mut caches = [(); 3].map(|()| model.new_cache(&params));
        let workspace = Workspace::poisoned();
        let tape = Tape::no_grad(&params, &workspace);
        let sequences = caches.iter_mut().zip(&prompts).map(|(cache, ids)| (cache, &ids[..])).collect();
        let logits = model.extend(&tape, sequences, 3, false).read(|x| x.data.to_vec());
        for ((ids, logits), cache) in prompts.iter().zip(logits.chunks(VOCAB)).zip(&caches) {
            let expected = at_once(&model, &params, ids);
            assert_close("a prompt", logits, &expected[expected.len() - VOCAB..]);
            assert_eq!(cache.tokens(), &ids[..]);
        }
    }
}

/// A context that slides has the logits of one that does not, and where half of it is forgotten nothing is left to compute
/// but the new token: all of the newer half is there at its later positions.
#[test]
fn a_context_that_slides_stalls_nowhere() {
    for config in variants() {
        let (model, params) = model(&config);
        let room = model.max_tokens(&params);
        let token_bytes = |decoder: &Decoder<'_>| decoder.cache_bytes() / decoder.len();
        for prompt in [1, room / 2, room - 1, room, room + 3] {
            let ids = text(prompt, 4);
            let (mut plain, mut sliding) =
                (Decoder::new(&model, &params), Decoder::new(&model, &params).sliding());
            assert_eq!(bits(plain.push_all(&ids)), bits(sliding.push_all(&ids)));
            let bytes = token_bytes(&plain);
            for step in 0..3 * room {
                let token = (step % VOCAB) as u32;
                assert_close("sliding", sliding.push(token), plain.push(token));
                assert_eq!(sliding.tokens(), plain.tokens());
                let ahead = sliding.len().saturating_sub(room.div_ceil(2));
                assert_eq!(sliding.cache_bytes(), bytes * (sliding.len() + ahead), "{prompt} {step}");
            }
        }
    }
}

#[test]
fn a_cache_grows_with_its_sequence_and_goes_back() {
    for config in variants() {
        let (model, params) = model(&config);
        let mut decoder = Decoder::new(&model, &params);
        assert_eq!((decoder.cache_bytes(), decoder.len()), (0, 0));
        let ids = text(9, 6);
        let after_five = {
            decoder.push_all(&ids[..5]);
            decoder.push(ids[5]).to_vec()
        };
        let kv = config.model.head_size() * config.model.heads().n_kv_head;
        assert_eq!(decoder.cache_bytes(), 6 * config.model.n_layer * 2 * kv * 4);
        decoder.push_all(&ids[6..]);
        decoder.truncate(5);
        assert_eq!(decoder.tokens(), &ids[..5]);
        assert_eq!(bits(decoder.push(ids[5])), bits(&after_five));
        decoder.truncate(0);
        assert!(decoder.is_empty() && decoder.cache_bytes() == 0);
    }
}

fn talker() -> (Gpt, Params, Tokenizer) {
    let tokenizer = Tokenizer::Char(CharTokenizer::from_text("abcdefgh ").unwrap());
    let tokenizer = tokenizer.with_specials(&ChatTemplate::specials()).unwrap();
    let base = Preset::NanoCpu.config(tokenizer.vocab_size()).model;
    let config = GptConfig { n_layer: 2, n_head: 2, n_embd: 16, block_size: 64, ..base };
    let (mut params, mut rng) = (Params::new(), Rng::new(7, Stream::Init));
    let gpt = Gpt::new(&config, &mut params, &mut rng);
    scatter(&mut params, &mut rng, |_| true);
    (gpt, params, tokenizer)
}

/// A dialogue that goes on, in which old messages are forgotten at last, has the answers of one that is computed anew each
/// turn; and a message that cannot be encoded was never said.
#[test]
fn a_session_answers_as_if_nothing_were_kept() {
    let (gpt, params, tokenizer) = talker();
    let template = ChatTemplate::new(&tokenizer).unwrap();
    let never: Vec<u32> = tokenizer.specials().into_iter().map(|(_, id)| id).collect();
    let rng = Rng::new(3, Stream::Sampling);
    let mut session = Session::new((&gpt, &params), &tokenizer, 12, Sampler::greedy(), rng).unwrap();
    session.messages.push(Message { role: Role::System, content: "abc".into() });
    for turn in 0..8 {
        let before = session.messages.clone();
        let error = session.say("x", |_| Ok::<_, DataError>(())).unwrap_err();
        assert!(error.to_string().contains('x') && session.messages == before, "{error}");
        let mut shown = String::new();
        let said = ["a cab", "h", "dead bee f", "ab"][turn % 4];
        let answer = session.say(said, |part| {
            shown += part;
            Ok::<_, DataError>(())
        });
        assert_eq!(answer.unwrap(), shown);
        let messages = &session.messages[..session.messages.len() - 1];
        let prompt = template.prompt(&tokenizer, messages, 64 - 12).unwrap();
        let rng = Rng::new(1, Stream::Sampling);
        let rules = Sampler::greedy()
            .with(gpt::generate::Never(never.iter().copied().filter(|id| *id != template.end).collect()));
        let anew = Generator::new(&gpt, &params, &prompt, rules, rng).take(12);
        let anew: Vec<u32> = anew.take_while(|id| *id != template.end).collect();
        assert_eq!(shown, tokenizer.decode(&anew).unwrap(), "turn {turn}");
    }
}
