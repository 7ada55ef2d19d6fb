//! Which file imports which: names followed through re-exports to the file that defines them.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Import, Source, imports};

/// The modules of the crate by path (`pipe::queue`; the root is empty).
pub struct House {
    modules: BTreeMap<String, Module>,
}

struct Module {
    file: String,
    imports: Vec<Import>,
}

impl House {
    /// Reads the modules out of the files of `src/`. Folders of tests are no rooms.
    pub fn of(sources: &[Source]) -> House {
        let rooms = sources
            .iter()
            .filter(|source| !source.path.contains("/tests/"));
        let module = |source: &Source| {
            let module = Module {
                file: source.path.clone(),
                imports: imports(&source.code),
            };
            (module_path(&source.path), module)
        };
        House {
            modules: rooms.map(module).collect(),
        }
    }

    /// The files that each file imports from. A file that only re-exports has no part in it.
    pub fn graph(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut graph = BTreeMap::new();
        for (path, module) in &self.modules {
            if only_declares(&module.file) {
                continue;
            }
            let targets = module
                .imports
                .iter()
                .flat_map(|import| self.define(path, &import.path, 0));
            let targets: BTreeSet<String> = targets
                .filter(|file| *file != module.file && !only_declares(file))
                .collect();
            graph.insert(module.file.clone(), targets);
        }
        graph
    }

    /// The files that define what a path, seen from a module, stands for.
    fn define(&self, from: &str, path: &[String], depth: usize) -> Vec<String> {
        let Some((mut at, mut rest)) = self.begin(from, path) else {
            return Vec::new();
        };
        while let [next, after @ ..] = rest {
            let below = join(&at, next);
            if !self.modules.contains_key(&below) {
                break;
            }
            (at, rest) = (below, after);
        }
        let Some(module) = self.modules.get(&at) else {
            return Vec::new();
        };
        let Some(name) = rest.first() else {
            return vec![module.file.clone()];
        };
        if depth > 8 || !only_declares(&module.file) {
            return vec![module.file.clone()];
        }
        let exports = module.imports.iter().filter(|import| import.public);
        let named: Vec<_> = exports
            .clone()
            .filter(|import| import.name == *name || name == "*")
            .collect();
        let globs = exports.filter(|import| import.name == "*");
        let found: Vec<String> = named
            .iter()
            .flat_map(|import| self.define(&at, &import.path, depth + 1))
            .collect();
        if !found.is_empty() {
            return found;
        }
        globs
            .flat_map(|import| {
                let mut path = import.path.clone();
                path.pop();
                path.push(name.clone());
                self.define(&at, &path, depth + 1)
            })
            .collect()
    }

    /// Where a path begins, and what follows; nothing for other crates.
    fn begin<'p>(&self, from: &str, path: &'p [String]) -> Option<(String, &'p [String])> {
        let mut at = from.to_owned();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => Some((String::new(), &path[1..])),
            "self" => Some((at, &path[1..])),
            "super" => {
                while let Some(("super", after)) = rest
                    .split_first()
                    .map(|(first, after)| (first.as_str(), after))
                {
                    at = at
                        .rsplit_once("::")
                        .map_or_else(String::new, |(above, _)| above.to_owned());
                    rest = after;
                }
                Some((at, rest))
            }
            first => self
                .modules
                .contains_key(&join(from, first))
                .then_some((at, rest)),
        }
    }
}

/// Folders' own files: they declare and re-export.
pub fn only_declares(file: &str) -> bool {
    file == "src/lib.rs" || file.ends_with("/mod.rs")
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}::{name}")
    }
}

fn module_path(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" {
        String::new()
    } else {
        path.replace('/', "::")
    }
}

/// The groups of files that reach each other, whatever way they do.
pub fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = graph
        .keys()
        .map(|file| (file, reachable(graph, file)))
        .collect();
    let knot = |file: &String| -> Vec<String> {
        let there = reach[file]
            .iter()
            .filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)));
        there.map(|other| (*other).clone()).collect()
    };
    graph
        .keys()
        .map(knot)
        .filter(|knot| !knot.is_empty())
        .collect()
}

/// The files that a file imports from, and what these import from, and so on.
fn reachable<'g>(
    graph: &'g BTreeMap<String, BTreeSet<String>>,
    from: &String,
) -> BTreeSet<&'g String> {
    let mut seen = BTreeSet::new();
    let mut ahead: Vec<&String> = graph[from].iter().collect();
    while let Some(file) = ahead.pop() {
        if seen.insert(file) {
            ahead.extend(graph.get(file).into_iter().flatten());
        }
    }
    seen
}
