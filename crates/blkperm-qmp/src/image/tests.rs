use super::*;
use crate::scenario::{Action, Image, Scenario};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, process};

/// Images of all formats: options of `image` but its name.
const IMAGES: &[&str] = &[
    r#""format": "qcow2", "size": "1M""#,
    r#""format": "qcow2", "size": 0"#,
    r#""format": "qcow2", "size": 1000"#,
    r#""format": "qcow2", "size": "512M""#,
    r#""format": "qcow2", "size": "512.001M""#,
    r#""format": "qcow2", "size": "10G""#,
    r#""format": "qcow2", "size": "64T""#,
    r#""format": "raw", "size": "64K""#,
    r#""format": "raw", "size": 1000"#,
    r#""format": "qcow2", "backing": "x0""#,
    r#""format": "qcow2", "size": "64K", "backing": {"filename": "x0", "format": "qcow2"}"#,
    r#""format": "qcow2", "backing": {"filename": "x8", "format": "raw"}"#,
    r#""format": "qcow2", "size": "1M", "options": {"data_file": "data.raw"}"#,
    r#""format": "qcow2", "size": "1M", "options": {"data_file": "d2", "data_file_raw": "on"}"#,
    r#""format": "qcow", "size": 1000"#,
    r#""format": "qcow", "size": "10G""#,
    r#""format": "qcow", "size": "1M", "backing": "x0""#,
    r#""format": "qed", "size": "1M""#,
    r#""format": "qed", "size": "200G""#,
    r#""format": "qed", "backing": "x0""#,
    r#""format": "qed", "backing": {"filename": "x8", "format": "raw"}"#,
    r#""format": "vdi", "size": 0"#,
    r#""format": "vdi", "size": 1000"#,
    r#""format": "vdi", "size": "10G""#,
    r#""format": "vhdx", "size": "1M""#,
    r#""format": "vhdx", "size": "10G""#,
    r#""format": "vhdx", "size": "200G""#,
    r#""format": "vhdx", "size": "40T""#,
    r#""format": "vpc", "size": 0"#,
    r#""format": "vpc", "size": 1000"#,
    r#""format": "vpc", "size": "1M""#,
    r#""format": "vpc", "size": 1049088"#,
    r#""format": "vpc", "size": "300M""#,
    r#""format": "vpc", "size": "512M""#,
    r#""format": "vpc", "size": "10G""#,
    r#""format": "vpc", "size": "40G""#,
    r#""format": "vpc", "size": "200G""#,
    r#""format": "parallels", "size": 0"#,
    r#""format": "parallels", "size": "1M""#,
    r#""format": "parallels", "size": "3T""#,
    r#""format": "vmdk", "size": 1000"#,
    r#""format": "vmdk", "size": "1M""#,
    r#""format": "vmdk", "size": "10G""#,
    r#""format": "vmdk", "backing": {"filename": "x41", "format": "vmdk"}"#,
    r#""format": "vmdk", "size": "1M", "options": {"subformat": "monolithicFlat"}"#,
    r#""format": "vmdk", "size": "3G", "options": {"subformat": "twoGbMaxExtentSparse"}"#,
    r#""format": "vmdk", "size": "3G", "options": {"subformat": "twoGbMaxExtentFlat"}"#,
    r#""format": "vmdk", "size": "1M", "options": {"subformat": "streamOptimized"}"#,
    r#""format": "luks", "size": "1M", "secret": "open, sesame""#,
];

/// All of them, the first one called `x0`.
fn all_images() -> Vec<Image> {
    let line = |(number, rest): (usize, &&str)| {
        format!("{{\"image\": {{\"filename\": \"x{number}\", {rest}}}}}\n")
    };
    images(&IMAGES.iter().enumerate().map(line).collect::<String>())
}

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
    all_images().iter().for_each(|image| declared.create(image).unwrap());
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
    run("qemu-img", directory, arguments)
}

/// Runs a program of QEMU's; returns whether it is there.
fn run(program: &str, directory: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    match command.args(arguments).current_dir(directory).stdout(Stdio::null()).status() {
        Ok(status) => {
            assert!(status.success(), "{program} {arguments:?}");
            true
        }
        Err(error) => {
            println!("skipped: {program}: {error}");
            false
        }
    }
}

/// A passphrase is in no header, what is mapped only in a file's tables, and the length of a description is known but by whole sectors.
fn assert_same(declared: &DeclaredImages, directory: &Directory, filename: &str) {
    let known = |header: ImageHeader| ImageHeader {
        mapped: Mapped::Bytes(Vec::new()),
        passphrase: None,
        file_length: match header.extents.is_empty() {
            true => header.file_length,
            false => whole_sectors(header.file_length),
        },
        ..header
    };
    let [declared, real] = [declared.probe(filename), directory.probe(filename)];
    assert_eq!(known(declared.unwrap()), known(real.unwrap()), "{filename}");
}

