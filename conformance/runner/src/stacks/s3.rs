//! The objects of a place in S3: in a bucket of a real server on this machine.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_conformance::{Can, Place};
use strongroom_conformance_servers::Server;
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_objects::S3Connector;
use strongroom_objects::object_store::ObjectStore;
use strongroom_objects::object_store::aws::AmazonS3Builder;
use strongroom_objects::object_store::prefix::PrefixStore;

/// Whether there is such a server.
pub(super) fn can() -> Can {
    match Server::moto_available() {
        Ok(()) => Can::Yes,
        Err(reason) => Can::Missing(reason),
    }
}

/// What lies in the place's folder, so that a child process finds the server that its parent has started.
#[derive(Serialize, Deserialize)]
struct Note {
    endpoint: String,
    bucket: String,
    region: String,
    access_key: String,
    secret_key: String,
    prefix: String,
}

/// The objects of a place, under a prefix of their own.
pub(super) fn objects(place: &Place) -> Result<Arc<dyn ObjectStore>> {
    let path = place.folder.join(format!("s3-{}", place.name));
    let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Io, format!("the place's server: {error}"));
    let note = match fs::read(&path) {
        Ok(note) => serde_json::from_slice(&note).map_err(|error| failed(&error))?,
        Err(_) => {
            let note = Note::of(Server::shared_moto().map_err(|error| failed(&error))?);
            let text = serde_json::to_vec(&note).map_err(|error| failed(&error))?;
            durably(&path, &text).map_err(|error| failed(&error))?;
            note
        }
    };
    let store = AmazonS3Builder::new()
        .with_endpoint(note.endpoint)
        .with_bucket_name(note.bucket)
        .with_region(note.region)
        .with_access_key_id(note.access_key)
        .with_secret_access_key(note.secret_key)
        .with_allow_http(true)
        .with_http_connector(S3Connector { plain_http: true })
        .build();
    Ok(Arc::new(PrefixStore::new(store.map_err(|error| failed(&error))?, note.prefix)))
}

/// The folder may be on a disk that loses power; the server does not.
fn durably(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

impl Note {
    fn of(server: &Server) -> Self {
        Note {
            endpoint: server.endpoint(),
            bucket: server.bucket().to_owned(),
            region: server.region().to_owned(),
            access_key: server.access_key().to_owned(),
            secret_key: server.secret_key().to_owned(),
            prefix: server.new_prefix(),
        }
    }
}
