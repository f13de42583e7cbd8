//! Pictures of graphs of all kinds: nothing is missing, nothing is on top of something else, and
//! names that are full of signs come to no harm.

use blkperm_baseline::Baseline;
use blkperm_draw::{Accent, Kind, Picture, When, dot, svg};
use blkperm_graph::driver::{BLKDEBUG, FILE, QCOW2, QUORUM};
use blkperm_graph::{
    Demand, Graph, Holder, NewNode, NodeId, Permissions, Refusal, Role, RootId, Rule,
};
use blkperm_ownership::Ownership;
use roxmltree::{Document, Node};

/// A graph that is being built.
struct Build<R: Rule>(Graph<R>);

impl<R: Rule> Build<R> {
    fn new(rule: R) -> Build<R> {
        Build(Graph::new(rule))
    }

    fn node(&mut self, name: &str, driver: &'static blkperm_graph::Driver) -> NodeId {
        self.0.add_node(NewNode::new(name, driver))
    }

    fn edge(&mut self, parent: NodeId, child: NodeId, name: &str, role: Role) {
        self.0.transact(|change| change.attach(parent, child, name, role)).expect("no conflict");
    }

    fn export(&mut self, id: &str, node: NodeId, demand: Demand) -> RootId {
        self.user(Holder::Export { id: id.to_owned() }, node, demand)
    }

    fn user(&mut self, holder: Holder, node: NodeId, demand: Demand) -> RootId {
        let root = self.0.add_root(holder, None);
        self.0.transact(|change| change.attach_root(root, node, "root", demand)).expect("fits");
        root
    }

    /// A qcow2 image on a file, over a backing image if there is one.
    fn image(&mut self, name: &str, backing: Option<NodeId>) -> NodeId {
        let file = self.node(&format!("{name}-file"), &FILE);
        let image = self.node(name, &QCOW2);
        self.edge(image, file, "file", Role::IMAGE);
        if let Some(backing) = backing {
            self.edge(image, backing, "backing", Role::COW);
        }
        image
    }

    fn chain(&mut self, prefix: &str, length: usize) -> Vec<NodeId> {
        let mut images: Vec<NodeId> = Vec::new();
        for number in 0..length {
            let backing = images.last().copied();
            images.push(self.image(&format!("{prefix}{number}"), backing));
        }
        images
    }

    /// A job with an edge to each of the nodes.
    fn job(&mut self, id: &str, nodes: &[NodeId]) {
        let owner = self.0.new_owner();
        let holder = Holder::Job { kind: "commit", id: id.to_owned() };
        let root = self.0.add_root(holder, Some(owner));
        for &node in nodes {
            let attach = self.0.transact(|change| {
                change.attach_root(root, node, "intermediate node", Demand::NONE)
            });
            attach.expect("it demands nothing");
        }
    }
}

const READ: Demand = Demand::taking(Permissions::CONSISTENT_READ);

/// So many exports on one node.
fn fan(count: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let disk = build.image("disk", None);
    for number in 0..count {
        build.export(&format!("e{number}"), disk, READ);
    }
    Picture::of(&build.0)
}

/// Disks on chains of three, each with a device, half of them on one base.
fn disks(count: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let base = build.image("base", None);
    for number in 0..count {
        let mid = build.image(&format!("mid{number}"), (number % 2 == 0).then_some(base));
        let top = build.image(&format!("top{number}"), Some(mid));
        let name = format!("/machine/peripheral/disk{number}/virtio-backend");
        let words = format!("device 'disk{number}'");
        build.user(Holder::Device { name, words }, top, READ);
    }
    Picture::of(&build.0)
}

/// A long chain, under a job that knows every image of it.
fn long_chain(length: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let chain = build.chain("image", length);
    build.job("j0", &chain);
    Picture::of(&build.0)
}

/// Quorum over quorum: many ways to the same node.
fn diamonds(count: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let mut below = build.node("last", &FILE);
    for number in 0..count {
        let sides: Vec<NodeId> = (0..3)
            .map(|side| {
                let node = build.node(&format!("side{number}-{side}"), &BLKDEBUG);
                build.edge(node, below, "image", Role::FILTERED | Role::PRIMARY);
                node
            })
            .collect();
        let top = build.node(&format!("quorum{number}"), &QUORUM);
        for (side, node) in sides.into_iter().enumerate() {
            build.edge(top, node, &format!("children.{side}"), Role::DATA | Role::FILTERED);
        }
        below = top;
    }
    Picture::of(&build.0)
}

