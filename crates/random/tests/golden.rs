//! Golden values: these numbers never change. A failure here means that checkpoints can no longer be
//! resumed and published results no longer be repeated: revert, or make it a breaking release.
//!
//! The literals were computed by an independent program, `reference.py` in this directory.

use random::{Rng, Stream};

const SEED: u64 = 1337;

fn rng() -> Rng {
    Rng::new(SEED, Stream::Init)
}

#[test]
fn the_bits_are_chacha8() {
    // The published test vector for ChaCha8 with a 256-bit key, all of key and nonce zero
    // (draft-strombergson-chacha-test-vectors-01, TC1).
    let expected = [
        0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09, 0xa5, 0xa1, 0x2c,
        0x84, 0x0e, 0xc3, 0xce, 0x9a, 0x7f, 0x3b, 0x18, 0x1b, 0xe1, 0x88, 0xef, 0x71, 0x1a, 0x1e,
    ];
    let mut rng = Rng::new(0, Stream::Init);
    let bytes: Vec<u8> = (0..8).flat_map(|_| rng.next_u32().to_le_bytes()).collect();
    assert_eq!(bytes, expected);
}

#[test]
fn first_integers() {
    let mut rng = rng();
    assert_eq!(rng.next_u64(), 0xe1046a0b23037864);
    assert_eq!(rng.next_u64(), 0x4c7d57c04f15bb56);
    assert_eq!(rng.next_u32(), 0xc0dea5ee);
    assert_eq!(rng.next_u32(), 0x7b5fa258);
}

#[test]
fn first_floats() {
    let mut floats = rng();
    for expected in [0.13677167892456055, 0.8789736032485962, 0.3089253306388855, 0.29878753423690796] {
        assert_eq!(f64::from(floats.f32()), expected);
    }
    let mut floats = rng();
    for expected in [0.8789736058415779, 0.2987875790123188, 0.48192801157790166, 0.5846635108796433] {
        assert_eq!(floats.f64(), expected);
    }
}

#[test]
fn first_normals() {
    let mut rng = rng();
    for expected in [-0.6201575022422906, -0.988380528912166, 0.6337327456460775, -0.9506617996914679] {
        assert_eq!(rng.normal(), expected as f32);
    }
}

#[test]
fn first_bounded_integers() {
    let mut small = rng();
    for expected in [57, 19, 31, 38, 14, 4, 58, 44, 55, 45, 1, 33, 39, 17, 56, 61] {
        assert_eq!(small.below(65), expected);
    }
    // Almost every second draw is rejected for this bound.
    let mut large = rng();
    for expected in [8107100577252621362, 5392569077216640896, 2058957323343638104, 8357748972572342275] {
        assert_eq!(large.below((1 << 63) + 1), expected);
    }
}

#[test]
fn first_permutation() {
    assert_eq!(rng().permutation(16), [3, 1, 5, 12, 11, 10, 15, 8, 13, 9, 0, 2, 7, 6, 4, 14]);
}

#[test]
fn first_thousand_of_everything() {
    // Digests of 1,000 numbers each: u64, f32, normal, fill_normal, below(1), below(2), ..., shuffle.
    let golden = [
        (
            Stream::Init,
            [
                0x056ee03a1d9bf8ff_u64,
                0xccbd7299df7174d1,
                0xab8e927312d471fb,
                0x0134a58f93b7bad1,
                0x0110fdc28c954c9d,
                0xeb13296e606e8a09,
            ],
        ),
        (
            Stream::Data,
            [
                0xd406b28cbffde04e,
                0xddc1a999642b69d8,
                0x62cddfc36921ac8a,
                0xe02451b9ea58f776,
                0xfa511322c62d41fb,
                0x37b9c592c2714a01,
            ],
        ),
        (
            Stream::Dropout,
            [
                0xb0b72fc53ad1044b,
                0x98812b5ba2329038,
                0x9072d9eb1036106a,
                0x593994b09591949f,
                0x277451711994956d,
                0xc26da5d4f309c1b5,
            ],
        ),
        (
            Stream::Sampling,
            [
                0x9f2ecd7b7178fb71,
                0x26c1633a2d2ec357,
                0x359221fd2cec73e4,
                0xb0e01509efd249dc,
                0x86583fd9033dffd1,
                0xd063e84a687d2a55,
            ],
        ),
        (
            Stream::Other(0),
            [
                0x884c74576d365a0f,
                0xfb21d53cebb0aec3,
                0x58414cbee6bb27a0,
                0x9baf19c529e59fed,
                0xe0d28932d14dabcd,
                0xe49caeb85fa74ef1,
            ],
        ),
    ];
    for (stream, expected) in golden {
        let found = digests(stream);
        assert_eq!(found, expected, "{stream:?}: {found:#018x?}");
    }
}

fn digests(stream: Stream) -> [u64; 6] {
    let new = || Rng::new(SEED, stream);
    let draw = |f: fn(&mut Rng) -> u64| {
        let mut rng = new();
        fnv1a((0..1000).map(|_| f(&mut rng)))
    };
    let mut filled = [0.0; 1000];
    new().fill_normal(&mut filled, 0.0, 1.0);
    let mut bounded = new();
    [
        draw(|rng| rng.next_u64()),
        draw(|rng| rng.f32().to_bits().into()),
        draw(|rng| rng.normal().to_bits().into()),
        fnv1a(filled.iter().map(|x| x.to_bits().into())),
        fnv1a((1..=1000).map(|n| bounded.below(n))),
        fnv1a(new().permutation(1000).into_iter().map(u64::from)),
    ]
}

/// FNV-1a over little-endian bytes: a digest simple enough to be written twice.
fn fnv1a(values: impl Iterator<Item = u64>) -> u64 {
    values
        .flat_map(u64::to_le_bytes)
        .fold(0xcbf29ce484222325, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x100000001b3))
}
