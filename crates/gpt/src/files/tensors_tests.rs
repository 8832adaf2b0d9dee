use super::*;
use proptest::prelude::*;

/// The bytes of a file with this header and this many bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

fn message(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

const ONE: &str = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;

#[test]
fn hostile_files_are_refused() {
    assert_eq!(decode(&file(ONE, 8)).unwrap()["a"], Tensor { shape: vec![2], data: vec![0.0; 2] });
    let deep = format!(r#"{{"__metadata__":{}"#, "[".repeat(100_000));
    let many: Vec<String> =
        (0..5000).map(|i| format!(r#""t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)).collect();
    let rank = ["1"; 100_000].join(",");
    let entry = |name: &str, dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let f32s = |name: &str| entry(name, "F32", "[2]", "[0,8]");
    let twice = ONE.replace(['}', '{'], "") + "}";
    let twice = format!("{},{}", &ONE[..ONE.len() - 1], twice.replace("\"a\":", "\"a\":{"));
    for (header, expected) in [
        (twice + "}", "\"a\" occurs twice"),
        (format!("{},{}", &ONE[..ONE.len() - 1], &f32s("\\u0061")[1..]), "\"a\" occurs twice"),
        (f32s("../../x"), "is named"),
        (f32s("a/b"), "is named"),
        (f32s("..a"), "is named"),
        (f32s("a..b"), "is named"),
        (f32s(".a"), "is named"),
        (f32s(""), "is named"),
        (f32s("a\\u0000"), "is named"),
        (f32s("a\\nb"), "is named"),
        (f32s("ä"), "is named"),
        (f32s(&"x".repeat(300)), "is named"),
        (f32s("__proto__"), "is named"),
        (entry("a", "F16", "[4]", "[0,8]"), "type F16"),
        (entry("a", "I64", "[1]", "[0,8]"), "type I64"),
        (entry("a", "nonsense", "[1]", "[0,8]"), "type nonsense"),
        (entry("a", "F32", &format!("[{rank}]"), "[0,8]"), "more than 8 axes"),
        (entry("a", "F32", "[0,4611686018427387904,4611686018427387904]", "[0,0]"), "too large"),
        (entry("a", "F32", "[4611686018427387904]", "[0,8]"), "too large"),
        (entry("a", "F32", "[9223372036854775808,2]", "[0,8]"), "too large"),
        (entry("a", "F32", "[-1]", "[0,8]"), "invalid value"),
        (entry("a", "F32", "[1e3]", "[0,8]"), "invalid type"),
        (entry("a", "F32", "[99999999999999999999]", "[0,8]"), "invalid"),
        (entry("a", "F32", "[3]", "[0,8]"), "damaged or not supported"),
        (entry("a", "F32", "[2]", "[0,4]"), "damaged or not supported"),
        (entry("a", "F32", "[2]", "[4,12]"), "damaged or not supported"),
        (entry("a", "F32", "[2]", "[8,0]"), "damaged or not supported"),
        (entry("a", "F32", "[1]", "[0,4]"), "damaged or not supported"), // 4 bytes that belong to nobody
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#.into(), "unknown field `x`"),
        (r#"{"a":{"dtype":"F32","shape":[2]}}"#.into(), "missing field"),
        (r#"{"a":1}"#.into(), "invalid type"),
        (r#"{"__metadata__":{"a":"b"},"__metadata__":{}}"#.into(), "is named"),
        (r#"{"__metadata__":7}"#.into(), "damaged or not supported"),
        ("[]".into(), "invalid type"),
        ("".into(), "EOF"),
        ("\u{0}".into(), "expected value"),
        (deep, "damaged or not supported"),
        (format!("{{{}}}", many.join(",")), "more than 4096 tensors"),
    ] {
        let text = message(&file(&header, 8));
        let shown: String = header.chars().take(120).collect();
        assert!(text.contains(expected), "{shown}\n{text}");
        assert!(text.len() < 600, "{shown}: a message of {} bytes", text.len());
    }
}

#[test]
fn header_lengths_are_checked_before_anything_is_read() {
    for length in [9, 1 << 20, MAX_HEADER_BYTES + 1, u64::MAX, u64::MAX - 7] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{}      ");
        assert!(matches!(decode(&bytes), Err(TensorsError::HeaderLength { .. })), "{length}");
    }
    for length in 0..8 {
        assert!(message(&vec![0; length]).contains(&format!("a file of {length} bytes")));
    }
    assert!(message(b"PK\x03\x04 this is a zip file, as PyTorch writes it").contains("of another kind"));
    let long = file(&format!("{{{}}}", " ".repeat(MAX_HEADER_BYTES as usize)), 0);
    assert!(matches!(decode(&long), Err(TensorsError::HeaderLength { .. })));
}

#[test]
fn values_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::from_bits(0xffc0_1234)] {
        let mut bytes = file(ONE, 8);
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&bad.to_le_bytes());
        let text = message(&bytes);
        assert!(
            text.contains("\"a\"") && text.contains("index 1") && text.contains(&bad.to_string()),
            "{text}"
        );
    }
}

#[test]
fn tensors_that_cannot_be_read_back_are_not_written() {
    let tensor = |shape: &[usize], n| Tensor { shape: shape.to_vec(), data: vec![0.0; n] };
    let one = |name: &str, tensor| encode(&Tensors::from([(name.to_string(), tensor)]));
    assert!(matches!(one("a", tensor(&[2, 3], 5)), Err(TensorsError::Length { .. })));
    assert!(matches!(one("a", tensor(&[1; 9], 1)), Err(TensorsError::Header(_))));
    assert!(matches!(one("a b", tensor(&[1], 1)), Err(TensorsError::Header(_))));
    for (shape, n) in [(&[][..], 1), (&[0, 3], 0), (&[1; 8], 1)] {
        decode(&one("a", tensor(shape, n)).unwrap()).unwrap();
    }
    let many: Tensors = (0..=MAX_TENSORS).map(|i| (i.to_string(), tensor(&[0], 0))).collect();
    assert!(matches!(encode(&many), Err(TensorsError::Header(_))));
    assert_eq!(decode(&encode(&Tensors::<Vec<f32>>::new()).unwrap()).unwrap(), Tensors::new());
}

#[test]
fn the_metadata_is_what_other_programs_look_for() {
    let bytes = encode(&Tensors::from([("a".into(), Tensor { shape: vec![1], data: vec![1.0] })])).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
}

#[test]
fn differences_from_what_is_expected_are_named() {
    let tensor = |shape: &[usize]| Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] };
    let tensors =
        Tensors::from([("a".into(), tensor(&[2])), ("b".into(), tensor(&[2, 3])), ("c".into(), tensor(&[]))]);
    let bytes = encode(&tensors).unwrap();
    let shape = |name: &str, shape: &[usize]| (name.to_string(), shape.to_vec());
    let right = [shape("a", &[2]), shape("b", &[2, 3]), shape("c", &[])];
    assert_eq!(decode_expected(&bytes, &right).unwrap(), tensors);
    check(&tensors, &right).unwrap();
    let wrong = [shape("b", &[3, 2]), shape("c", &[]), shape("d", &[4])];
    let text = decode_expected(&bytes, &wrong).unwrap_err().to_string();
    for part in ["b is [2, 3], expected [3, 2]", "d [4] is missing", "a [2] is not expected"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(check(&tensors, &wrong).unwrap_err().to_string(), text);
    let many: Vec<_> = (0..1000).map(|i| shape(&i.to_string(), &[1])).collect();
    assert!(check(&tensors, &many).unwrap_err().to_string().contains("and 997 more"));
}

#[test]
fn parameters_go_out_and_come_back() {
    let mut params = Params::new();
    params.add("wte.weight", [3, 2], |w| w.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    params.add("ln_f.weight", [2], |w| w.fill(1.0));
    let tensors = from_params(&params);
    assert_eq!(tensors["wte.weight"], Tensor { shape: vec![3, 2], data: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] });
    for id in params.ids() {
        params.data_mut(id).fill(0.0);
    }
    into_params(&tensors, &mut params).unwrap();
    assert_eq!(from_params(&params), tensors);
    let mut other = Params::new();
    other.add("wte.weight", [2, 3], |_| ());
    assert!(
        into_params(&tensors, &mut other)
            .unwrap_err()
            .to_string()
            .contains("ln_f.weight [2] is not expected")
    );
    assert_eq!(other.data(other.id("wte.weight").unwrap()), [0.0; 6]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn anything_written_is_read(all in prop::collection::btree_map("[a-zA-Z0-9_-]{1,20}", prop::collection::vec(0..4_usize, 0..5), 0..12)) {
        let mut next = 0.0;
        let tensors: Tensors = all.into_iter().filter(|(name, _)| !name.starts_with("__")).map(|(name, shape)| {
            let data = (0..shape.iter().product()).map(|_| { next += 0.1; next }).collect();
            (name, Tensor { shape, data })
        }).collect();
        let bytes = encode(&tensors).unwrap();
        prop_assert_eq!(decode(&bytes).unwrap(), tensors);
    }

    /// No bytes, however close to a real file, make it panic.
    #[test]
    fn mutated_files_never_panic(changes in prop::collection::vec((0..200_usize, any::<u8>()), 1..6), cut in 0..200_usize) {
        let tensor = Tensor { shape: vec![2, 3], data: vec![0.5; 6] };
        let mut bytes = encode(&Tensors::from([("a".to_string(), tensor.clone()), ("b".to_string(), tensor)])).unwrap();
        let n = bytes.len();
        changes.iter().for_each(|&(at, byte)| bytes[at % n] = byte);
        bytes.truncate(n - cut.saturating_sub(100).min(n));
        let _ = decode(&bytes);
    }
}

struct Whole<'a>(&'a Tensor);

impl safetensors::View for Whole<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        safetensors::Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.0.shape
    }
    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.0.data.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>().into()
    }
    fn data_len(&self) -> usize {
        4 * self.0.data.len()
    }
}

/// Byte by byte what the library writes, whatever the length of the header, and of tensors longer than a chunk.
#[test]
fn a_file_is_what_the_safetensors_library_writes() {
    let tensor = |shape: &[usize]| {
        let data = (0..shape.iter().product()).map(|i: usize| i as f32 * 0.37 - 1.0).collect();
        Tensor { shape: shape.to_vec(), data }
    };
    let mut tensors = Tensors::new();
    for (length, shape) in
        [vec![], vec![0], vec![3, 0, 2], vec![5], vec![2, 3, 4], vec![CHUNK + 7], vec![1; 8]]
            .iter()
            .enumerate()
    {
        let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
        let views = tensors.iter().map(|(name, tensor)| (name, Whole(tensor)));
        let expected = safetensors::serialize(views, Some(metadata)).unwrap();
        assert!(encode(&tensors).unwrap() == expected, "{:?}", tensors.keys());
        tensors.insert("h.1.mlp-c_fc.weight"[..6 + length].to_string(), tensor(shape));
        tensors.insert(format!("{}.B", "x".repeat(length + 1)), tensor(shape));
    }
}
