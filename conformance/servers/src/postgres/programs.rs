//! Where PostgreSQL's programs are, and how one is run.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use crate::program;

const VARIABLE: &str = "STRONGROOM_POSTGRES_BIN";
const HELP: &str = "apt-get install postgresql";

/// Debian's versions lie side by side here, each in a folder of its name.
const VERSIONS: &str = "/usr/lib/postgresql";

const NAMES: [&str; 4] = ["initdb", "postgres", "pg_basebackup", "psql"];

/// The programs of one version, and who runs them.
#[derive(Clone)]
pub(super) struct Programs {
    folder: PathBuf,
    pub(super) account: Account,
}

impl Programs {
    /// # Errors
    ///
    /// The reason, and in parentheses the command that would help.
    pub(super) fn find() -> Result<Self, String> {
        program::on_unix("PostgreSQL")?;
        Ok(Programs { folder: folder()?, account: Account::find()? })
    }

    /// A program of the server's user, without our own settings of PostgreSQL's clients.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = self.account.command(&self.folder.join(name));
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
    }
}

/// Runs a program to its end.
///
/// # Errors
///
/// If it fails, with what it wrote of that.
pub(super) fn run(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(std::process::Stdio::null()).output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let program = command.get_program().to_string_lossy();
        return Err(io::Error::other(format!("{program}: {}: {complaint}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn folder() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        let missing =
            || format!("{VARIABLE} names no folder with all of {}: {} ({HELP})", NAMES.join(", "), named.display());
        return has_all(&named).then(|| named.clone()).ok_or_else(missing);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = versions(Path::new(VERSIONS)).into_iter().chain(env::split_paths(&path));
    candidates.find(|candidate| has_all(candidate)).ok_or_else(|| format!("PostgreSQL is not installed ({HELP})"))
}

/// The folders of programs, the newest version first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.filter_map(|entry| Some((number(&entry.file_name())?, entry.path()))).collect();
    found.sort_by_key(|(number, _)| Reverse(*number));
    found.into_iter().map(|(_, path)| path.join("bin")).collect()
}

fn number(name: &OsStr) -> Option<u32> {
    name.to_str()?.parse().ok()
}

fn has_all(folder: &Path) -> bool {
    NAMES.iter().all(|name| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::versions;
    use std::fs;

    #[test]
    fn versions_are_ordered_by_number_and_not_by_letter() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["9", "15", "16", "docs"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let expected = ["16", "15", "9"].map(|name| folder.path().join(name).join("bin"));
        assert_eq!(versions(folder.path()), expected);
    }
}
