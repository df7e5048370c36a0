//! Where the program of a server is.

use std::env;
use std::path::{Path, PathBuf};

/// The program that the variable names, else the first of `places` that is there, else `name` on the path.
///
/// # Errors
///
/// The reason, and in parentheses `help`, the command that would provide it.
pub(crate) fn find(variable: &str, places: &[&Path], name: &str, help: &str) -> Result<PathBuf, String> {
    on_unix(name)?;
    if let Some(named) = env::var_os(variable).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        let missing = || format!("{variable} names no file: {} ({help})", named.display());
        // Whoever names one wants that one and no other.
        return named.is_file().then(|| named.clone()).ok_or_else(missing);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join(name));
    let mut candidates = places.iter().map(|place| place.to_path_buf()).chain(on_path);
    candidates.find(|candidate| candidate.is_file()).ok_or_else(|| format!("{name} is not installed ({help})"))
}

/// # Errors
///
/// On a system whose programs cannot be started here.
pub(crate) fn on_unix(name: &str) -> Result<(), String> {
    if !cfg!(unix) {
        return Err(format!("{name} is started by a Unix shell (run the tests on Linux or macOS)"));
    }
    Ok(())
}
