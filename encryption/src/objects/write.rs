//! `put`: an object in one request.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions, PutPayload, PutResult, Result};

use super::errors::{Renamed, refused};
use super::pace::Pace;
use super::seal::Sealer;
use super::{EncryptedObjects, Shared};

impl<O: ObjectStore> EncryptedObjects<O> {
    /// Mode, tags and attributes go down as they are.
    pub(super) async fn write(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let below = self.below(location)?;
        let sealed = sealed(&self.shared, location, payload).await?;
        self.inner.put_opts(&below, sealed, opts).await.about(location)
    }
}

/// A whole object, sealed: its header and each chunk in an allocation of its own.
pub(super) async fn sealed(shared: &Shared, location: &Path, payload: PutPayload) -> Result<PutPayload> {
    let (mut sealer, header) =
        Sealer::begin(shared, location.as_ref(), Some(payload.content_length())).map_err(refused)?;
    let mut parts: Vec<Bytes> = vec![header];
    let mut pace = Pace::default();
    for mut plain in payload {
        while !plain.is_empty() {
            if let Some(chunk) = sealer.write(&mut plain).map_err(refused)? {
                pace.after(chunk.len()).await;
                parts.push(chunk);
            }
        }
    }
    parts.push(sealer.finish().map_err(refused)?);
    Ok(parts.into_iter().collect())
}
