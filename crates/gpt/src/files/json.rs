//! Reading JSON of our own: strict where serde alone is lenient.

use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Parses JSON, refusing what serde lets pass in maps: a key that occurs twice (the last would win).
/// Depth is limited to serde_json's 128 levels.
///
/// # Errors
/// If it is not JSON of that form; the message has line and column.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<UniqueKeys>(bytes)?;
    serde_json::from_slice(bytes)
}

/// Pretty JSON with a line end, or a message: what we write never fails, but nobody need rely on it.
pub(crate) fn to_bytes<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Any JSON without duplicate keys; keeps nothing.
struct UniqueKeys;

impl<'de> serde::Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = UniqueKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }
    fn visit_unit<E: Error>(self) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<UniqueKeys, A::Error> {
        while items.next_element::<UniqueKeys>()?.is_some() {}
        Ok(UniqueKeys)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<UniqueKeys, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value::<UniqueKeys>()?;
            if let Some(twice) = seen.replace(key) {
                return Err(A::Error::custom(format_args!("the key {twice:?} occurs twice")));
            }
        }
        Ok(UniqueKeys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn duplicate_keys_at_any_depth_are_refused() {
        parse::<Value>(br#"{"a": [{"b": 1, "c": null}, {"b": true}], "d": -1.5e3, "e": "x"}"#).unwrap();
        for bad in [r#"{"a":1,"a":1}"#, r#"[0,{"x":{"a":1,"\u0061":2}}]"#] {
            let error = parse::<Value>(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(r#""a" occurs twice"#), "{error}");
        }
    }

    #[test]
    fn depth_and_range_are_limited() {
        let deep = "[".repeat(100_000);
        assert!(parse::<Value>(deep.as_bytes()).unwrap_err().to_string().contains("recursion limit"));
        assert!(parse::<Value>(b"1e999").unwrap_err().to_string().contains("out of range"));
        assert!(
            parse::<Value>(b"1 2").is_err()
                && parse::<Value>(b"").is_err()
                && parse::<Value>(b"\xff").is_err()
        );
    }
}
