//! The user that PostgreSQL runs as: it refuses to be root.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Whom root starts it as: the first of these that there is.
#[cfg(unix)]
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// Where its folder can be if it must not enter the temporary one.
const OTHER_PLACES: [&str; 2] = ["/tmp", "/var/tmp"];

/// Ourselves, or somebody with fewer rights if we are root.
#[derive(Clone, Copy)]
pub(super) enum Account {
    Ours,
    Other { user: u32, group: u32 },
}

impl Account {
    /// # Errors
    ///
    /// If we are root and there is nobody else, or no program to become somebody else with.
    pub(super) fn find() -> Result<Self, String> {
        #[cfg(unix)]
        if nix::unistd::geteuid().is_root() {
            crate::program::find("STRONGROOM_SETPRIV", &[], "setpriv", "apt-get install util-linux")?;
            let found = NAMES.iter().find_map(|name| nix::unistd::User::from_name(name).ok().flatten());
            let found = found.ok_or("PostgreSQL does not run as root (useradd --system postgres)")?;
            return Ok(Account::Other { user: found.uid.as_raw(), group: found.gid.as_raw() });
        }
        Ok(Account::Ours)
    }

    /// A command of this user, run in the root of the file system, for it may not enter our folder.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = match self {
            Account::Ours => Command::new(program),
            Account::Other { user, group } => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                command.arg("--clear-groups").arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// A folder that is this user's, and gone with the value.
    pub(super) fn folder(self) -> io::Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("strongroom-postgres-").tempdir_in(self.place()?)?;
        #[cfg(unix)]
        if let Account::Other { user, group } = self {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group))?;
        }
        Ok(folder)
    }

    /// The temporary folder, unless this user may not enter it.
    fn place(self) -> io::Result<PathBuf> {
        let temporary = env::temp_dir();
        if matches!(self, Account::Ours) {
            return Ok(temporary);
        }
        let mut places = [temporary.clone()].into_iter().chain(OTHER_PLACES.map(PathBuf::from));
        let found = places.find(|place| everybody_enters(place).unwrap_or(false));
        found.ok_or_else(|| io::Error::other(format!("only root enters {}", temporary.display())))
    }
}

#[cfg(unix)]
fn everybody_enters(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    for folder in folder.canonicalize()?.ancestors() {
        if folder.metadata()?.permissions().mode() & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(not(unix))]
fn everybody_enters(_: &Path) -> io::Result<bool> {
    Ok(true)
}
