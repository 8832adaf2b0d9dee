//! Named f32 tensors as safetensors bytes: the format of Hugging Face, so that other programs read
//! our models, but read more strictly than the format asks.
//!
//! The format has no checksum, and its library accepts names that occur twice, names such as
//! `../../x`, a rank of 100,000, and NaN. Here all of these are errors, and so is every tensor that
//! the caller does not expect. Everything is decided from the header, before any tensor is copied.

use super::contents::Contents;
use super::half;
use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;
use tensor::Params;

/// The longest header.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// The most tensors in a file.
pub const MAX_TENSORS: usize = 4096;
/// The most axes of a tensor in a file.
pub const MAX_RANK: usize = 8;

/// One tensor: `data` is row-major and as long as the product of `shape`. It has the numbers itself, or with
/// `D = &[f32]` only looks at them: so a model is written without a copy of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<D = Vec<f32>> {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: D,
}

/// Tensors by name.
pub type Tensors<D = Vec<f32>> = BTreeMap<String, Tensor<D>>;

/// Numbers that are converted at a time when a file is written.
const CHUNK: usize = 1 << 14;

/// Why bytes are not a file of tensors that can be used, or tensors cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorsError {
    /// Too few bytes for a header, or a header longer than allowed or than the file.
    #[error(
        "expected a safetensors file, whose first 8 bytes are the length of its header (at most 16 MiB and \
         the rest of the file, {rest} bytes), found {found}; the file is cut off or of another kind: use another copy"
    )]
    HeaderLength {
        /// The length that the file states, or why there is none.
        found: String,
        /// Bytes after the first 8.
        rest: u64,
    },
    /// A header that is not what it should be.
    #[error("the safetensors header is damaged or not supported: {0}; use another copy")]
    Header(String),
    /// Numbers of another type than f32.
    #[error("tensor {name:?} has type {found}: expected F32; in Python: model.float().save_pretrained(DIR)")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A number that is not finite. Such weights are neither saved nor loaded.
    #[error(
        "tensor {name:?} has the value {value} at index {index}: expected finite numbers; go back to an earlier checkpoint and lower --learning-rate"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where, row-major.
        index: usize,
        /// "NaN", "inf" or "-inf".
        value: String,
    },
    /// A tensor whose numbers are not as many as its shape says.
    #[error("tensor {name:?} of shape {shape:?} has {found} numbers")]
    Length {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// How many numbers it has.
        found: usize,
    },
    /// Other tensors than the model has.
    #[error(
        "the tensors are not those of this model: {0}; use the config.json and model.safetensors of one model"
    )]
    Mismatch(String),
}

/// What one tensor's entry in the header says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Axes,
    #[serde(rename = "data_offsets")]
    _data_offsets: [u64; 2], // the library checks that there are no holes and no overlaps
}

/// Sizes of at most [`MAX_RANK`] axes: reading stops there, before a long list is in memory.
struct Axes(Vec<usize>);

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;
        impl<'de> Visitor<'de> for Sizes {
            type Value = Axes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "the sizes of at most {MAX_RANK} axes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Axes, A::Error> {
                let mut axes = Vec::new();
                while let Some(size) = items.next_element::<usize>()? {
                    if axes.len() == MAX_RANK {
                        return Err(A::Error::custom(format_args!("a tensor has more than {MAX_RANK} axes")));
                    }
                    axes.push(size);
                }
                Ok(Axes(axes))
            }
        }
        deserializer.deserialize_seq(Sizes)
    }
}

