//! The images that a scenario makes.

use super::error::Problem;
use super::size;
use crate::image::ImageFormat;
use serde_json::{Map, Value};

/// An image to make, as `qemu-img create` would.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Image {
    /// A plain file name; the file is made in the run's own directory.
    pub filename: String,
    /// The format.
    pub format: ImageFormat,
    /// The size in bytes; none to have the size of the backing file.
    pub size: Option<u64>,
    /// The backing file that is written into the header.
    pub backing: Option<Backing>,
}

/// The backing file of an [`Image`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Backing {
    /// Its file name, as plain as the image's.
    pub filename: String,
    /// Its format; `qcow2` when the scenario says nothing.
    pub format: ImageFormat,
}

impl Image {
    /// The image that the value of an `image` member describes.
    pub(super) fn from_value(value: &Value) -> Result<Image, Problem> {
        const MEMBERS: [&str; 4] = ["filename", "format", "size", "backing"];
        let members = object(value, "image", &MEMBERS)?;
        let image = Image {
            filename: filename(members, "image")?,
            format: match members.get("format") {
                Some(name) => format(name)?,
                None => return Err(Problem::Missing { object: "image", member: "format" }),
            },
            size: members.get("size").map(bytes).transpose()?,
            backing: members.get("backing").map(Backing::from_value).transpose()?,
        };
        match (&image.backing, image.format) {
            (Some(_), ImageFormat::Raw) => Err(Problem::RawWithBacking),
            (None, _) if image.size.is_none() => {
                Err(Problem::Missing { object: "image", member: "size" })
            }
            _ => Ok(image),
        }
    }
}

impl Backing {
    fn from_value(value: &Value) -> Result<Backing, Problem> {
        if let Value::String(name) = value {
            return Ok(Backing { filename: plain(name)?, format: ImageFormat::Qcow2 });
        }
        let members = object(value, "backing", &["filename", "format"])?;
        let format = members.get("format").map(format).transpose()?;
        let format = format.unwrap_or(ImageFormat::Qcow2);
        Ok(Backing { filename: filename(members, "backing")?, format })
    }
}

fn object<'a>(
    value: &'a Value,
    object: &'static str,
    known: &[&str],
) -> Result<&'a Map<String, Value>, Problem> {
    let Value::Object(members) = value else {
        return Err(Problem::WrongType { member: object, expected: "an object" });
    };
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let known = known.join("`, `");
            Err(Problem::Unknown { object, member: key.clone(), known })
        }
        None => Ok(members),
    }
}

fn filename(members: &Map<String, Value>, object: &'static str) -> Result<String, Problem> {
    match members.get("filename") {
        Some(Value::String(name)) => plain(name),
        Some(_) => Err(Problem::WrongType { member: "filename", expected: "a string" }),
        None => Err(Problem::Missing { object, member: "filename" }),
    }
}

/// A scenario must not write outside its own directory, nor name a protocol or an option.
fn plain(name: &str) -> Result<String, Problem> {
    let odd =
        name.is_empty() || name.starts_with(['.', '-']) || name.contains(['/', ':', ',', '\0']);
    if odd { Err(Problem::NotPlain(name.to_owned())) } else { Ok(name.to_owned()) }
}

fn format(name: &Value) -> Result<ImageFormat, Problem> {
    let known = name.as_str().and_then(ImageFormat::from_name);
    known.ok_or_else(|| Problem::UnknownFormat(name.to_string()))
}

fn bytes(value: &Value) -> Result<u64, Problem> {
    let size = match value {
        Value::String(text) => size::parse(text),
        Value::Number(number) => number.as_u64().filter(|bytes| *bytes <= i64::MAX as u64),
        _ => None,
    };
    size.ok_or_else(|| Problem::NotASize(value.to_string()))
}
