//! A PostgreSQL server for as long as a value lives.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A server, and how to reach it.
pub struct Cluster {
    pub url: String,
    /// Where it is, if it was started here.
    folder: Option<PathBuf>,
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/postgres"))
}

impl Cluster {
    /// The server that `TAIPAN_POSTGRES` names, or a new one.
    pub fn start() -> Cluster {
        if let Ok(url) = std::env::var("TAIPAN_POSTGRES") {
            return Cluster { url, folder: None };
        }
        let process = std::process::id().to_string();
        let folder = std::env::temp_dir().join(format!("taipan-postgres-{process}"));
        let made = script()
            .arg("start")
            .arg(&folder)
            .arg(process)
            .output()
            .expect("the script runs");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "no server: {said}");
        let url = String::from_utf8(made.stdout).expect("a URL");
        Cluster {
            url: url.trim().to_owned(),
            folder: Some(folder),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let stopped = script().arg("stop").arg(folder).status();
            println!("the server has stopped: {stopped:?}");
        }
    }
}
