//! The drivers for image formats that need few options.

use serde::{Deserialize, Serialize};

use super::{BlockdevRef, BlockdevRefOrNull, KeySecret};
use crate::command::enums::qapi_enum;

/// Options of drivers that have nothing but a child.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsGenericFormat {
    /// The child.
    pub file: BlockdevRef,
}

/// Options of formats that have nothing but a child and a backing file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsGenericCowFormat {
    /// The child.
    pub file: BlockdevRef,
    /// The backing file; by default the one that the image names.
    pub backing: Option<BlockdevRefOrNull>,
}

/// Options of the driver `qcow`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BlockdevOptionsQcow {
    /// The child.
    pub file: BlockdevRef,
    /// The backing file; by default the one that the image names.
    pub backing: Option<BlockdevRefOrNull>,
    /// How to decrypt the image.
    pub encrypt: Option<BlockdevQcowEncryption>,
}

/// How to decrypt a `qcow` image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename = "union BlockdevQcowEncryption")]
pub struct BlockdevQcowEncryption {
    /// What all formats have.
    pub base: BlockdevQcowEncryptionBase,
    /// What the format adds.
    #[serde(rename = "format")]
    pub options: QcowEncryptionOptions,
}

/// What all formats of encryption have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BlockdevQcowEncryptionBase {
    /// The format.
    pub format: BlockdevQcowEncryptionFormat,
}

qapi_enum! {
    /// The formats of encryption of `qcow`.
    pub enum BlockdevQcowEncryptionFormat {
        Aes = "aes",
    }
}

/// The formats of encryption of `qcow`, with their options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QcowEncryptionOptions {
    /// The only one.
    Aes(KeySecret),
}

/// Options of the driver `luks`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BlockdevOptionsLuks {
    /// The child with the data, and with the header unless that is detached.
    pub file: BlockdevRef,
    /// The object with the key.
    pub key_secret: Option<String>,
    /// The child with the header.
    pub header: Option<BlockdevRef>,
}
