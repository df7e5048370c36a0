//! The URL of a store on a PostgreSQL server, which shows itself without its password.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// The URL of a store on a PostgreSQL server, like `postgres://user@host/database?namespace=NAME`.
///
/// There may be a password in it. `Display` and `Debug` put `***` in its place and in that of every parameter that is not known
/// to be harmless, and no error repeats any of it; [`expose`](PostgresUrl::expose) gives the text as it is.
///
/// Parsing tells a URL with a namespace from other text. What its parts may be, the backend says when it is opened.
///
/// ```
/// use strongroom::PostgresUrl;
///
/// let url: PostgresUrl = "postgres://me:secret@db.example/chat?namespace=alice".parse()?;
/// assert_eq!(url.to_string(), "postgres://me:***@db.example/chat?namespace=alice");
/// # Ok::<(), strongroom::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PostgresUrl(String);

/// Parameters whose values are shown.
const HARMLESS: [&str; 8] = ["application_name", "dbname", "host", "namespace", "port", "schema", "sslmode", "user"];

impl PostgresUrl {
    /// The URL as it was given, with its password: for whoever connects, and not to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// # Errors
///
/// `InvalidInput`: it is no such URL, or names no namespace.
impl FromStr for PostgresUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        // What is behind a # the backend would cut off, so that two namespaces could be one.
        let parts = Parts::of(url).filter(|parts| !url.contains('#') && parts.are_clear()).ok_or_else(|| {
            let message = "it is no URL like postgres://USER@HOST/DATABASE?namespace=NAME (inside of a part, / ? # and @ \
                           are written %2F %3F %23 and %40)";
            Error::new(ErrorKind::InvalidInput, message)
        })?;
        if !parts.parameters().any(|(name, value)| name == "namespace" && !value.is_empty()) {
            return Err(Error::new(ErrorKind::InvalidInput, "the URL names no namespace: add ?namespace=NAME"));
        }
        Ok(PostgresUrl(url.to_owned()))
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was taken has parts.
        let Some(parts) = Parts::of(&self.0) else { return f.write_str("postgres://***") };
        write!(f, "{}://", parts.scheme)?;
        match parts.user {
            None => {}
            Some((user, None)) => write!(f, "{user}@")?,
            Some((user, Some(_))) => write!(f, "{user}:***@")?,
        }
        write!(f, "{}{}", parts.host, parts.path)?;
        for (at, (name, value)) in parts.parameters().enumerate() {
            let value = if HARMLESS.contains(&name) { value } else { "***" };
            write!(f, "{}{name}={value}", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresUrl").field(&format_args!("{self}")).finish()
    }
}

/// A URL as far as it must be understood to be shown, separated as in <https://url.spec.whatwg.org>.
struct Parts<'a> {
    scheme: &'a str,
    /// With the password.
    user: Option<(&'a str, Option<&'a str>)>,
    /// With the port.
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme @ ("postgres" | "postgresql"), rest) = url.split_once("://")? else { return None };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let (user, host) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((user, host)) => match user.split_once(':') {
                None => (Some((user, None)), host),
                Some((user, password)) => (Some((user, Some(password))), host),
            },
        };
        Some(Parts { scheme, user, host, path, query })
    }

    /// Whether no part can be the rest of a password in which a separator stands as it is.
    fn are_clear(&self) -> bool {
        let port = match self.host.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port,
            _ => "",
        };
        port.bytes().all(|byte| byte.is_ascii_digit())
            && !self.path.contains('@')
            && !self.parameters().any(|(name, _)| name.contains(['@', '/', ':', '?']))
    }

    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_itself_without_its_password() {
        for (url, shown) in [
            ("postgres://me:secret@host/db?namespace=a", "postgres://me:***@host/db?namespace=a"),
            ("postgresql://me:secret@[::1]:6432/db?namespace=a", "postgresql://me:***@[::1]:6432/db?namespace=a"),
            ("postgres://me:se@c:ret@host/db?namespace=a", "postgres://me:***@host/db?namespace=a"),
            ("postgres://me:@host?namespace=a", "postgres://me:***@host?namespace=a"),
            (
                "postgres://me@host/db?password=secret&namespace=@a:b.example&sslmode=require&sslkey=secret",
                "postgres://me@host/db?password=***&namespace=@a:b.example&sslmode=require&sslkey=***",
            ),
            (
                "postgres:///db?p%61ssword=secret&host=/run/pg&namespace=a&options[x]=secret",
                "postgres:///db?p%61ssword=***&host=/run/pg&namespace=a&options[x]=***",
            ),
        ] {
            let parsed: PostgresUrl = url.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.expose()), (shown, url));
            assert_eq!(format!("{parsed:?}"), format!("PostgresUrl({shown})"));
            assert_eq!(parsed, url.parse().unwrap());
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused_and_not_repeated() {
        for url in [
            "postgres:",
            "postgres:secret",
            "postgres://me:secret@host/db",
            "postgres://me:secret@host/db?namespace",
            "postgres://me:secret@host/db?namespace=",
            "postgres://me:secret@host/db?namespaces=a",
            "postgres://me:secret@host/db?namespace=a#secret",
            "postgres://me:12/secret@host/db?namespace=a",
            "postgres://me:12?secret@host/db&namespace=a",
            "postgres://me:12#secret@host/db?namespace=a",
            "postgres://me:secret/@host/db?namespace=a",
            "postgres://me:secret/db?namespace=a",
        ] {
            let error = url.parse::<PostgresUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
