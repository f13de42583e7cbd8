use super::*;
use crate::scenario::{Action, Image, Scenario};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

const IMAGES: &str = concat!(
    r#"{"image": {"filename": "a.qcow2", "format": "qcow2", "size": "1M"}}"#,
    "\n",
    r#"{"image": {"filename": "empty.qcow2", "format": "qcow2", "size": 0}}"#,
    "\n",
    r#"{"image": {"filename": "odd.qcow2", "format": "qcow2", "size": 1000}}"#,
    "\n",
    r#"{"image": {"filename": "half.qcow2", "format": "qcow2", "size": "512M"}}"#,
    "\n",
    r#"{"image": {"filename": "more.qcow2", "format": "qcow2", "size": "512.001M"}}"#,
    "\n",
    r#"{"image": {"filename": "large.qcow2", "format": "qcow2", "size": "10G"}}"#,
    "\n",
    r#"{"image": {"filename": "huge.qcow2", "format": "qcow2", "size": "64T"}}"#,
    "\n",
    r#"{"image": {"filename": "a.raw", "format": "raw", "size": "64K"}}"#,
    "\n",
    r#"{"image": {"filename": "odd.raw", "format": "raw", "size": 1000}}"#,
    "\n",
    r#"{"image": {"filename": "over.qcow2", "format": "qcow2", "backing": "a.qcow2"}}"#,
    "\n",
    r#"{"image": {"filename": "smaller.qcow2", "format": "qcow2", "size": "64K","#,
    r#" "backing": {"filename": "a.qcow2", "format": "qcow2"}}}"#,
    "\n",
    r#"{"image": {"filename": "onraw.qcow2", "format": "qcow2","#,
    r#" "backing": {"filename": "odd.raw", "format": "raw"}}}"#,
    "\n",
);

fn images(text: &str) -> Vec<Image> {
    let scenario = Scenario::parse(Path::new("x.qmp"), text).unwrap();
    let images = scenario.lines.into_iter().map(|line| match line.action {
        Action::Image(image) => image,
        Action::Command(_) => panic!("an image"),
    });
    images.collect()
}

fn declared() -> DeclaredImages {
    let mut declared = DeclaredImages::default();
    images(IMAGES).iter().for_each(|image| declared.create(image).unwrap());
    declared
}

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("blkperm-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn qemu_img(directory: &Path, arguments: &[&str]) -> bool {
    match Command::new("qemu-img").args(arguments).current_dir(directory).status() {
        Ok(status) => {
            assert!(status.success(), "qemu-img {arguments:?}");
            true
        }
        Err(error) => {
            println!("skipped: qemu-img: {error}");
            false
        }
    }
}

#[test]
fn declared_images_are_those_that_qemu_img_makes() {
    let (scratch, declared) = (Scratch::new("declared"), declared());
    let directory = Directory::new(&scratch.0);
    for image in images(IMAGES) {
        let size = image.size.map(|bytes| bytes.to_string());
        let mut arguments = vec!["create", "-q", "-f", image.format.name()];
        if let Some(backing) = &image.backing {
            arguments.extend(["-b", &backing.filename, "-F", backing.format.name()]);
        }
        arguments.push(&image.filename);
        arguments.extend(size.as_deref());
        if !qemu_img(&scratch.0, &arguments) {
            return;
        }
        let name = &image.filename;
        assert_eq!(declared.probe(name).unwrap(), directory.probe(name).unwrap(), "{name}");
    }
}

#[test]
fn a_declared_image_has_the_length_of_a_fresh_one() {
    let header = declared().probe("./a.qcow2").unwrap();
    assert_eq!((header.virtual_size, header.file_length), (1 << 20, 196_616));
    let header = declared().probe("onraw.qcow2").unwrap();
    assert_eq!(header.virtual_size, 1024);
    assert_eq!(header.backing_file.as_deref(), Some("odd.raw"));
    assert_eq!(header.backing_format.as_deref(), Some("raw"));
}

#[test]
fn a_backing_file_must_be_declared_before() {
    let line = r#"{"image": {"filename": "a", "format": "qcow2", "size": 1, "backing": "b"}}"#;
    let error = DeclaredImages::default().create(&images(line)[0]).unwrap_err();
    assert_eq!(error.to_string(), "No such file or directory");
}

#[test]
fn an_image_with_a_data_file_names_it_and_none_is_opened() {
    let scratch = Scratch::new("data");
    let options = "data_file=d.raw";
    if !qemu_img(&scratch.0, &["create", "-q", "-f", "qcow2", "-o", options, "x.qcow2", "1M"]) {
        return;
    }
    fs::remove_file(scratch.0.join("d.raw")).unwrap();
    let header = Directory::new(&scratch.0).probe("x.qcow2").unwrap();
    assert_eq!(header.data_file.as_deref(), Some("d.raw"));
}

#[test]
fn what_is_no_qcow2_image_is_raw() {
    let scratch = Scratch::new("raw");
    let directory = Directory::new(&scratch.0);
    for bytes in [b"".as_slice(), b"QFI\xfb", b"QFI\xfb\0\0\0\x01", b"plain text"] {
        fs::write(scratch.0.join("x"), bytes).unwrap();
        let header = directory.probe("x").unwrap();
        assert_eq!((header.format, header.file_length), (ImageFormat::Raw, bytes.len() as u64));
        assert_eq!(header.virtual_size, if bytes.is_empty() { 0 } else { 512 });
    }
}

#[test]
fn an_unusable_file_tells_why() {
    let scratch = Scratch::new("unusable");
    let directory = Directory::new(&scratch.0);
    fs::create_dir(scratch.0.join("directory")).unwrap();
    fs::write(scratch.0.join("cut"), b"QFI\xfb\0\0\0\x03").unwrap();
    assert!(matches!(directory.probe("missing"), Err(ImageError::NotFound)));
    assert!(matches!(directory.probe("directory"), Err(ImageError::IsADirectory)));
    let error = directory.probe("cut").unwrap_err();
    assert!(matches!(error, ImageError::BadQcow2(_)), "{error:?}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn probing_changes_nothing() {
    let scratch = Scratch::new("unchanged");
    if !qemu_img(&scratch.0, &["create", "-q", "-f", "qcow2", "x.qcow2", "1M"]) {
        return;
    }
    let file = scratch.0.join("x.qcow2");
    let before = (fs::read(&file).unwrap(), file.metadata().unwrap().modified().unwrap());
    Directory::new(&scratch.0).probe("x.qcow2").unwrap();
    assert_eq!((fs::read(&file).unwrap(), file.metadata().unwrap().modified().unwrap()), before);
}
