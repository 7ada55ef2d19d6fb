//! Rust files as text: found, freed of comments and literals, and their imports read.
//!
//! Not a parser. It knows as much of the language as house rules need, and the house is written so that this
//! is enough.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the repository.
pub struct Source {
    /// From the root, with `/` on every system.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Without comments, literals and the test module at its end.
    pub code: String,
}

/// The Rust files in some folders, in a fixed order.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        find(&root.join(folder), &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a readable file");
        let relative = path.strip_prefix(root).expect("a path below the root");
        Source {
            path: relative.to_string_lossy().replace('\\', "/"),
            code: without_tests(&code_of(&text)),
            text,
        }
    };
    paths.into_iter().map(read).collect()
}

fn find(folder: &Path, into: &mut Vec<PathBuf>) {
    // A folder that does not exist (yet) has no files.
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a folder's entry").path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            find(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn without_tests(code: &str) -> String {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].to_owned()
}

/// The text with comments blanked and literals emptied; lines stay lines.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => 1 + quoted(&rest[1..], '"'),
            '\'' => char_literal(rest),
            'r' if !ends_in_word(&code) => raw_string(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().filter(|char| *char == '\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    code.chars()
        .next_back()
        .is_some_and(|char| char.is_alphanumeric() || char == '_')
}

/// The length up to and with the quote that ends a literal.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; 0 for a lifetime.
fn char_literal(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => 1 + quoted(&text[1..], '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// The length of a raw string; 0 if there is none.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|char| *char == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let start = hashes + 2;
    let end = format!("\"{}", "#".repeat(hashes));
    text[start..]
        .find(&end)
        .map_or(text.len(), |at| start + at + end.len())
}

/// The words (identifiers and keywords) of a piece of code.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|char: char| !char.is_alphanumeric() && char != '_')
        .filter(|word| !word.is_empty())
}

/// One imported path.
pub struct Import {
    /// `["crate", "pipe", "Pipes"]`; a glob ends in `*`.
    pub path: Vec<String>,
    /// The name it has here.
    pub name: String,
    /// Whether others see it here.
    pub public: bool,
}

/// Every `use` of a file, nested ones taken apart.
pub fn imports(code: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut statement = String::new();
    for line in code.lines() {
        if statement.is_empty() {
            let trimmed = line.trim_start();
            let begins = trimmed.starts_with("use ")
                || (trimmed.starts_with("pub") && trimmed.contains(" use "));
            if !begins {
                continue;
            }
        }
        statement.push_str(line);
        statement.push(' ');
        if line.trim_end().ends_with(';') {
            let (visibility, tree) = statement.split_once("use ").expect("a use statement");
            let public = visibility.trim().starts_with("pub");
            take_apart(&tree.replace([';', ' '], ""), &[], public, &mut imports);
            statement.clear();
        }
    }
    imports
}

fn take_apart(tree: &str, before: &[String], public: bool, into: &mut Vec<Import>) {
    let path = |part: &str| -> Vec<String> {
        let segments = part.split("::").filter(|segment| !segment.is_empty());
        before
            .iter()
            .cloned()
            .chain(segments.map(str::to_owned))
            .collect()
    };
    let Some(open) = tree.find('{') else {
        let mut path = path(tree);
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        // Blanks are gone, so `A as B` is `AasB`: renamed imports are found by what they rename.
        let name = path.last().cloned().unwrap_or_default();
        into.push(Import { path, name, public });
        return;
    };
    let prefix = path(&tree[..open]);
    let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut start) = (0, 0);
    for (at, char) in inside.char_indices().chain([(inside.len(), ',')]) {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if start < at {
                    take_apart(&inside[start..at], &prefix, public, into);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}