/// A long chain with an export on each image, and a job on its lowest.
fn shared_chain(length: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let chain = build.chain("image", length);
    for (number, &image) in chain.iter().enumerate() {
        build.export(&format!("e{number}"), image, READ);
    }
    build.job("j0", &chain[..1]);
    Picture::of(&build.0)
}

/// Images in a binary tree of backing images, all of them read through one filter each.
fn tree(count: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let mut images: Vec<NodeId> = Vec::new();
    for number in 0..count {
        let backing = number.checked_sub(1).map(|less| images[less / 2]);
        images.push(build.image(&format!("image{number}"), backing));
    }
    for (number, image) in images.into_iter().enumerate() {
        let filter = build.node(&format!("filter{number}"), &BLKDEBUG);
        build.edge(filter, image, "image", Role::FILTERED | Role::PRIMARY);
    }
    Picture::of(&build.0)
}

/// Jobs that have an image of each of two chains, upside down.
fn crossed(length: usize) -> Picture {
    let mut build = Build::new(Baseline);
    let (one, other) = (build.chain("a", length), build.chain("b", length));
    for (number, (&one, &other)) in one.iter().zip(other.iter().rev()).enumerate() {
        build.job(&format!("j{number}"), &[one, other]);
    }
    Picture::of(&build.0)
}

fn pictures() -> Vec<(&'static str, Picture)> {
    vec![
        ("nothing", Picture::default()),
        ("fan", fan(12)),
        ("disks", disks(9)),
        ("long chain", long_chain(30)),
        ("diamonds", diamonds(6)),
        ("shared chain", shared_chain(12)),
        ("tree", tree(12)),
        ("crossed", crossed(8)),
        ("a conflict", conflict().1),
    ]
}

/// A graph, and the picture of a change that it refuses.
fn conflict() -> (Picture, Picture) {
    let mut build = Build::new(Ownership::default());
    let chain = build.chain("image", 2);
    build.export("guest", chain[1], READ);
    build.job("j0", &chain);
    let before = Picture::of(&build.0);
    let stranger = build.node("stranger", &BLKDEBUG);
    let root = build.0.add_root(Holder::Backend { purpose: "a tool".to_owned() }, None);
    let refused = build.0.transact(|change| {
        change.attach(stranger, chain[1], "image", Role::FILTERED | Role::PRIMARY)?;
        change.attach_root(root, stranger, "root", Demand::unsharing(Permissions::CONSISTENT_READ))
    });
    let refusal: Refusal = refused.expect_err("the guest reads");
    build.0.remove_root(root);
    build.0.release(stranger);
    let mut after = Picture::of(&build.0);
    after.show_refusal(&refusal);
    (before, after)
}

fn has_class(node: &Node, class: &str) -> bool {
    node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class))
}

/// A rectangle: left, top, right, bottom.
type Rect = (f64, f64, f64, f64);

fn number(node: &Node, name: &str) -> f64 {
    node.attribute(name).unwrap_or_else(|| panic!("{name} of {node:?}")).parse().expect("a number")
}

/// The outline of an element: of a `rect`, or of a path of straight lines.
fn outline(shape: &Node) -> Rect {
    if shape.has_tag_name("rect") {
        let (x, y) = (number(shape, "x"), number(shape, "y"));
        return (x, y, x + number(shape, "width"), y + number(shape, "height"));
    }
    let points = points(shape.attribute("d").expect("a path"));
    let fold = |pick: fn(&(f64, f64)) -> f64, least: bool| {
        let values = points.iter().map(pick);
        if least { values.fold(f64::INFINITY, f64::min) } else { values.fold(f64::MIN, f64::max) }
    };
    (fold(|p| p.0, true), fold(|p| p.1, true), fold(|p| p.0, false), fold(|p| p.1, false))
}