/// The header: every tensor's entry, names checked.
struct Header(HashMap<String, Entry>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with an entry for each tensor")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Header, A::Error> {
                let mut all = HashMap::new();
                let mut metadata = false;
                while let Some(name) = entries.next_key::<String>()? {
                    if name == "__metadata__" && !std::mem::replace(&mut metadata, true) {
                        entries.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    check_name(&name).map_err(A::Error::custom)?;
                    if all.len() == MAX_TENSORS {
                        return Err(A::Error::custom(format_args!("more than {MAX_TENSORS} tensors")));
                    }
                    let entry = entries.next_value()?;
                    if all.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("the name {name:?} occurs twice")));
                    }
                    all.insert(name, entry);
                }
                Ok(Header(all))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Letters, digits, `.`, `_`, `-`; no `..`: no name is ever a path or invisible.
fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fine = !name.is_empty() && name.len() <= 256 && name.chars().all(allowed);
    match fine && !name.contains("..") && !name.starts_with('.') && !name.starts_with("__") {
        true => Ok(()),
        false => {
            let shown: String = name.chars().take(64).collect();
            Err(format!("a tensor is named {shown:?}: expected up to 256 letters, digits, '.', '_' and '-'"))
        }
    }
}

/// A safetensors file that is about to be written: its header, and where its numbers are.
pub(crate) struct Encoded<'a> {
    header: String,
    data: Vec<&'a [f32]>,
}

impl<'a> Encoded<'a> {
    /// See [`encode`].
    pub(crate) fn new<D: Deref<Target = [f32]>>(tensors: &'a Tensors<D>) -> Result<Self, TensorsError> {
        Self::of(tensors.iter().map(|(name, tensor)| (name, &tensor.shape, &*tensor.data)))
    }

    /// The same of views, which need not outlive this.
    pub(crate) fn of_views(views: &Tensors<&'a [f32]>) -> Result<Self, TensorsError> {
        Self::of(views.iter().map(|(name, tensor)| (name, &tensor.shape, tensor.data)))
    }

