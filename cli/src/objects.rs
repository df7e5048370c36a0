//! Opens media: the store that `--store` names, and the objects that `--objects` names, encrypted if the store is.

use std::path::PathBuf;
use std::sync::Arc;

use strongroom::StoreUrl;
use strongroom::encryption::EncryptedObjects;
use strongroom::objects::object_store::ObjectStore;
use strongroom::objects::{Media, ObjectsUrl};

use crate::failure::{Failure, Result};
use crate::store::Opening;

/// Where the objects are: as `flag` said, or beside the store, if that is a file.
pub(crate) fn place(flag: &str, said: Option<&str>, store: &StoreUrl) -> Result<ObjectsUrl> {
    let url = match said {
        Some(said) => said.parse().map_err(|error: strongroom::Error| {
            // It is one for a library, and refused below.
            let error = error.to_string().replace(", s3://BUCKET/PREFIX or memory:", " or s3://BUCKET/PREFIX");
            Failure::WrongUse(format!("{flag}: {error}; see 'strongroom media --help'"))
        })?,
        None => match store {
            StoreUrl::Redb(path) | StoreUrl::Sqlite(path) => {
                let mut folder = path.clone().into_os_string();
                folder.push(".media");
                ObjectsUrl::File(PathBuf::from(folder))
            }
            StoreUrl::Postgres(_) => {
                return Err(Failure::WrongUse(format!(
                    "the store {store} is on a server, so there is no folder beside it; give {flag} file:DIR or s3://BUCKET/PREFIX"
                )));
            }
            // The store is opened first, and says what is wrong with it.
            _ => ObjectsUrl::Memory,
        },
    };
    if said.is_some() && url == ObjectsUrl::Memory {
        return Err(Failure::WrongUse(format!(
            "{flag}: memory: keeps nothing between commands; name file:DIR or s3://BUCKET/PREFIX"
        )));
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
