//! From a URL to what it names.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use strongroom_core::{Error, ErrorKind, Result};
use url::Url;

/// The schema unless the URL names another.
const SCHEMA: &str = "strongroom";
/// Bytes in a namespace's name at most: it stands in an index.
const NAME_BYTES_MAX: usize = 1_000;
/// PostgreSQL cuts off longer names, so that two could be one.
const SCHEMA_BYTES_MAX: usize = 48;

/// What a URL names.
pub(crate) struct Target {
    pub(crate) connect: PgConnectOptions,
    pub(crate) schema: String,
    pub(crate) namespace: Option<String>,
}

/// Parameters of PostgreSQL's own that are passed on; another one is a typing error.
const KNOWN: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "ssl-mode",
    "ssl-root-cert",
];

impl FromStr for Target {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        // Nothing of it is repeated: there may be a password in it.
        let mut parsed = Url::parse(url).map_err(|_| invalid())?;
        if !["postgres", "postgresql"].contains(&parsed.scheme()) {
            return Err(invalid());
        }
        let (mut schema, mut namespace, mut passed_on) = (SCHEMA.to_owned(), None, Vec::new());
        for (name, value) in parsed.query_pairs() {
            match &*name {
                "namespace" => namespace = Some(check_namespace(&value)?),
                "schema" => schema = check_schema(&value)?,
                name if KNOWN.contains(&name) || name.starts_with("options[") => {
                    passed_on.push((name.to_owned(), value.into_owned()));
                }
                _ => {
                    let message = "the URL has a parameter that is not known here";
                    return Err(Error::new(ErrorKind::InvalidInput, message));
                }
            }
        }
        parsed.query_pairs_mut().clear().extend_pairs(passed_on);
        let connect = PgConnectOptions::from_url(&parsed).map_err(|_| invalid())?;
        Ok(Target { connect, schema, namespace })
    }
}

fn invalid() -> Error {
    Error::new(ErrorKind::InvalidInput, "it is no URL like postgres://user@host/database?namespace=NAME")
}

/// A name that a namespace may have.
pub(crate) fn check_namespace(name: &str) -> Result<String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
        let message = format!("a namespace's name has 1 to {NAME_BYTES_MAX} bytes and no NUL");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(name.to_owned())
}

/// A schema's name goes into statements, in quotes, so it has none in it.
fn check_schema(name: &str) -> Result<String> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let fits = (1..=SCHEMA_BYTES_MAX).contains(&name.len()) && !name.starts_with("pg_");
    if fits && letter(name.as_bytes()[0]) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit()) {
        return Ok(name.to_owned());
    }
    let message = format!(
        "a schema's name has 1 to {SCHEMA_BYTES_MAX} of a-z, 0-9 and _, and begins with neither a digit nor pg_"
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_a_schema_and_a_namespace() {
        let target: Target =
            "postgres://me:pw@db.example:6432/chat?namespace=al%20ice&schema=rooms&sslmode=require".parse().unwrap();
        assert_eq!((target.schema.as_str(), target.namespace.as_deref()), ("rooms", Some("al ice")));
        let connect = target.connect;
        assert_eq!(
            (connect.get_host(), connect.get_port(), connect.get_database()),
            ("db.example", 6432, Some("chat"))
        );
        let socket: Target = "postgres:///chat?host=/run/postgresql&namespace=a".parse().unwrap();
        assert_eq!(socket.connect.get_socket().unwrap().to_str(), Some("/run/postgresql"));
        assert_eq!(socket.schema, SCHEMA);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_its_password() {
        for url in [
            "",
            "redb:x",
            "mysql://me:secret@host/db",
            "postgres://me:secret@host:port/db",
            "postgres://me:secret@host/db?namespace=",
            "postgres://me:secret@host/db?namespaces=a",
            "postgres://me:secret@host/db?schema=Rooms",
            "postgres://me:secret@host/db?schema=a;drop",
            "postgres://me:secret@host/db?sslmode=secret",
        ] {
            let error = url.parse::<Target>().err().unwrap_or_else(|| panic!("{url} was taken"));
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
