//! Which encoding a file is in: found from its first bytes, said aloud, and never guessed in silence.
//!
//! | evidence | how sure |
//! |---|---|
//! | the user says so | as sure as the user |
//! | a byte order mark (UTF-8, UTF-16) | certain |
//! | valid UTF-8 with characters beyond ASCII | practically certain: other encodings break its rules in a few bytes |
//! | UTF-8 but for less than a tenth of the characters beyond ASCII | an error with the place: the file is damaged |
//! | ASCII alone | any of these encodings reads it alike; UTF-8 is assumed and checked to the end of the file |
//! | zero bytes that make sense as UTF-16 in one byte order and not in the other | sure, if the shares are far apart |
//! | double bytes that fall on frequent characters in GB18030 but not in Big5, or the reverse | sure, if chardetng agrees |
//! | anything else | an error that asks for the encoding |
//!
//! **Frequent characters.** GB 2312 puts its 3755 most frequent characters in rows B0 to D7, Big5 its
//! 5401 in A4 to C6. A Chinese text has well over 90 % of its characters there under the right reading,
//! and about 30 to 60 % under the wrong one. Korean in EUC-KR also lies in the frequent rows of GB 2312,
//! but nearly as much in those of Big5, so it is not taken for either.
//!
//! Sources: WHATWG Encoding Standard (encoding_rs); chardetng (Sivonen 2020) as the second opinion.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, DecoderResult, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE};
use std::fmt;

/// How many bytes at the start of a file are looked at.
pub(super) const SNIFF: usize = 1 << 20;

/// Double-byte characters without which a distribution says nothing.
const FEWEST_CHARACTERS: usize = 16;
/// Share of frequent characters under the right reading, at the least.
const FREQUENT: f64 = 0.85;
/// How much smaller the share must be under the wrong reading.
const MARGIN: f64 = 0.2;

/// The encoding of a file, and how it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Detected {
    pub(super) encoding: &'static Encoding,
    /// Length of the byte order mark, in bytes.
    pub(super) mark: usize,
    evidence: Evidence,
}

/// How an encoding is known.
#[derive(Clone, Debug, PartialEq)]
enum Evidence {
    Stated,
    Mark,
    Ascii,
    ValidUtf8,
    Utf16 { implausible: f64, swapped: f64 },
    Frequent { characters: usize, share: f64, other: &'static str, other_share: f64 },
}

impl Detected {
    /// Its name in the WHATWG Encoding Standard: "UTF-8", "UTF-16LE", "gb18030", "Big5", ...
    pub fn name(&self) -> &'static str {
        self.encoding.name()
    }

    /// How it is known, in words for the user.
    pub fn evidence(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        match &self.evidence {
            Evidence::Stated => "as stated".into(),
            Evidence::Mark => "certain: byte order mark".into(),
            Evidence::Ascii => "so far ASCII alone, which is the same in all of them".into(),
            Evidence::ValidUtf8 => "practically certain: valid UTF-8 beyond ASCII".into(),
            Evidence::Utf16 { implausible, swapped } => format!(
                "sure: {} implausible characters, {} with the bytes swapped",
                percent(*implausible),
                percent(*swapped)
            ),
            Evidence::Frequent { characters, share, other, other_share } => format!(
                "sure: {} of {characters} characters are frequent ones, {} if it were {other}",
                percent(*share),
                percent(*other_share)
            ),
        }
    }

    fn new(encoding: &'static Encoding, mark: usize, evidence: Evidence) -> Self {
        Self { encoding, mark, evidence }
    }
}

impl fmt::Display for Detected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.evidence {
            Evidence::Ascii | Evidence::ValidUtf8 => f.write_str(self.name()), // nothing to doubt
            _ => write!(f, "{} ({})", self.name(), self.evidence()),
        }
    }
}