    fn of<'b>(
        tensors: impl ExactSizeIterator<Item = (&'b String, &'b Vec<usize>, &'a [f32])>,
    ) -> Result<Self, TensorsError> {
        if tensors.len() > MAX_TENSORS {
            return Err(TensorsError::Header(format!("more than {MAX_TENSORS} tensors")));
        }
        let mut all = Vec::with_capacity(tensors.len());
        let mut header = String::from(r#"{"__metadata__":{"format":"pt"}"#);
        let mut end = 0;
        for (name, shape, data) in tensors {
            check_name(name).map_err(TensorsError::Header)?;
            if shape.len() > MAX_RANK {
                return Err(TensorsError::Header(format!("tensor {name:?} has more than {MAX_RANK} axes")));
            }
            if elements(shape) != Some(data.len() as u64) {
                return Err(TensorsError::Length {
                    name: name.clone(),
                    shape: shape.clone(),
                    found: data.len(),
                });
            }
            check_finite(name, data)?;
            all.push(data);
            let begin = end;
            end += 4 * data.len();
            let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            // The name needs no escapes: it is letters, digits, '.', '_' and '-'.
            header +=
                &format!(r#","{name}":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{begin},{end}]}}"#);
        }
        header.push('}');
        header += &" ".repeat(header.len().next_multiple_of(8) - header.len()); // the numbers begin at a multiple of 8
        Ok(Self { header, data: all })
    }
}

impl Contents for Encoded<'_> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(self.header.as_bytes())?;
        let mut bytes = Vec::with_capacity(4 * CHUNK);
        for chunk in self.data.iter().flat_map(|data| data.chunks(CHUNK)) {
            bytes.clear();
            bytes.extend(chunk.iter().flat_map(|x| x.to_le_bytes()));
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// Tensors as the bytes of a safetensors file, with the metadata `{"format": "pt"}` that other
/// programs look for. The same tensors give the same bytes.
///
/// # Errors
/// If a number is not finite (such weights are never saved), or a name, shape or the number of
/// tensors is not what [`decode`] would accept.
///
/// ```
/// use gpt::files::tensors::{Tensor, Tensors, decode, encode};
/// let tensors = Tensors::from([("wte.weight".to_string(), Tensor { shape: vec![1, 2], data: vec![0.5, -2.0] })]);
/// assert_eq!(decode(&encode(&tensors)?)?, tensors);
/// # Ok::<(), gpt::files::TensorsError>(())
/// ```
pub fn encode<D: Deref<Target = [f32]>>(tensors: &Tensors<D>) -> Result<Vec<u8>, TensorsError> {
    let mut bytes = Vec::new();
    Encoded::new(tensors)?.write_to(&mut bytes).expect("memory does not fail as a disk does");
    Ok(bytes)
}

/// The product of a shape, if it can be counted.
fn elements(shape: &[usize]) -> Option<u64> {
    // Zeros do not excuse the others: [0, 2^62, 2^62] overflows whoever multiplies from the right.
    let nonzero = shape.iter().map(|&n| (n as u64).max(1)).try_fold(1_u64, u64::checked_mul)?;
    nonzero.checked_mul(4)?;
    Some(if shape.contains(&0) { 0 } else { nonzero })
}

fn check_finite(name: &str, data: &[f32]) -> Result<(), TensorsError> {
    match data.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let (name, value) = (name.to_string(), data[index].to_string());
            Err(TensorsError::NotFinite { name, index, value })
        }
    }
}

/// The tensors in the bytes of a safetensors file, whatever they are.
///
/// # Errors
/// Anything that is not a plain file of finite f32 tensors; see [`TensorsError`].
pub fn decode(bytes: &[u8]) -> Result<Tensors, TensorsError> {
    read(bytes, &read_header(bytes)?)
}

/// The tensors whose names are wanted, as [`decode`], but numbers of 16 bits are widened, which is exact: of which types, is
/// returned, too. Others may be of any type. Errors are those of [`decode`].
pub(crate) fn decode_those(
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
) -> Result<(Tensors, BTreeSet<String>), TensorsError> {
    let mut header = parse_header(bytes)?;
    header.0.retain(|name, _| wanted(name));
    check_types(&header, |dtype| dtype == "F32" || half::widening(dtype).is_some())?;
    let widened = header.0.values().map(|entry| entry.dtype.clone()).filter(|dtype| dtype != "F32");
    Ok((read(bytes, &header)?, widened.collect()))
}

/// The tensors in the bytes of a safetensors file, if they are exactly the expected ones.
///
/// # Errors
/// As [`decode`], and [`TensorsError::Mismatch`] naming tensors that are missing, not expected, or of
/// another shape: found out before any of them is copied.
pub fn decode_expected(bytes: &[u8], expected: &[(String, Vec<usize>)]) -> Result<Tensors, TensorsError> {
    let header = read_header(bytes)?;
    let found = header.0.iter().map(|(name, entry)| (name.as_str(), entry.shape.0.as_slice()));
    compare(found.collect(), expected)?;
    read(bytes, &header)
}

/// Compares the names and shapes of tensors with those expected.
///
/// # Errors
/// [`TensorsError::Mismatch`].
pub fn check<D>(tensors: &Tensors<D>, expected: &[(String, Vec<usize>)]) -> Result<(), TensorsError> {
    compare(tensors.iter().map(|(name, t)| (name.as_str(), t.shape.as_slice())).collect(), expected)
}

fn compare(
    mut found: BTreeMap<&str, &[usize]>,
    expected: &[(String, Vec<usize>)],
) -> Result<(), TensorsError> {
    let mut problems = Vec::new();
    for (name, shape) in expected {
        match found.remove(name.as_str()) {
            None => problems.push(format!("{name} {shape:?} is missing")),
            Some(other) if other != shape => {
                problems.push(format!("{name} is {other:?}, expected {shape:?}"))
            }
            Some(_) => {}
        }
    }
    problems.extend(found.iter().map(|(name, shape)| format!("{name} {shape:?} is not expected")));
    if problems.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 6; // another model differs in every tensor: nobody reads them all
    let more = problems.len().saturating_sub(SHOWN);
    problems.truncate(SHOWN);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(TensorsError::Mismatch(problems.join("; ") + &rest))
}

fn read_header(bytes: &[u8]) -> Result<Header, TensorsError> {
    let header = parse_header(bytes)?;
    check_types(&header, |dtype| dtype == "F32")?;
    Ok(header)
}

fn check_types(header: &Header, known: impl Fn(&str) -> bool) -> Result<(), TensorsError> {
    match header.0.iter().find(|(_, entry)| !known(&entry.dtype)) {
        None => Ok(()),
        Some((name, entry)) => {
            let found: String = entry.dtype.chars().take(32).collect();
            Err(TensorsError::Type { name: name.clone(), found })
        }
    }
}

fn parse_header(bytes: &[u8]) -> Result<Header, TensorsError> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(TensorsError::HeaderLength {
            found: format!("a file of {} bytes", bytes.len()),
            rest: 0,
        });
    };
    let (length, available) = (u64::from_le_bytes(*length), rest.len() as u64);
    if length > MAX_HEADER_BYTES.min(available) {
        return Err(TensorsError::HeaderLength { found: length.to_string(), rest: available });
    }
    let header: Header = serde_json::from_slice(&rest[..length as usize])
        .map_err(|error| TensorsError::Header(error.to_string()))?;
    for (name, entry) in &header.0 {
        if elements(&entry.shape.0).is_none() {
            return Err(TensorsError::Header(format!(
                "the shape of {name:?} is too large: {:?}",
                entry.shape.0
            )));
        }
    }
    Ok(header)
}

