//! What a recipe works with: the dice, the world as it is, and fresh names.

use std::collections::{HashMap, HashSet};

use blkperm_qmp::image::ImageFormat;
use blkperm_qmp::scenario::Image;
use serde_json::{Map, Value};

use crate::dice::Dice;
use crate::world::{Node, World};

/// What a recipe works with.
pub(crate) struct Scene {
    pub(crate) dice: Dice,
    pub(crate) world: World,
    /// The images that were made, each after its backing file.
    pub(crate) images: Vec<Image>,
    /// The nodes whose backing files are those that their images name.
    pub(crate) by_header: Vec<String>,
    /// The files that are or were open.
    used: HashSet<String>,
    /// The options with which nodes were opened, by their names.
    definitions: HashMap<String, Map<String, Value>>,
    /// Whether a job was started, or tried to be, or a node was resized.
    pub(crate) has_changed_images: bool,
    named: u32,
}

impl Scene {
    pub(crate) fn new(dice: Dice) -> Scene {
        Scene {
            dice,
            world: World::default(),
            images: Vec::new(),
            by_header: Vec::new(),
            used: HashSet::new(),
            definitions: HashMap::new(),
            has_changed_images: false,
            named: 0,
        }
    }

    /// A name that was not used yet; the letter says for what.
    pub(crate) fn fresh(&mut self, letter: char) -> String {
        self.named += 1;
        format!("{letter}{}", self.named)
    }

    /// A name for something new: almost always fresh, at times taken or malformed.
    pub(crate) fn name(&mut self, letter: char, taken: &[String]) -> String {
        if self.dice.chance(97) {
            return self.fresh(letter);
        }
        let odd = ["1x", "", "x/y", "name-of-thirty-two-characters-xx"].map(str::to_owned);
        let candidates: Vec<String> = taken.iter().cloned().chain(odd).collect();
        self.dice.pick(&candidates).unwrap_or_default()
    }

    /// The names of all nodes that can be addressed.
    pub(crate) fn node_names(&self) -> Vec<String> {
        self.world.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// One of the nodes that `wanted` says, mostly; at times any, or one that does not exist.
    pub(crate) fn node(&mut self, wanted: impl Fn(&Node) -> bool) -> Option<String> {
        let names = |nodes: &[&Node]| -> Vec<String> {
            nodes.iter().map(|node| node.name.clone()).collect()
        };
        let all: Vec<&Node> = self.world.nodes.iter().collect();
        let fitting: Vec<&Node> = all.iter().copied().filter(|node| wanted(node)).collect();
        let (all, fitting) = (names(&all), names(&fitting));
        match self.dice.below(100) {
            0 | 1 => Some("nosuch".to_owned()),
            2..=5 => self.dice.pick(&all),
            6..=14 => self.dice.pick(&fitting).or_else(|| self.dice.pick(&all)),
            _ => self.dice.pick(&fitting),
        }
    }

    /// The image with that filename.
    pub(crate) fn image(&self, filename: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.filename == filename)
    }

    /// An image and its backing files as their headers name them, from the top down.
    pub(crate) fn headers(&self, image: &Image) -> Vec<&Image> {
        let mut chain = Vec::new();
        let mut next = self.image(&image.filename);
        while let Some(image) = next {
            chain.push(image);
            next = image.backing.as_ref().and_then(|backing| self.image(&backing.filename));
        }
        chain
    }

    /// The options with which the node of that name was opened.
    pub(crate) fn definition(&self, name: &str) -> Option<Map<String, Value>> {
        self.definitions.get(name).cloned()
    }

    /// Takes note of the nodes that a command opens.
    pub(crate) fn note(&mut self, command: &Value) {
        match command["execute"].as_str() {
            Some("blockdev-add") => self.note_node(&command["arguments"]),
            // What a node with another backing file is called then depends on when QEMU has looked
            // last.
            Some(
                "blockdev-snapshot" | "blockdev-snapshot-sync" | "blockdev-reopen" | "transaction",
            ) => {
                self.by_header.clear();
            }
            // What an image is like then is known only while its node is open.
            Some("block_resize") => self.has_changed_images = true,
            _ => {}
        }
    }

    fn note_node(&mut self, options: &Value) {
        let Some(options) = options.as_object() else { return };
        options.values().for_each(|child| self.note_node(child));
        if let Some(Value::String(name)) = options.get("node-name") {
            self.definitions.insert(name.clone(), options.clone());
        }
    }

    /// Looks at the world anew.
    pub(crate) fn see(&mut self, world: World) {
        self.used.extend(world.files.iter().cloned());
        self.world = world;
    }

    /// An image of the format: mostly one whose file was never open; with `headers`, nor those of
    /// its backing files. What jobs write to images is known only while their nodes are open, so
    /// from the first job on it is always one.
    pub(crate) fn free_image(&mut self, format: ImageFormat, headers: bool) -> Option<Image> {
        self.free_image_that(|it| it == format, headers)
    }

    /// An image of one of the formats: mostly one whose file was never open.
    pub(crate) fn free_image_of(&mut self, wanted: impl Fn(ImageFormat) -> bool) -> Option<Image> {
        self.free_image_that(wanted, false)
    }

    fn free_image_that(
        &mut self,
        wanted: impl Fn(ImageFormat) -> bool,
        headers: bool,
    ) -> Option<Image> {
        let any = !self.has_changed_images && self.dice.chance(25);
        let is_free = |image: &Image| any || !self.used.contains(&image.filename);
        let free = |image: &&Image| {
            let mut files = if headers { self.headers(image) } else { vec![*image] }.into_iter();
            wanted(image.format) && files.all(is_free)
        };
        let free: Vec<Image> = self.images.iter().filter(free).cloned().collect();
        self.dice.pick(&free)
    }

    /// A size for a node: mostly the usual one.
    pub(crate) fn size(&mut self) -> u64 {
        self.dice.weighted(&[(24, 1 << 20), (2, 1 << 19), (2, 2 << 20), (1, (1 << 20) + 512)])
    }
}