/// Why no encoding can be named.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Doubt {
    /// No such encoding.
    UnknownName(String),
    /// The mark says another encoding than the user.
    Contradiction { stated: &'static str, mark: &'static str },
    /// UTF-32, which no reader knows.
    Utf32(&'static str),
    /// A zero byte where no text has one: its offset.
    ZeroByte(usize),
    /// UTF-8, but for a few bytes, of which these are the first.
    Damaged { at: usize, length: usize },
    /// The bytes allow several readings.
    Unsure { found: String, likely: &'static str },
}

/// Byte order marks, the longer first: that of UTF-32LE begins with that of UTF-16LE.
pub(super) const MARKS: [(&[u8], &str, &str); 5] = [
    (b"\xFF\xFE\0\0", "UTF-32LE", "FF FE 00 00"),
    (b"\0\0\xFE\xFF", "UTF-32BE", "00 00 FE FF"),
    (b"\xEF\xBB\xBF", "UTF-8", "EF BB BF"),
    (b"\xFF\xFE", "UTF-16LE", "FF FE"),
    (b"\xFE\xFF", "UTF-16BE", "FE FF"),
];

/// The encoding the user names.
pub(super) fn stated(name: &str, prefix: &[u8]) -> Result<Detected, Doubt> {
    let encoding = Encoding::for_label_no_replacement(name.trim().as_bytes())
        .ok_or_else(|| Doubt::UnknownName(name.into()))?;
    let encoding = if encoding == GBK { GB18030 } else { encoding }; // the same decoder, a superset
    match MARKS.iter().find(|(mark, ..)| prefix.starts_with(mark)) {
        Some((mark, name, _)) if *name == encoding.name() => {
            Ok(Detected::new(encoding, mark.len(), Evidence::Stated))
        }
        // "UTF-16" alone means little-endian, unless the mark says otherwise.
        Some((mark, "UTF-16BE", _)) if name.trim().eq_ignore_ascii_case("utf-16") => {
            Ok(Detected::new(UTF_16BE, mark.len(), Evidence::Mark))
        }
        // FF FE can begin a text in a one-byte encoding, EF BB BF practically cannot.
        Some((_, mark, _)) if *mark == "UTF-8" => Err(Doubt::Contradiction { stated: encoding.name(), mark }),
        _ => Ok(Detected::new(encoding, 0, Evidence::Stated)),
    }
}

/// The encoding of a file that begins with `prefix`; `complete` if that is all of it.
pub(super) fn detect(prefix: &[u8], complete: bool) -> Result<Detected, Doubt> {
    if let Some((mark, name, _)) = MARKS.iter().find(|(mark, ..)| prefix.starts_with(mark)) {
        let encoding = Encoding::for_label(name.as_bytes()).ok_or(Doubt::Utf32(name))?;
        return Ok(Detected::new(encoding, mark.len(), Evidence::Mark));
    }
    if let Some(zero) = memchr::memchr(0, prefix) {
        return utf16(prefix, complete, zero);
    }
    if prefix.is_ascii() {
        return Ok(Detected::new(UTF_8, 0, Evidence::Ascii));
    }
    match std::str::from_utf8(prefix) {
        Ok(_) => Ok(Detected::new(UTF_8, 0, Evidence::ValidUtf8)),
        // The prefix may end in the middle of a character.
        Err(e) if e.error_len().is_none() && !complete => Ok(Detected::new(UTF_8, 0, Evidence::ValidUtf8)),
        Err(e) if is_mostly_utf8(prefix) => {
            let at = e.valid_up_to();
            Err(Doubt::Damaged { at, length: e.error_len().unwrap_or(prefix.len() - at) })
        }
        Err(e) => chinese(prefix, complete, e.valid_up_to()),
    }
}

/// Whether ten characters beyond ASCII or more are valid for each sequence that is not.
fn is_mostly_utf8(prefix: &[u8]) -> bool {
    let (mut characters, mut broken) = (0usize, 0usize);
    for chunk in prefix.utf8_chunks() {
        characters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    characters >= 10 * broken
}

/// UTF-16 without a mark: one byte order must make sense and the other must not.
fn utf16(prefix: &[u8], complete: bool, zero: usize) -> Result<Detected, Doubt> {
    if complete && !prefix.len().is_multiple_of(2) {
        return Err(Doubt::ZeroByte(zero));
    }
    let little = Wide::read(prefix, u16::from_le_bytes);
    let big = Wide::read(prefix, u16::from_be_bytes);
    let (encoding, right, swapped) = match little.implausible <= big.implausible {
        true => (UTF_16LE, little, big),
        false => (UTF_16BE, big, little),
    };
    // Without ASCII, at least line ends, the zeros are none of UTF-16: pairs of Latin letters look like Han.
    if right.implausible > 0.01 || right.ascii == 0 {
        return Err(Doubt::ZeroByte(zero));
    }
    if swapped.implausible < 0.1 || right.characters < FEWEST_CHARACTERS {
        let found = "zero bytes that could be UTF-16 in either byte order".into();
        return Err(Doubt::Unsure { found, likely: encoding.name() });
    }
    let evidence = Evidence::Utf16 { implausible: right.implausible, swapped: swapped.implausible };
    Ok(Detected::new(encoding, 0, evidence))
}

/// What a reading as UTF-16 finds.
struct Wide {
    characters: usize,
    /// How many of them are ASCII.
    ascii: usize,
    /// The share that ordinary text does not have; 1 if this is not UTF-16 at all.
    implausible: f64,
}

impl Wide {
    fn read(prefix: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let units = prefix.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let (mut characters, mut ascii, mut implausible) = (0usize, 0usize, 0usize);
        for c in char::decode_utf16(units) {
            characters += 1;
            match c {
                Ok(c) if c != '\0' => {
                    ascii += usize::from(c.is_ascii());
                    implausible += usize::from(!is_ordinary(c));
                }
                // A pair may be cut at the end of the prefix; anywhere else this is not UTF-16.
                Err(_) if characters * 2 + 2 > prefix.len() => {}
                _ => return Self { characters, ascii, implausible: 1.0 },
            }
        }
        Self { characters, ascii, implausible: implausible as f64 / characters.max(1) as f64 }
    }
}

/// Characters that make up practically all text: Latin, Greek, Cyrillic, Arabic and Indic letters,
/// punctuation, kana, Hangul, common Han characters, full-width forms, emoji.
fn is_ordinary(c: char) -> bool {
    matches!(u32::from(c),
        0x09 | 0x0A | 0x0D | 0x20..=0x7E | 0xA0..=0x52F | 0x5D0..=0x6FF | 0x904..=0x970 | 0xE01..=0xE5B
        | 0x1E00..=0x1FFF | 0x2010..=0x2027 | 0x2030..=0x205E | 0x20A0..=0x20BF | 0x2100..=0x214F
        | 0x2190..=0x21FF | 0x2500..=0x26FF | 0x3000..=0x30FF | 0x4E00..=0x9FA5 | 0xAC00..=0xD7A3
        | 0xFE30..=0xFE4F | 0xFEFF | 0xFF01..=0xFFEE | 0x1F300..=0x1FAFF | 0x20000..=0x2A6DF)
}

/// GB18030 or Big5: the frequent characters must speak for one and against the other, and chardetng agree.
fn chinese(prefix: &[u8], complete: bool, invalid: usize) -> Result<Detected, Doubt> {
    let gb = frequent(prefix, complete, GB18030, |lead, trail| {
        matches!(lead, 0xA1..=0xA3 | 0xB0..=0xD7) && trail >= 0xA1
    });
    let big5 = frequent(prefix, complete, BIG5, |lead, _| matches!(lead, 0xA1..=0xC6));
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(prefix, complete);
    let second = detector.guess(None, Utf8Detection::Deny);
    let second = if second == GBK { GB18030 } else { second };
    for (encoding, (characters, share), other, (_, other_share)) in
        [(GB18030, gb, "Big5", big5), (BIG5, big5, "GB18030", gb)]
    {
        let clear = share >= FREQUENT && share - other_share >= MARGIN;
        if clear && characters >= FEWEST_CHARACTERS && second == encoding {
            return Ok(Detected::new(
                encoding,
                0,
                Evidence::Frequent { characters, share, other, other_share },
            ));
        }
    }
    let found = format!(
        "bytes that are not UTF-8 (the first at byte offset {invalid}) and could be several encodings; \
         {} is the likeliest",
        second.name()
    );
    Err(Doubt::Unsure { found, likely: second.name() })
}

/// The number of double-byte characters, and the share of them that `is_frequent`; share 0 if the bytes
/// are not valid in the encoding at all.
fn frequent(
    prefix: &[u8],
    complete: bool,
    encoding: &'static Encoding,
    is_frequent: fn(u8, u8) -> bool,
) -> (usize, f64) {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text =
        String::with_capacity(decoder.max_utf8_buffer_length_without_replacement(prefix.len()).unwrap_or(0));
    let (result, _) = decoder.decode_to_string_without_replacement(prefix, &mut text, complete);
    if result != DecoderResult::InputEmpty {
        return (0, 0.0);
    }
    let (mut characters, mut frequent, mut at) = (0usize, 0usize, 0);
    while at + 1 < prefix.len() {
        let (lead, trail) = (prefix[at], prefix[at + 1]);
        if lead < 0x80 {
            at += 1;
            continue;
        }
        // Four bytes in GB18030 are rare characters; the second is a digit, which Big5 never has there.
        at += if trail.is_ascii_digit() { 4 } else { 2 };
        characters += 1;
        frequent += usize::from(is_frequent(lead, trail));
    }
    (characters, frequent as f64 / characters.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMPLIFIED: &str =
        "今天天气很好，我们一起去公园散步。路上看见许多人在放风筝，孩子们跑来跑去，笑声不断。";
    const TRADITIONAL: &str =
        "今天天氣很好，我們一起去公園散步。路上看見許多人在放風箏，孩子們跑來跑去，笑聲不斷。";

    fn found(bytes: &[u8]) -> &'static str {
        detect(bytes, true).unwrap().name()
    }

    fn utf16_bytes(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_are_certain() {
        assert_eq!(found(b"\xEF\xBB\xBFhi"), "UTF-8");
        assert_eq!(found(b"\xFF\xFEh\0"), "UTF-16LE");
        assert_eq!(found(b"\xFE\xFF\0h"), "UTF-16BE");
        assert_eq!(detect(b"\xFF\xFE\0\0h\0\0\0", true), Err(Doubt::Utf32("UTF-32LE")));
        assert_eq!(detect(b"\0\0\xFE\xFF\0\0\0h", true), Err(Doubt::Utf32("UTF-32BE")));
    }

    #[test]
    fn utf8_also_if_the_prefix_ends_within_a_character() {
        assert_eq!(found(SIMPLIFIED.as_bytes()), "UTF-8");
        let cut = &SIMPLIFIED.as_bytes()[..4];
        assert_eq!(detect(cut, false).unwrap().name(), "UTF-8");
        assert!(detect(cut, true).is_err());
        assert!(detect(b"plain", true).unwrap().evidence().contains("ASCII"));
        let broken = [SIMPLIFIED.as_bytes(), b"\xFF", SIMPLIFIED.as_bytes()].concat();
        let damaged = Doubt::Damaged { at: SIMPLIFIED.len(), length: 1 };
        assert_eq!(detect(&broken, true), Err(damaged));
    }

    #[test]
    fn chinese_encodings_are_told_apart() {
        let (gb, ..) = GB18030.encode(SIMPLIFIED);
        let (big5, ..) = BIG5.encode(TRADITIONAL);
        assert_eq!(found(&gb), "gb18030");
        assert_eq!(found(&big5), "Big5");
        let said = detect(&gb, true).unwrap().to_string();
        assert!(said.contains("sure") && said.contains("if it were Big5"), "{said}");
    }

    #[test]
    fn utf16_without_a_mark() {
        for text in [
            "Shall I compare thee to a summer's day?\nThou art more lovely.\n",
            "一天，他从山上下来，\n他说：\n今天好。\n",
        ] {
            assert_eq!(found(&utf16_bytes(text, u16::to_le_bytes)), "UTF-16LE", "{text}");
            assert_eq!(found(&utf16_bytes(text, u16::to_be_bytes)), "UTF-16BE", "{text}");
        }
        // Five Latin letters are five Han characters with the bytes swapped.
        assert!(matches!(
            detect(&utf16_bytes("hello", u16::to_le_bytes), true),
            Err(Doubt::Unsure { likely: "UTF-16LE", .. })
        ));
        assert_eq!(detect(b"ab\0cd", true), Err(Doubt::ZeroByte(2)));
        assert_eq!(detect(b"one\ntwo\0", true), Err(Doubt::ZeroByte(7))); // four Han characters, big-endian
        assert_eq!(detect(b"\x7fELF\x02\x01\x01\0\0\0\0\0", true), Err(Doubt::ZeroByte(7)));
    }

    #[test]
    fn what_is_doubtful_is_not_decided() {
        let (short, ..) = GB18030.encode("你好，世界");
        let (korean, ..) = encoding_rs::EUC_KR.encode(
            "오늘은 날씨가 아주 좋아서 우리는 공원에 산책하러 갔습니다. 아이들이 뛰어다니며 웃었습니다.",
        );
        let (japanese, ..) = encoding_rs::SHIFT_JIS
            .encode("今日はとても天気がいいので、公園へ散歩に行きました。子供たちが走り回っていました。");
        let (western, ..) =
            encoding_rs::WINDOWS_1252.encode("Ein schöner Tag für Ärger und Spaß an der Küste");
        for bytes in [short, korean, japanese, western] {
            assert!(matches!(detect(&bytes, true), Err(Doubt::Unsure { .. })));
        }
    }

    #[test]
    fn stated_encodings() {
        assert_eq!(stated("gbk", b"a").unwrap().name(), "gb18030");
        assert_eq!(stated(" UTF-16 ", b"\xFE\xFF\0a").unwrap().name(), "UTF-16BE");
        assert_eq!(stated("utf-8", b"\xEF\xBB\xBFa").unwrap().mark, 3);
        assert!(matches!(stated("klingon", b"a"), Err(Doubt::UnknownName(_))));
        assert!(matches!(stated("big5", b"\xEF\xBB\xBFa"), Err(Doubt::Contradiction { .. })));
    }
}
