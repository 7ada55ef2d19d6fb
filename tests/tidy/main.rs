//! The rules of the house, as a test. `ARCHITECTURE.md` says why; this says where they are broken.
//!
//! The rules are about text, so a broken one is found in milliseconds and named by file.

mod circles;
mod source;

use circles::{House, circles, only_declares};
use source::{Source, imports, sources, words};

/// A room of the house: its name, and the rooms it may import from.
///
/// Beyond the plan, because it is needed: `pipe` knows the kind of a peer (config); `session` hands links with
/// their pipe ids and handshake errors from transport to socket.
const ROOMS: &[(&str, &[&str])] = &[
    ("message", &[]),
    ("config", &[]),
    ("zmtp", &["message", "config"]),
    ("pipe", &["message", "config"]),
    ("routing", &["message"]),
    ("pattern", &["routing", "pipe", "message", "config"]),
    ("shm", &[]),
    ("transport", &["pipe", "shm", "zmtp", "message", "config"]),
    ("session", &["transport", "pipe", "zmtp", "config"]),
    (
        "socket",
        &[
            "session",
            "pattern",
            "transport",
            "routing",
            "pipe",
            "zmtp",
            "message",
            "config",
        ],
    ),
    ("ext", &["socket", "message", "config"]),
];

/// The only rooms that know a runtime.
const WITH_TOKIO: &[&str] = &["transport", "session", "socket", "ext"];

/// Files that belong to no room: the front door, and the side door for fuzz targets.
const DOORS: &[&str] = &["src/lib.rs", "src/internals.rs"];

/// Lines of a file.
const WALL: usize = 700;

fn everything() -> Vec<Source> {
    sources(&[
        "src", "tests", "examples", "benches", "cli", "interop", "fuzz",
    ])
}

/// The room that a file is in.
fn room(path: &str) -> &str {
    let inside = path.strip_prefix("src/").expect("a file of the crate");
    inside
        .split('/')
        .next()
        .map_or(inside, |first| first.trim_end_matches(".rs"))
}

#[track_caller]
fn none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_file_is_in_a_known_room() {
    let known =
        |path: &str| ROOMS.iter().any(|(name, _)| *name == room(path)) || room(path) == "shm";
    let sources = sources(&["src"]);
    assert!(sources.len() > 50, "the files were not found");
    let strangers = sources
        .iter()
        .filter(|source| !DOORS.contains(&source.path.as_str()) && !known(&source.path));
    none(strangers.map(|source| source.path.clone()).collect());
}

#[test]
fn rooms_import_from_below_only() {
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let here = room(&source.path).to_owned();
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == here) else {
            continue;
        };
        // Folders and files between the root and the contents of the file.
        let inner = if source.path.ends_with("/mod.rs") {
            1
        } else {
            0
        };
        let depth = source.path.matches('/').count() - inner;
        let climbing = imports(&source.code).into_iter().filter_map(|import| {
            let up = import
                .path
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            (up >= depth && up > 0)
                .then(|| import.path.get(up).cloned())
                .flatten()
        });
        let named = source
            .code
            .split("crate::")
            .skip(1)
            .filter_map(|after| words(after).next().map(str::to_owned));
        let grouped =
            imports(&source.code)
                .into_iter()
                .filter_map(|import| match &import.path[..] {
                    [first, room, ..] if first == "crate" => Some(room.clone()),
                    _ => None,
                });
        let mut rooms: Vec<String> = climbing.chain(named).chain(grouped).collect();
        rooms.sort();
        rooms.dedup();
        let wrong = rooms
            .into_iter()
            .filter(|there| *there != here && !allowed.contains(&there.as_str()));
        broken.extend(wrong.map(|there| format!("{} imports from {there}", source.path)));
    }
    none(broken);
}

#[test]
fn the_rooms_stand_on_each_other() {
    for (at, (name, allowed)) in ROOMS.iter().enumerate() {
        for below in *allowed {
            let position = ROOMS.iter().position(|(name, _)| name == below);
            assert!(
                position.is_some_and(|position| position < at),
                "{name} may not stand on {below}"
            );
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::of(&sources(&["src"]));
    let graph = house.graph();
    let edges: usize = graph.values().map(|targets| targets.len()).sum();
    assert!(
        edges > graph.len(),
        "the imports were not understood: {edges} in {} files",
        graph.len()
    );
    let circles = circles(&graph).into_iter();
    none(circles.map(|files| files.join(" <-> ")).collect());
}

#[test]
fn only_shared_memory_is_unsafe() {
    let wrong = sources(&["src"])
        .into_iter()
        .filter(|source| room(&source.path) != "shm");
    none(
        wrong
            .filter(|source| words(&source.code).any(|word| word == "unsafe"))
            .map(|source| source.path)
            .collect(),
    );
}

#[test]
fn the_runtime_stays_upstairs() {
    let below = sources(&["src"])
        .into_iter()
        .filter(|source| !WITH_TOKIO.contains(&room(&source.path)));
    none(
        below
            .filter(|source| words(&source.code).any(|word| word == "tokio"))
            .map(|source| source.path)
            .collect(),
    );
}

#[test]
fn every_file_says_first_what_it_is() {
    let silent = everything().into_iter().filter(|source| {
        let generated = source.text.starts_with("#!");
        !generated && !source.text.starts_with("//! ")
    });
    none(silent.map(|source| source.path).collect());
}

#[test]
fn no_file_is_longer_than_the_wall() {
    let long = everything()
        .into_iter()
        .map(|source| (source.text.lines().count(), source.path));
    none(
        long.filter(|(lines, _)| *lines > WALL)
            .map(|(lines, path)| format!("{path}: {lines} lines"))
            .collect(),
    );
}

#[test]
fn folders_files_only_declare_and_re_export() {
    let items = [
        "fn", "struct", "enum", "union", "trait", "impl", "const", "static", "type",
    ];
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        if !only_declares(&source.path) || source.path.contains("/tests/") {
            continue;
        }
        let defines = source.code.lines().filter(|line| {
            let mut words =
                words(line).skip_while(|word| ["pub", "crate", "super", "in"].contains(word));
            words.next().is_some_and(|first| items.contains(&first))
        });
        broken.extend(defines.map(|line| format!("{}: {line}", source.path)));
    }
    none(broken);
}

#[test]
fn nothing_is_left_for_later() {
    let markers = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let macros = [concat!("unimple", "mented!"), concat!("to", "do!")];
    let skipped = concat!("#[ig", "nore");
    let mut broken = Vec::new();
    for source in everything() {
        for (number, line) in source.text.lines().enumerate() {
            let marked = words(line).any(|word| markers.contains(&word));
            if marked || macros.iter().any(|word| line.contains(word)) || line.contains(skipped) {
                broken.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(broken);
}
