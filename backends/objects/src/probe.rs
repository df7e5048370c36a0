//! What an object store makes of conditional writes. Nothing here relies on them; whoever wants to, can ask first.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use strongroom_core::Result;

use crate::error::of_objects;
use crate::layout;

/// What an object store makes of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditional {
    /// A write whose condition holds happens, another does not.
    Honoured,
    /// A write whose condition does not hold happens all the same.
    Ignored,
    /// A write whose condition holds is refused.
    Refused,
    /// The store, or its client, says that it cannot.
    Unsupported,
}

impl Conditional {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Conditional::Honoured => "honoured",
            Conditional::Ignored => "ignored",
            Conditional::Refused => "refused",
            Conditional::Unsupported => "unsupported",
        }
    }
}

/// What an object store makes of conditional writes, one after another. What it makes of two at once only it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionalPut {
    /// "Only if there is none": `If-None-Match: *`.
    pub create: Conditional,
    /// "Only if it is still this one": `If-Match`.
    pub update: Conditional,
}

/// Finds out, with an object of its own, which it deletes.
///
/// # Errors
///
/// Those of the object store for a write without a condition.
pub async fn probe(objects: &dyn ObjectStore) -> Result<ConditionalPut> {
    let path = Path::from(format!("strongroom-probe-{}", layout::random_id()?));
    let found = try_out(objects, &path).await;
    let removed = objects.delete(&path).await;
    let found = found.map_err(|error| of_objects(error, "probe"))?;
    removed.map_err(|error| of_objects(error, "probe"))?;
    Ok(found)
}

async fn try_out(objects: &dyn ObjectStore, path: &Path) -> object_store::Result<ConditionalPut> {
    let put = |mode: PutMode| objects.put_opts(path, PutPayload::from_static(b"probe"), PutOptions::from(mode));
    let first = put(PutMode::Create).await;
    let stale = objects.put(path, PutPayload::from_static(b"first")).await?;
    let create = judged(first.is_ok(), put(PutMode::Create).await);
    // The one that was just now there has another content, so it is another version.
    let current = objects.put(path, PutPayload::from_static(b"second")).await?;
    let holds = put(PutMode::Update(UpdateVersion::from(current))).await;
    let update = match &holds {
        Err(error) if is_unsupported(error) => Conditional::Unsupported,
        _ => judged(holds.is_ok(), put(PutMode::Update(UpdateVersion::from(stale))).await),
    };
    let create = if first.as_ref().is_err_and(is_unsupported) { Conditional::Unsupported } else { create };
    Ok(ConditionalPut { create, update })
}

/// From whether a write whose condition held happened, and what came of one whose condition did not hold.
fn judged<T>(held: bool, broken: object_store::Result<T>) -> Conditional {
    match (held, broken) {
        (false, _) => Conditional::Refused,
        (true, Ok(_)) => Conditional::Ignored,
        (true, Err(error)) if is_unsupported(&error) => Conditional::Unsupported,
        (true, Err(_)) => Conditional::Honoured,
    }
}

fn is_unsupported(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. })
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn memory_honours_both_and_files_one() {
        let both = ConditionalPut { create: Conditional::Honoured, update: Conditional::Honoured };
        assert_eq!(probe(&InMemory::new()).await.unwrap(), both);
        let folder = tempfile::tempdir().unwrap();
        let files = crate::LocalObjects::open(folder.path()).unwrap();
        let one = ConditionalPut { create: Conditional::Honoured, update: Conditional::Unsupported };
        assert_eq!(probe(&files).await.unwrap(), one);
    }
}