/// The points of a path, corners of curves included.
fn points(path: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut rest = path;
    while let Some(command) = rest.chars().next().filter(|c| *c != 'Z') {
        let end = rest[1..].find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |at| at + 1);
        let numbers: Vec<f64> =
            rest[1..end].split(' ').map(|one| one.parse().expect("a number")).collect();
        match command {
            'H' => points.push((numbers[0], points.last().expect("a start").1)),
            _ => points.extend(numbers.chunks(2).map(|pair| (pair[0], pair[1]))),
        }
        rest = &rest[end..];
    }
    points
}

fn overlap(one: Rect, other: Rect) -> bool {
    one.0 < other.2 && other.0 < one.2 && one.1 < other.3 && other.1 < one.3
}

/// The part of the document with the picture itself, without its legend.
fn drawing<'a>(document: &'a Document<'a>) -> Node<'a, 'a> {
    document.root_element().children().find(|one| one.has_tag_name("g")).expect("a drawing")
}

fn groups<'a>(drawing: Node<'a, 'a>, class: &'static str) -> Vec<Node<'a, 'a>> {
    drawing.children().filter(|one| has_class(one, class)).collect()
}

fn shape<'a>(group: &Node<'a, 'a>, class: &str) -> Node<'a, 'a> {
    group.children().find(|one| has_class(one, class)).expect("a shape")
}

#[test]
fn everything_is_there_once() {
    for (name, picture) in pictures() {
        let text = svg::document(&picture, name);
        let document = Document::parse(&text).expect("well-formed");
        let drawing = drawing(&document);
        assert_eq!(groups(drawing, "vertex").len(), picture.vertices.len(), "{name}");
        for class in ["way", "label"] {
            assert_eq!(groups(drawing, class).len(), picture.arrows.len(), "{class} in {name}");
        }
    }
}

#[test]
fn nothing_is_on_top_of_something_else() {
    for (name, picture) in pictures() {
        let text = svg::document(&picture, name);
        let document = Document::parse(&text).unwrap();
        let drawing = drawing(&document);
        let boxes = groups(drawing, "vertex").into_iter().chain(groups(drawing, "ref"));
        let labels = groups(drawing, "label");
        let labels = labels.iter().map(|group| outline(&shape(group, "plate")));
        let all: Vec<Rect> =
            boxes.map(|group| outline(&shape(&group, "box"))).chain(labels).collect();
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert!(!overlap(*one, *other), "{name}: {one:?} and {other:?}");
            }
        }
    }
}

