//! Instructions of a run of this program, counted by callgrind: by the file of source they belong to.
//!
//! ```text
//!   fl=/.../src/pipe/single.rs      the file of what follows, until the next fl, fi or fe
//!   fn=...
//!   182 41                          line, instructions
//!   calls=1 ...
//!   205 9000                        what was called, in all: counted where it belongs, not here
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Outcome;

/// Instructions by file of source.
pub type Files = BTreeMap<String, u64>;

pub fn is_there() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// Counts one run of this program with these arguments.
pub fn count(arguments: &[String]) -> Outcome<Files> {
    let name = format!("taipan-paths-{}.callgrind", std::process::id());
    let file: PathBuf = std::env::temp_dir().join(name);
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stdout(Stdio::null())
        .status()?;
    let text = fs::read_to_string(&file);
    // It may not be there if the run failed.
    let _ = fs::remove_file(&file);
    if !status.success() {
        return Err(format!("callgrind ended with {status}").into());
    }
    Ok(files(&text?))
}

fn files(text: &str) -> Files {
    let mut files = Files::new();
    let mut file = String::new();
    let mut called = false;
    for line in text.lines() {
        if let Some((key, value)) = line.split_once('=') {
            match key {
                "fl" | "fi" | "fe" => value.clone_into(&mut file),
                "calls" => called = true,
                _ => {}
            }
            continue;
        }
        let mut words = line.split(' ').map(str::parse::<u64>);
        let (Some(Ok(_)), Some(Ok(cost)), None) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if !std::mem::take(&mut called) {
            *files.entry(file.clone()).or_insert(0) += cost;
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_called_is_counted_where_it_belongs() {
        let text = "events: Ir\nfl=a.rs\nfn=one\n3 10\nfi=b.rs\n4 5\nfe=a.rs\n5 1\ncalls=2 9\n5 900\n\nfl=b.rs\nfn=two\n4 7\n";
        let files = files(text);
        assert_eq!(files["a.rs"], 11);
        assert_eq!(files["b.rs"], 12);
    }
}
