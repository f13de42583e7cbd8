//! How images are opened.

use blkperm_graph::driver::{RAW, RAW_OFFSET, RAW_SIZED};
use blkperm_graph::{Driver, NodeId, Role, Rule};
use serde_json::json;

use super::driver::size_option;
use super::{Opening, backing};
use crate::command::blockdev::{
    BlockdevOptions, BlockdevOptionsLuks, BlockdevOptionsQcow2, BlockdevOptionsRaw, BlockdevRef,
};
use crate::image::ImageFormat;
use crate::monitor::{Failed, Monitor};
use crate::qapi;

const SECTOR: u64 = 512;

/// The file with an image's metadata, where the data are elsewhere.
const METADATA: Role = Role::METADATA.union(Role::PRIMARY);

/// The driver of a raw node with these options: it may show but a part of its child.
pub(in crate::monitor) fn raw_driver(offset: Option<i64>, size: Option<i64>) -> &'static Driver {
    match (offset, size) {
        (_, Some(_)) => &RAW_SIZED,
        (None | Some(0), None) => &RAW,
        (Some(_), None) => &RAW_OFFSET,
    }
}

/// Where a raw node begins in its child, and its size if that was given.
///
/// Source: `raw_read_options` in `block/raw-format.c`, QEMU 10.0.
pub(in crate::monitor) fn raw_window(
    offset: Option<i64>,
    size: Option<i64>,
) -> Result<(u64, Option<u64>), Failed> {
    Ok((size_option("offset", offset)?.unwrap_or(0), size_option("size", size)?))
}

/// The length of a raw node over a child that is `whole` bytes long.
///
/// Source: `raw_apply_options`.
pub(in crate::monitor) fn raw_length(
    whole: u64,
    (offset, size): (u64, Option<u64>),
) -> Result<u64, Failed> {
    let Some(rest) = whole.checked_sub(offset) else {
        return Err(Failed::generic(format!(
            "Offset ({offset}) cannot be greater than size of the containing file ({whole})"
        )));
    };
    let Some(size) = size else { return Ok(rest) };
    if size > rest {
        return Err(Failed::generic(format!(
            "The sum of offset ({offset}) and size ({size}) has to be smaller or equal to the  \
             actual size of the containing file ({whole})"
        )));
    }
    if !size.is_multiple_of(SECTOR) {
        return Err(Failed::generic("Specified size is not multiple of 512"));
    }
    Ok(size)
}

/// The definition of the node for a file that an image names.
fn file_definition(filename: &str) -> Option<BlockdevRef> {
    let file = json!({"driver": "file", "filename": filename});
    let options = qapi::from_arguments::<BlockdevOptions>(file.as_object()?).ok()?;
    Some(BlockdevRef::Definition(Box::new(options)))
}

impl<R: Rule> Monitor<R> {
    /// Source: `raw_open` in `block/raw-format.c`, QEMU 10.0.
    pub(super) fn open_raw(
        &mut self,
        opening: Opening,
        raw: &BlockdevOptionsRaw,
    ) -> Result<u64, Failed> {
        let window = raw_window(raw.offset, raw.size)?;
        let is_whole = raw_driver(raw.offset, raw.size) == &RAW;
        let role = if is_whole { Role::FILTERED } else { Role::DATA };
        let file = self.attach_file(opening, role | Role::PRIMARY)?;
        let length = raw_length(self.layer.graph.length(file), window)?;
        Ok(length)
    }

