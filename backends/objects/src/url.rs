//! From a URL to an open object store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use strongroom_core::{Error, ErrorKind, Result};

use crate::LocalObjects;

/// Where objects are kept.
///
/// Every form parses whatever the features are, so that a program can say which one is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectsUrl {
    /// `file:DIR`: files in a folder, which is made if it is not there.
    File(PathBuf),
    /// `s3://BUCKET/PREFIX`: S3 or what is compatible with it. Credentials, region and endpoint come from the environment, as
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT` and the like, of a web identity or of a container;
    /// the metadata service of a machine is never asked. An empty variable counts as unset. Only a server on this machine is spoken to
    /// without TLS.
    S3 {
        /// The bucket, which must be there.
        bucket: String,
        /// What all names begin with; may be empty.
        prefix: String,
    },
    /// `memory:`: nothing outlives the process.
    Memory,
}

impl ObjectsUrl {
    /// Opens the object store. Nothing is asked of a server yet.
    ///
    /// # Errors
    ///
    /// `Io` for a folder that cannot be made, `InvalidInput` for settings of S3 that cannot be right, `Unsupported` where the
    /// feature is off (it is named).
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        match self {
            ObjectsUrl::File(path) => Ok(Arc::new(LocalObjects::open(path)?)),
            ObjectsUrl::Memory => Ok(Arc::new(InMemory::new())),
            #[cfg(feature = "s3")]
            ObjectsUrl::S3 { bucket, prefix } => crate::s3::open(bucket, prefix),
            #[cfg(not(feature = "s3"))]
            ObjectsUrl::S3 { .. } => {
                let message = "this program was built without the feature 's3' of strongroom; build it with that";
                Err(Error::new(ErrorKind::Unsupported, message).during("open"))
            }
        }
    }
}

/// What a URL may look like.
const KNOWN: &str = "file:DIR, s3://BUCKET/PREFIX or memory:";

impl FromStr for ObjectsUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("file", "")) => Err(invalid("file: needs a folder, like file:media".to_owned())),
            Some(("file", path)) => match path.strip_prefix("//") {
                // In a URL, a host would come here: a folder of this name is not what was meant.
                Some(rest) if !rest.starts_with('/') => Err(invalid(
                    "file:// needs a whole path behind it, like file:///srv/media; or write file:media".to_owned(),
                )),
                Some(rest) => Ok(ObjectsUrl::File(rest.into())),
                None => Ok(ObjectsUrl::File(path.into())),
            },
            Some(("s3", rest)) => {
                let (bucket, prefix) =
                    rest.strip_prefix("//").map(|rest| rest.split_once('/').unwrap_or((rest, ""))).unwrap_or_default();
                if bucket.is_empty() {
                    return Err(invalid("s3: needs a bucket, like s3://bucket/prefix".to_owned()));
                }
                Ok(ObjectsUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
            }
            Some(("memory", "")) => Ok(ObjectsUrl::Memory),
            Some(("memory", _)) => Err(invalid("memory: takes nothing behind the colon".to_owned())),
            Some((scheme, _)) => Err(invalid(format!("no object store is called '{scheme}': use {KNOWN}"))),
            None => Err(invalid(format!("'{url}' names no object store: use {KNOWN}"))),
        }
    }
}

impl fmt::Display for ObjectsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectsUrl::File(path) => write!(f, "file:{}", path.display()),
            ObjectsUrl::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            ObjectsUrl::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            ObjectsUrl::Memory => f.write_str("memory:"),
        }
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_object_stores() {
        let s3 = |bucket: &str, prefix: &str| ObjectsUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        for (url, parsed) in [
            ("file:a b/c:d", ObjectsUrl::File("a b/c:d".into())),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/a/b", s3("bucket", "a/b")),
            ("memory:", ObjectsUrl::Memory),
        ] {
            assert_eq!(url.parse::<ObjectsUrl>().unwrap(), parsed);
            assert_eq!(parsed.to_string(), url);
        }
        assert_eq!("s3://bucket/a/".parse::<ObjectsUrl>().unwrap(), s3("bucket", "a"));
        assert_eq!("file:///a".parse::<ObjectsUrl>().unwrap(), ObjectsUrl::File("/a".into()));
    }

    #[test]
    fn other_urls_are_refused_with_the_known_ones_named() {
        for url in [
            "",
            "media",
            "gs://bucket",
            "file:",
            "file://",
            "file://media",
            "s3:",
            "s3://",
            "s3:///a",
            "s3:bucket",
            "memory:x",
            ":",
        ] {
            assert_eq!(url.parse::<ObjectsUrl>().unwrap_err().kind(), ErrorKind::InvalidInput, "{url}");
        }
        let error = "gs://x".parse::<ObjectsUrl>().unwrap_err().to_string();
        assert!(["gs", "file:DIR", "s3://BUCKET/PREFIX", "memory:"].iter().all(|word| error.contains(word)), "{error}");
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn without_its_feature_s3_names_it() {
        let error = "s3://bucket".parse::<ObjectsUrl>().unwrap().open().unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("'s3'"), "{error}");
    }
}
