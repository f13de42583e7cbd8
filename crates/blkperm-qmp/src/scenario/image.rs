//! The images that a scenario makes.

use super::error::Problem;
use super::size;
use crate::image::ImageFormat;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

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
    /// The format's own options, as `qemu-img create -o` takes them.
    pub options: BTreeMap<String, String>,
    /// The passphrase of an encrypted image.
    pub secret: Option<String>,
}

/// The backing file of an [`Image`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Backing {
    /// Its file name, as plain as the image's.
    pub filename: String,
    /// Its format; `qcow2` when the scenario says nothing.
    pub format: ImageFormat,
}

/// The options that images can be made with, by format.
const OPTIONS: &[(ImageFormat, &[&str])] =
    &[(ImageFormat::Qcow2, &["data_file", "data_file_raw"]), (ImageFormat::Vmdk, &["subformat"])];

impl Image {
    /// An image without anything special.
    pub fn new(filename: impl Into<String>, format: ImageFormat, size: Option<u64>) -> Image {
        Image {
            filename: filename.into(),
            format,
            size,
            backing: None,
            options: BTreeMap::new(),
            secret: None,
        }
    }

    /// The image that the value of an `image` member describes.
    pub(super) fn from_value(value: &Value) -> Result<Image, Problem> {
        const MEMBERS: [&str; 6] = ["filename", "format", "size", "backing", "options", "secret"];
        let members = object(value, "image", &MEMBERS)?;
        let format = match members.get("format") {
            Some(name) => format(name)?,
            None => return Err(Problem::Missing { object: "image", member: "format" }),
        };
        let image = Image {
            filename: filename(members, "image")?,
            format,
            size: members.get("size").map(bytes).transpose()?,
            backing: members.get("backing").map(Backing::from_value).transpose()?,
            options: members
                .get("options")
                .map(|value| options(value, format))
                .transpose()?
                .unwrap_or_default(),
            secret: members.get("secret").map(secret).transpose()?,
        };
        match (&image.backing, image.format) {
            (Some(_), format) if !has_backing(format) => Err(Problem::NoBacking(format)),
            (None, _) if image.size.is_none() => {
                Err(Problem::Missing { object: "image", member: "size" })
            }
            (_, ImageFormat::Luks) if image.secret.is_none() => {
                Err(Problem::Missing { object: "image", member: "secret" })
            }
            _ => Ok(image),
        }
    }

    /// The external data file of a qcow2 image.
    pub fn data_file(&self) -> Option<&str> {
        self.options.get("data_file").map(String::as_str)
    }

    /// Whether the data file is to be one that can be used without the image.
    pub fn data_file_is_raw(&self) -> bool {
        self.options.get("data_file_raw").is_some_and(|value| value == "on")
    }

    /// How a vmdk image keeps its data.
    pub fn subformat(&self) -> VmdkSubformat {
        let name = self.options.get("subformat").map_or("", String::as_str);
        VmdkSubformat::from_name(name).unwrap_or(VmdkSubformat::MonolithicSparse)
    }

    /// The arguments with which `qemu-img` makes the image.
    pub fn qemu_img_arguments(&self) -> Vec<String> {
        let mut arguments = ["create", "-q", "-f", self.format.name()].map(str::to_owned).to_vec();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if let Some(backing) = &self.backing {
            option("-b", backing.filename.clone());
            option("-F", backing.format.name().to_owned());
        }
        for (name, value) in &self.options {
            option("-o", format!("{name}={}", value.replace(',', ",,")));
        }
        if let Some(secret) = &self.secret {
            // Deriving the key from the passphrase is to take no time.
            let secret = secret.replace(',', ",,");
            option("--object", format!("secret,id=passphrase,data={secret}"));
            option("-o", "key-secret=passphrase,iter-time=10".to_owned());
        }
        arguments.extend(["--".to_owned(), self.filename.clone()]);
        arguments.extend(self.size.map(|bytes| bytes.to_string()));
        arguments
    }
}

/// How a vmdk image keeps its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VmdkSubformat {
    /// In one file.
    MonolithicSparse,
    /// In one raw file beside the description.
    MonolithicFlat,
    /// In sparse files of 2 GiB at most.
    TwoGbMaxExtentSparse,
    /// In raw files of 2 GiB at most.
    TwoGbMaxExtentFlat,
    /// In one file, compressed.
    StreamOptimized,
}

impl VmdkSubformat {
    const ALL: [VmdkSubformat; 5] = [
        VmdkSubformat::MonolithicSparse,
        VmdkSubformat::MonolithicFlat,
        VmdkSubformat::TwoGbMaxExtentSparse,
        VmdkSubformat::TwoGbMaxExtentFlat,
        VmdkSubformat::StreamOptimized,
    ];

    /// What QEMU calls it.
    pub fn name(self) -> &'static str {
        match self {
            VmdkSubformat::MonolithicSparse => "monolithicSparse",
            VmdkSubformat::MonolithicFlat => "monolithicFlat",
            VmdkSubformat::TwoGbMaxExtentSparse => "twoGbMaxExtentSparse",
            VmdkSubformat::TwoGbMaxExtentFlat => "twoGbMaxExtentFlat",
            VmdkSubformat::StreamOptimized => "streamOptimized",
        }
    }

    fn from_name(name: &str) -> Option<VmdkSubformat> {
        VmdkSubformat::ALL.into_iter().find(|subformat| subformat.name() == name)
    }
}

/// Whether images of the format can name a backing file when they are made.
fn has_backing(format: ImageFormat) -> bool {
    use ImageFormat::{Qcow, Qcow2, Qed, Vmdk};
    matches!(format, Qcow | Qcow2 | Qed | Vmdk)
}

/// The options of an image of this format.
fn options(value: &Value, format: ImageFormat) -> Result<BTreeMap<String, String>, Problem> {
    let of_format = OPTIONS.iter().find(|(one, _)| *one == format);
    let members = object(value, "options", of_format.map_or(&[], |(_, names)| names))?;
    let mut options = BTreeMap::new();
    for (name, value) in members {
        let Value::String(text) = value else {
            return Err(Problem::WrongType { member: "options", expected: "an object of strings" });
        };
        let text = match name.as_str() {
            "data_file" => plain(text)?,
            "subformat" if VmdkSubformat::from_name(text).is_none() => {
                return Err(Problem::UnknownSubformat(text.clone()));
            }
            _ => text.clone(),
        };
        options.insert(name.clone(), text);
    }
    Ok(options)
}

fn secret(value: &Value) -> Result<String, Problem> {
    let text = value.as_str().filter(|text| !text.is_empty());
    let wrong = Problem::WrongType { member: "secret", expected: "a string that is not empty" };
    text.map(str::to_owned).ok_or(wrong)
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