fn read(bytes: &[u8], header: &Header) -> Result<Tensors, TensorsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| TensorsError::Header(error.to_string()))?;
    let mut tensors = Tensors::new();
    for (name, entry) in &header.0 {
        let view = file.tensor(name).map_err(|error| TensorsError::Header(error.to_string()))?;
        let data: Vec<f32> = match half::widening(&entry.dtype) {
            Some(widened) => {
                view.data().as_chunks().0.iter().map(|b| widened(u16::from_le_bytes(*b))).collect()
            }
            None => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        };
        check_finite(name, &data)?;
        tensors.insert(name.clone(), Tensor { shape: entry.shape.0.clone(), data });
    }
    Ok(tensors)
}

/// A model's parameters, to look at.
#[must_use]
pub fn views_of(params: &Params) -> Tensors<&[f32]> {
    let view = |id| Tensor { shape: params.shape(id).to_vec(), data: params.data(id) };
    params.ids().map(|id| (params.name(id).to_string(), view(id))).collect()
}

/// A copy of a model's parameters.
#[must_use]
pub fn from_params(params: &Params) -> Tensors {
    copied(&views_of(params))
}

/// A copy of tensors.
pub(crate) fn copied<D: Deref<Target = [f32]>>(tensors: &Tensors<D>) -> Tensors {
    let copy = |tensor: &Tensor<D>| Tensor { shape: tensor.shape.clone(), data: tensor.data.to_vec() };
    tensors.iter().map(|(name, tensor)| (name.clone(), copy(tensor))).collect()
}

/// Names and shapes of a model's parameters, for [`check`] and [`decode_expected`].
#[must_use]
pub fn shapes_of(params: &Params) -> Vec<(String, Vec<usize>)> {
    params.ids().map(|id| (params.name(id).to_string(), params.shape(id).to_vec())).collect()
}

/// Copies tensors into a model's parameters.
///
/// # Errors
/// [`TensorsError::Mismatch`] if they are not exactly the model's; then nothing is copied.
pub fn into_params(tensors: &Tensors, params: &mut Params) -> Result<(), TensorsError> {
    check(tensors, &shapes_of(params))?;
    for id in params.ids() {
        if let Some(tensor) = tensors.get(params.name(id)) {
            params.data_mut(id).copy_from_slice(&tensor.data);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tensors_tests.rs"]
mod tests;