#[test]
fn declared_images_are_those_that_qemu_img_makes() {
    let (scratch, declared) = (Scratch::new("declared"), declared());
    let directory = Directory::new(&scratch.0);
    for image in all_images() {
        let arguments = image.qemu_img_arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if !qemu_img(&scratch.0, &arguments) {
            return;
        }
        assert_same(&declared, &directory, &image.filename);
        let header = directory.probe(&image.filename).unwrap();
        for other in header.extents.iter().map(|extent| &extent.filename).chain(&header.data_file) {
            assert_same(&declared, &directory, other);
        }
    }
}

#[test]
fn a_qcow2_image_has_the_bytes_that_its_tables_map() {
    let scratch = Scratch::new("mapped");
    let is_made = ["plain.qcow2", "outside.qcow2"].map(|name| {
        let options = if name == "plain.qcow2" { "compat=1.1" } else { "data_file=outside.data" };
        let create = ["create", "-q", "-f", "qcow2", "-o", options, name, "1G"];
        let write =
            ["-c", "write 100k 1k", "-c", "write 512M 128k", "-c", "write -z 64M 64k", name];
        qemu_img(&scratch.0, &create) && run("qemu-io", &scratch.0, &write)
    });
    if is_made != [true; 2] {
        return;
    }
    const K: u64 = 1 << 10;
    let directory = Directory::new(&scratch.0);
    for name in ["plain.qcow2", "outside.qcow2"] {
        let header = directory.probe(name).unwrap();
        let mut bytes = header.own_bytes();
        bytes.dedup_by(|next, last| {
            let touches = last.end == next.start;
            touches.then(|| last.end = next.end).is_some()
        });
        let expected = [64 * K..128 * K, 65_536 * K..65_600 * K, 524_288 * K..524_416 * K];
        assert_eq!(bytes, expected, "{name}");
    }
    let fresh = ImageHeader::fresh(ImageFormat::Qcow2, 1 << 30, None);
    assert_eq!(fresh.own_bytes(), []);
}

#[test]
fn a_qcow2_image_larger_than_its_table_is_refused() {
    const SIZE_AT: u64 = 24;
    let scratch = Scratch::new("too-large");
    if !qemu_img(&scratch.0, &["create", "-q", "-f", "qcow2", "x.qcow2", "1M"]) {
        return;
    }
    let directory = Directory::new(&scratch.0);
    let file = fs::OpenOptions::new().write(true).open(scratch.0.join("x.qcow2")).unwrap();
    for (size, is_accepted) in [(512 << 20, true), (513 << 20, false), (1 << 60, false)] {
        file.write_all_at(&u64::to_be_bytes(size), SIZE_AT).unwrap();
        let header = directory.probe("x.qcow2");
        assert_eq!(header.is_ok(), is_accepted, "{size}: {header:?}");
    }
}

#[test]
fn a_declared_image_has_the_length_of_a_fresh_one() {
    let header = declared().probe("./x0").unwrap();
    assert_eq!((header.virtual_size, header.file_length), (1 << 20, 196_616));
    let header = declared().probe("x11").unwrap();
    assert_eq!(header.virtual_size, 1024);
    assert_eq!(header.backing_file.as_deref(), Some("x8"));
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
    for bytes in [b"".as_slice(), b"QFI\xfb", b"QFI\xfb\0\0\0\0", b"plain text"] {
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
    assert!(matches!(error, ImageError::BadImage(_)), "{error:?}");
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

#[test]
fn what_is_put_into_a_directory_is_not_written() {
    let scratch = Scratch::new("imagined");
    fs::write(scratch.0.join("there"), b"raw").unwrap();
    fs::create_dir(scratch.0.join("folder")).unwrap();
    let mut directory = Directory::new(&scratch.0);
    let header = ImageHeader::fresh(ImageFormat::Qcow2, 1 << 20, Some(("there", "raw")));
    let before = directory.fork();
    for filename in ["there", "new", "folder/new"] {
        directory.insert(filename, header.clone()).unwrap();
        assert_eq!(directory.probe(filename).unwrap(), header, "{filename}");
    }
    assert_eq!(fs::read(scratch.0.join("there")).unwrap(), b"raw");
    assert!(!scratch.0.join("new").exists());
    assert_eq!(before.probe("there").unwrap().format, ImageFormat::Raw);
    directory.remove("there");
    assert!(matches!(directory.probe("there"), Err(ImageError::NotFound)));
    for filename in ["", "nosuch/new"] {
        let refused = directory.insert(filename, header.clone());
        assert!(matches!(refused, Err(ImageError::NotFound)), "{filename}");
    }
    let refused = directory.insert("folder", header);
    assert!(matches!(refused, Err(ImageError::IsADirectory)));
}
