//! The URLs of stores on the command line: whether there is something at one, and what is refused. What is shown of one has no
//! password in it, because [`StoreUrl`] shows itself so.

use strongroom::{Error, ErrorKind, StoreUrl};

use crate::failure::{Failure, Result};

/// The store of that URL, from `--store` or where else one is named.
pub(crate) fn parse(url: &str) -> Result<StoreUrl> {
    url.parse().map_err(wrong)
}

/// The failure of opening or asking for a store. What is wrong with the URL of a server is found only then, and is wrong use as
/// it is of any other.
pub(crate) fn not_opened(url: &StoreUrl, error: Error) -> Failure {
    match (url, error.kind()) {
        (StoreUrl::Postgres(_), ErrorKind::InvalidInput) => wrong(error),
        _ => error.into(),
    }
}

fn wrong(error: Error) -> Failure {
    Failure::WrongUse(format!("--store: {error}; see 'strongroom --help'"))
}

/// Whether there is nothing at all at that URL.
pub(crate) async fn is_new(url: &StoreUrl) -> Result<bool> {
    url.exists().await.map(|exists| !exists).map_err(|error| not_opened(url, error))
}

/// As [`is_new`], and a file without content is no store yet: a command that reads must not make one of it.
async fn is_missing(url: &StoreUrl) -> Result<bool> {
    match url {
        StoreUrl::Redb(path) | StoreUrl::Sqlite(path) => {
            Ok(std::fs::metadata(path).map_or(true, |found| found.is_file() && found.len() == 0))
        }
        url => is_new(url).await,
    }
}

/// That there is a store. If there is none, `maker` is the command that makes one.
pub(crate) async fn check_existing(url: &StoreUrl, maker: &str) -> Result<()> {
    if *url == StoreUrl::Memory {
        return Err(Failure::WrongUse(
            "memory: keeps nothing between commands; name a store with --store, like redb:PATH".into(),
        ));
    }
    if is_missing(url).await? {
        return Err(Failure::new(
            format!("there is no store {url}"),
            format!("make one with 'strongroom {maker}', or name another with --store"),
        ));
    }
    Ok(())
}

/// That something can be copied into it: there is nothing yet, unless a copy is gone on with.
pub(crate) async fn check_target(url: &StoreUrl, resume: bool) -> Result<()> {
    if *url == StoreUrl::Memory {
        return Err(Failure::WrongUse("memory: keeps nothing; name a file, like redb:PATH".into()));
    }
    if !resume && !is_missing(url).await? {
        let what = format!("there is something at {url} already, and a copy goes into a new store");
        return Err(Failure::new(what, "name another, or go on with an interrupted copy by --resume"));
    }
    Ok(())
}

/// A line in which every URL that may have a password ends behind its scheme.
pub(crate) fn without_secrets(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?']) => format!("{scheme}://***"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_all_but_what_may_be_a_password() {
        let line = "no command is called 'postgres://me:secret@host/db?namespace=a' here; see help";
        assert_eq!(without_secrets(line), "no command is called 'postgres://*** here; see help");
        assert_eq!(without_secrets("x postgres://host?password=secret y"), "x postgres://*** y");
        for line in ["", "@me:example.org is no room", "mxc://example.org/a file:DIR", "what? a://b"] {
            assert_eq!(without_secrets(line), line);
        }
    }
}
