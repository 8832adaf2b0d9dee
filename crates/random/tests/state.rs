//! A saved position continues exactly, whatever was drawn before it.

use proptest::prelude::*;
use random::{Rng, RngState, Stream};

fn any_stream() -> impl Strategy<Value = Stream> {
    prop_oneof![
        Just(Stream::Init),
        Just(Stream::Data),
        Just(Stream::Dropout),
        Just(Stream::Sampling),
        any::<u64>().prop_map(Stream::Other),
    ]
}

/// Draws one number of the given kind; the value is returned as bits.
fn draw(rng: &mut Rng, kind: u8) -> u64 {
    match kind % 7 {
        0 => u64::from(rng.next_u32()),
        1 => rng.next_u64(),
        2 => rng.below(u64::MAX / 3 * 2), // rejected one time in three
        3 => u64::from(rng.f32().to_bits()),
        4 => rng.f64().to_bits(),
        5 => u64::from(rng.normal().to_bits()),
        _ => u64::from(rng.permutation(5)[0]),
    }
}

proptest! {
    #[test]
    fn state_round_trip(
        seed: u64,
        stream in any_stream(),
        before in prop::collection::vec(any::<u8>(), 0..200),
        after in prop::collection::vec(any::<u8>(), 1..100),
    ) {
        let mut rng = Rng::new(seed, stream);
        for &kind in &before {
            draw(&mut rng, kind);
        }
        let json = serde_json::to_string(&rng.state()).unwrap();
        let state: RngState = serde_json::from_str(&json).unwrap();
        let mut resumed = Rng::from_state(&state);
        prop_assert_eq!(resumed.state(), rng.state());
        for &kind in &after {
            prop_assert_eq!(draw(&mut resumed, kind), draw(&mut rng, kind));
            prop_assert_eq!(resumed.state(), rng.state());
        }
    }

    #[test]
    fn any_position_is_accepted(seed: u64, stream in any_stream(), word_pos: u64) {
        let state = RngState { seed, stream, word_pos };
        let mut rng = Rng::from_state(&state);
        prop_assert_eq!(rng.state(), state);
        rng.next_u64();
    }
}

#[test]
fn position_counts_words() {
    let mut rng = Rng::new(1, Stream::Data);
    assert_eq!(rng.state().word_pos, 0);
    rng.next_u32();
    assert_eq!(rng.state().word_pos, 1);
    rng.next_u64();
    assert_eq!(rng.state().word_pos, 3);
    rng.normal();
    assert_eq!(rng.state().word_pos, 7);
}

#[test]
fn positions_beyond_32_bits_are_kept() {
    let state = RngState { seed: 1, stream: Stream::Dropout, word_pos: (1 << 40) + 3 };
    let mut rng = Rng::from_state(&state);
    rng.next_u64();
    assert_eq!(rng.state().word_pos, (1 << 40) + 5);
}

#[test]
fn the_json_is_what_the_documentation_says() {
    let state = Rng::new(1337, Stream::Data).state();
    assert_eq!(serde_json::to_string(&state).unwrap(), r#"{"seed":1337,"stream":"data","word_pos":0}"#);
    let other = Rng::new(u64::MAX, Stream::Other(5)).state();
    assert_eq!(
        serde_json::to_string(&other).unwrap(),
        r#"{"seed":18446744073709551615,"stream":{"other":5},"word_pos":0}"#
    );
    let unknown = r#"{"seed":1,"stream":"data","word_pos":0,"extra":0}"#;
    assert!(serde_json::from_str::<RngState>(unknown).is_err());
}

#[test]
fn streams_and_seeds_differ() {
    let streams = [
        Stream::Init,
        Stream::Data,
        Stream::Dropout,
        Stream::Sampling,
        Stream::Other(0),
        Stream::Other(1),
        Stream::Other(u64::MAX),
    ];
    let mut first: Vec<u64> = Vec::new();
    for seed in [0, 1, 1 << 63] {
        first.extend(streams.map(|stream| Rng::new(seed, stream).next_u64()));
    }
    first.sort();
    first.dedup();
    assert_eq!(first.len(), 3 * streams.len());
}