    /// Opens an image that is all in one file.
    pub(super) fn open_format(
        &mut self,
        opening: Opening,
        format: ImageFormat,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, Role::IMAGE)?;
        match self.read_header(opening.node, file, format) {
            Some(header) => Ok(header.virtual_size),
            None => Err(self.not_in_format(file, format)),
        }
    }

    /// The complaint about an image that is in another format.
    fn not_in_format(&self, file: NodeId, format: ImageFormat) -> Failed {
        Failed::generic(match format {
            ImageFormat::Qcow2 => "Image is not in qcow2 format".to_owned(),
            ImageFormat::Qcow => "Image not in qcow format".to_owned(),
            ImageFormat::Qed => "Image not in QED format".to_owned(),
            ImageFormat::Vdi => "Image not in VDI format (bad signature 00000000)".to_owned(),
            ImageFormat::Vpc => "invalid VPC image".to_owned(),
            ImageFormat::Parallels => "Image not in Parallels format".to_owned(),
            ImageFormat::Vmdk => "invalid VMDK image descriptor".to_owned(),
            ImageFormat::Luks => "Volume is not in LUKS format".to_owned(),
            ImageFormat::Vhdx | ImageFormat::Raw => {
                format!("Could not open '{}': Invalid argument", self.filename(file))
            }
        })
    }

    /// Source: `qcow2_do_open` in `block/qcow2.c`, QEMU 10.0.
    pub(super) fn open_qcow2(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsQcow2,
    ) -> Result<u64, Failed> {
        let file = opening.file();
        let header = self.read_header(opening.node, file, ImageFormat::Qcow2);
        let named = header.as_ref().and_then(|header| header.data_file.clone());
        // Without data the file has but metadata, which shows only once somebody uses the node.
        self.attach_file(opening, if named.is_some() { METADATA } else { Role::IMAGE })?;
        let opened = match header {
            Some(header) => self.open_data_file(opening, options, named).map(|()| header),
            None => Err(self.not_in_format(file, ImageFormat::Qcow2)),
        };
        Ok(opened.inspect_err(|_| self.layer.drain_all())?.virtual_size)
    }

    fn open_data_file(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsQcow2,
        named: Option<String>,
    ) -> Result<(), Failed> {
        let definition = match (&options.data_file, &named) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(named)) => file_definition(named).filter(|_| !named.is_empty()),
            (None, None) => None,
        };
        if let Some(definition) = &definition {
            self.open_further(opening, "data-file", definition, Role::DATA)?;
        }
        match (definition, named) {
            (None, Some(_)) => Err(Failed::generic("'data-file' is required for this image")),
            (Some(_), None) => {
                let desc = "'data-file' can only be set for images with an external data file";
                Err(Failed::generic(desc))
            }
            _ => Ok(()),
        }
    }

    /// Source: `vmdk_open`, `vmdk_parse_extents` in `block/vmdk.c`, QEMU 10.0.
    pub(super) fn open_vmdk(&mut self, opening: Opening) -> Result<u64, Failed> {
        let file = opening.file();
        let header = self.read_header(opening.node, file, ImageFormat::Vmdk);
        let extents = header.as_ref().map_or(&[][..], |header| &header.extents);
        self.attach_file(opening, if extents.is_empty() { Role::IMAGE } else { METADATA })?;
        let Some(header) = &header else {
            self.layer.drain_all();
            return Err(self.not_in_format(file, ImageFormat::Vmdk));
        };
        for (number, extent) in header.extents.iter().enumerate() {
            let path = backing::relative_to(&self.filename(file), &extent.filename);
            let role = if extent.is_sparse { Role::DATA | Role::METADATA } else { Role::DATA };
            if let Some(definition) = file_definition(&path) {
                self.open_further(opening, &format!("extents.{number}"), &definition, role)?;
            }
        }
        Ok(header.virtual_size)
    }

    /// Source: `block_crypto_open_generic` in `block/crypto.c`, `qcrypto_block_luks_open` in
    /// `crypto/block-luks.c`, QEMU 10.0.
    pub(super) fn open_luks(
        &mut self,
        opening: Opening,
        options: &BlockdevOptionsLuks,
    ) -> Result<u64, Failed> {
        let file = self.attach_file(opening, Role::IMAGE)?;
        let detached = match &options.header {
            Some(header) => Some(self.open_further(opening, "header", header, Role::METADATA)?),
            None => None,
        };
        let Some(secret) = &options.key_secret else {
            return Err(Failed::generic("Parameter 'key-secret' is required for cipher"));
        };
        let passphrase = self.objects.secret(secret)?.to_vec();
        let header = self.header_of(detached.unwrap_or(file), ImageFormat::Luks);
        let Some(header) = header else {
            return Err(self.not_in_format(file, ImageFormat::Luks));
        };
        // Of a real image nobody knows.
        if header.passphrase.as_ref().is_some_and(|right| right.as_bytes() != passphrase) {
            return Err(Failed::generic("Invalid password, cannot unlock any keyslot"));
        }
        let payload = match detached {
            Some(_) => 0,
            None => header.file_length.saturating_sub(header.virtual_size),
        };
        let name = self.layer.graph.name(opening.node).to_owned();
        self.nodes.get_mut(&name).payload = Some(payload);
        Ok(self.layer.graph.length(file).saturating_sub(payload))
    }
}