#[test]
fn no_line_crosses_a_box_or_a_label_of_another_edge() {
    for (name, picture) in pictures() {
        let text = svg::document(&picture, name);
        let document = Document::parse(&text).unwrap();
        let drawing = drawing(&document);
        let shrunk = |(l, t, r, b): Rect| (l + 1.5, t + 1.5, r - 1.5, b - 1.5);
        let boxes: Vec<Rect> = groups(drawing, "vertex")
            .iter()
            .map(|group| shrunk(outline(&shape(group, "box"))))
            .collect();
        let labels: Vec<Rect> = groups(drawing, "label")
            .iter()
            .map(|group| shrunk(outline(&shape(group, "plate"))))
            .collect();
        for (number, way) in groups(drawing, "way").iter().enumerate() {
            let points = points(shape(way, "line").attribute("d").unwrap());
            let others = labels.iter().enumerate().filter(|(at, _)| *at != number);
            let obstacles = boxes.iter().chain(others.map(|(_, label)| label));
            for obstacle in obstacles {
                for pair in points.windows(2) {
                    // Some points of each part suffice: obstacles are larger than the steps.
                    for step in 0..=64 {
                        let part = f64::from(step) / 64.0;
                        let x = pair[0].0 + (pair[1].0 - pair[0].0) * part;
                        let y = pair[0].1 + (pair[1].1 - pair[0].1) * part;
                        let inside =
                            obstacle.0 < x && x < obstacle.2 && obstacle.1 < y && y < obstacle.3;
                        assert!(!inside, "{name}: line {number} at {x}, {y} in {obstacle:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_is_outside_and_every_text_fits_its_box() {
    for (name, picture) in pictures() {
        let text = svg::document(&picture, name);
        let document = Document::parse(&text).unwrap();
        let root = document.root_element();
        let (width, height) = (number(&root, "width"), number(&root, "height"));
        for group in drawing(&document).children().filter(Node::is_element) {
            let Some(shape) =
                group.children().find(|one| has_class(one, "box") || has_class(one, "plate"))
            else {
                continue;
            };
            let (left, top, right, bottom) = outline(&shape);
            assert!(left >= 0.0 && top >= 0.0 && right + 16.0 <= width && bottom + 16.0 <= height);
            for words in group.children().filter(|one| one.has_tag_name("text")) {
                let length: usize = words
                    .descendants()
                    .filter(Node::is_text)
                    .filter_map(|one| one.text())
                    .map(|t| t.chars().count())
                    .sum();
                // The widest of the common monospaced fonts, at the smaller size.
                let half = length as f64 * 12.0 * 0.61 / 2.0;
                let (x, y) = (number(&words, "x"), number(&words, "y"));
                assert!(x - half >= left && x + half <= right, "{name}: {words:?}");
                assert!(y - 10.0 >= top && y + 3.0 <= bottom, "{name}: {words:?}");
            }
        }
    }
}

#[test]
fn a_far_child_has_its_parent_drawn_again() {
    let picture = long_chain(30);
    let text = svg::document(&picture, "long");
    let document = Document::parse(&text).unwrap();
    let again = groups(drawing(&document), "ref");
    assert!((20..30).contains(&again.len()), "{}", again.len());
}

#[test]
fn a_refusal_is_red_and_adds_what_did_not_come_to_be() {
    let (before, after) = conflict();
    let faults: Vec<_> =
        after.arrows.iter().filter(|arrow| arrow.accent == Accent::Fault).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    let added: Vec<_> = faults.iter().filter(|arrow| arrow.when == When::After).collect();
    assert_eq!(added.len(), 1, "the guest's edge was there");
    assert_eq!(after.vertex(added[0].parent).name, "stranger");
    let cause = after.arrows.iter().find(|arrow| arrow.accent == Accent::Cause).expect("a cause");
    assert_eq!(after.vertex(cause.parent).name, "a tool");
    assert!(after.shows_refusal() && !before.shows_refusal());
    let both = Picture::between(&before, &after);
    assert_eq!(both.arrows.iter().filter(|arrow| arrow.when == When::After).count(), 2);
    assert!(both.arrows.iter().all(|arrow| arrow.when != When::Before));
}

#[test]
fn what_differs_between_two_pictures_is_marked() {
    let mut build = Build::new(Baseline);
    let disk = build.image("disk", None);
    let guest = build.export("guest", disk, READ);
    let before = Picture::of(&build.0);
    assert!(!Picture::between(&before, &before).shows_change());

    let edge = build.0.child_edge(guest, "root").unwrap();
    let writing = Demand::taking(Permissions::CONSISTENT_READ | Permissions::WRITE);
    let change = build.0.transact(|change| {
        change.set_demand(edge, writing);
        Ok(())
    });
    change.unwrap();
    build.export("other", disk, READ);
    let both = Picture::between(&before, &Picture::of(&build.0));
    let marks: Vec<(&str, When, Accent)> = both
        .arrows
        .iter()
        .map(|arrow| (both.vertex(arrow.parent).name.as_str(), arrow.when, arrow.accent))
        .collect();
    let expected = [
        ("export 'guest'", When::Always, Accent::Changed),
        ("export 'other'", When::After, Accent::None),
        ("disk", When::Always, Accent::None),
    ];
    assert_eq!(marks, expected);

    let back = Picture::between(&Picture::of(&build.0), &before);
    let gone = back.vertices.iter().find(|vertex| vertex.when == When::Before).unwrap();
    assert_eq!((gone.kind, gone.name.as_str()), (Kind::Export, "export 'other'"));
}

#[test]
fn owners_have_colours_and_words() {
    let (_, picture) = conflict();
    assert_eq!(picture.owners, ["commit job 'j0'"]);
    let job = picture.vertices.iter().find(|vertex| vertex.kind == Kind::Job).unwrap();
    assert!(job.owner.is_some());
    let text = svg::document(&picture, "owners");
    assert!(text.contains("commit job &#39;j0&#39; and its claims"), "{text}");
}

#[test]
fn a_part_is_what_is_above_and_below() {
    let picture = disks(4);
    let part = picture.around(&["mid1".to_owned()]).unwrap();
    let names: Vec<&str> = part.vertices.iter().map(|vertex| vertex.name.as_str()).collect();
    assert_eq!(names, ["device 'disk1'", "mid1-file", "mid1", "top1"]);
    assert_eq!(part.arrows.len(), 3);
    assert_eq!(picture.around(&["nobody".to_owned()]).unwrap_err(), "nobody");
}

#[test]
fn hostile_names_do_no_harm() {
    let names = [
        "<script>alert(1)</script>",
        "\"><svg onload='x'>",
        "&amp; ]]> <!-- -->",
        "back\\slash\\N \\\" \"quoted\"",
        "new\nline\ttab\0null\u{1b}[31m",
        "\u{202e}right to left",
        "漢字とかな \u{1F980} é e\u{301}",
        &"x".repeat(5_000),
    ];
    let mut build = Build::new(Baseline);
    for name in names {
        let node = build.node(name, &FILE);
        build.export(name, node, READ);
        build.job(name, &[node]);
    }
    let picture = Picture::of(&build.0);
    let text = svg::document(&picture, names[0]);
    let document = Document::parse(&text).expect("well-formed");
    let shown = groups(drawing(&document), "vertex");
    assert_eq!(shown.len(), 3 * names.len());
    let elements = ["svg", "title", "style", "rect", "g", "path", "text", "tspan"];
    for element in document.descendants().filter(Node::is_element) {
        assert!(elements.contains(&element.tag_name().name()), "{element:?}");
        assert!(element.attributes().all(|one| !one.name().starts_with("on")), "{element:?}");
    }
    assert!(text.contains("alert(1)"), "the name is shown");
    let dot = dot::document(&picture, names[3]);
    let lines = dot.lines().count();
    assert_eq!(lines, 4 + picture.vertices.len() + picture.arrows.len() + 1, "{dot}");
    assert!(!dot.contains('\0') && !dot.contains('\u{1b}'));
}

#[test]
fn dot_has_every_node_and_edge_once() {
    for (name, picture) in pictures() {
        let text = dot::document(&picture, name);
        let edges = text.lines().filter(|line| line.contains(" -> n")).count();
        let nodes =
            text.lines().filter(|line| line.starts_with("  n") && line.contains("shape=")).count();
        assert_eq!((nodes, edges), (picture.vertices.len(), picture.arrows.len()), "{name}");
    }
}

#[test]
fn the_same_picture_is_drawn_the_same_way() {
    for (name, picture) in pictures() {
        assert_eq!(svg::document(&picture, name), svg::document(&picture.clone(), name));
    }
}

#[test]
fn what_nobody_could_read_is_not_laid_out() {
    let picture = fan(5_000);
    assert!(picture.is_too_large() && !fan(1_000).is_too_large());
    let fragment = svg::fragment(&picture);
    assert!(fragment.content.contains("too many for a picture"));
    assert!(dot::document(&picture, "fan").lines().count() > 10_000, "DOT has no limit");
}

/// How long a thousand boxes take in pictures of all kinds:
///
/// ```text
/// cargo test --release -p blkperm-draw --test drawing -- --ignored --nocapture
/// ```
#[test]
#[ignore = "tells times, which depend on the machine"]
fn a_thousand_boxes() {
    let pictures = [
        ("fan", fan(1_000)),
        ("disks", disks(200)),
        ("chain", long_chain(500)),
        ("shared chain", shared_chain(333)),
        ("diamonds", diamonds(250)),
        ("tree", tree(333)),
        ("crossed", crossed(200)),
    ];
    for (name, picture) in pictures {
        let start = std::time::Instant::now();
        let length = svg::document(&picture, name).len();
        let (boxes, arrows) = (picture.vertices.len(), picture.arrows.len());
        println!("{name}: {boxes} boxes, {arrows} edges, {:?}, {length} bytes", start.elapsed());
    }
}
