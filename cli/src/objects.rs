//! Opens media: the store that `--store` names, and the objects that `--objects` names, encrypted if the store is.

use std::path::PathBuf;
use std::sync::Arc;

use strongroom::StoreUrl;
use strongroom::encryption::EncryptedObjects;
use strongroom::objects::object_store::ObjectStore;
use strongroom::objects::{Media, ObjectsUrl};

use crate::failure::{Failure, Result};
use crate::store::Opening;

/// Where the objects are: as was said, or beside the store.
pub(crate) fn place(said: Option<&str>, store: &str) -> Result<ObjectsUrl> {
    let url = match said {
        Some(said) => said.parse().map_err(|error: strongroom::Error| {
            // It is one for a library, and refused below.
            let error = error.to_string().replace(", s3://BUCKET/PREFIX or memory:", " or s3://BUCKET/PREFIX");
            Failure::WrongUse(format!("--objects: {error}; see 'strongroom media --help'"))
        })?,
        None => match store.parse() {
            Ok(StoreUrl::Redb(path) | StoreUrl::Sqlite(path)) => {
                let mut folder = path.into_os_string();
                folder.push(".media");
                ObjectsUrl::File(PathBuf::from(folder))
            }
            // The store is opened first, and says what is wrong with it.
            _ => ObjectsUrl::Memory,
        },
    };
    if said.is_some() && url == ObjectsUrl::Memory {
        return Err(Failure::WrongUse(
            "--objects: memory: keeps nothing between commands; name file:DIR or s3://BUCKET/PREFIX".into(),
        ));
    }
    Ok(url)
}

/// Opens both. The store is closed again if the objects cannot be opened.
pub(crate) async fn media(opening: Opening<'_>, objects: &ObjectsUrl) -> Result<Media> {
    let (db, key) = opening.database_with_objects_key().await?;
    let opened = async {
        let objects = objects.open()?;
        let objects: Arc<dyn ObjectStore> = match &key {
            Some(key) => Arc::new(EncryptedObjects::new(objects, key)),
            None => objects,
        };
        Media::open(db.clone(), objects).await
    };
    match opened.await {
        Ok(media) => Ok(media),
        Err(error) => {
            // Why it does not open matters more than whether it closes.
            let _ = db.close().await;
            Err(error.into())
        }
    }
}
