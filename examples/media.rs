//! A picture, stored encrypted beside an encrypted store, read in a range, and swept: `cargo run --example media --features objects`.

use std::sync::Arc;

use futures_util::TryStreamExt;
use strongroom::encryption::{EncryptedObjects, Unlock};
use strongroom::matrix;
use strongroom::objects::{Filter, Media, NewMedia, ObjectsUrl, Retention, RetentionRule, SweepOptions};
use strongroom::{Database, open};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = |scheme: &str, name: &str| format!("{scheme}:{}/{name}", folder.path().display());

    // One passphrase opens both: the key of the objects follows from the store's.
    let store = open(&url("redb", "chat.redb")).encrypted(Unlock::passphrase("correct horse battery staple")).await?;
    let objects = url("file", "media").parse::<ObjectsUrl>()?.open()?; // or "s3://bucket/prefix"
    let objects = EncryptedObjects::new(objects, &store.objects_key()?);
    let media = Media::open(Database::open(store, matrix::schema()).await?, Arc::new(objects)).await?;

    // From anything that can be read; its size need not be known.
    let picture = vec![7; 10_000_000];
    let new = NewMedia::new("!room:example.org", "image/png").id("mxc://example.org/abc");
    let stored = media.put(new, &picture[..]).await?;
    assert_eq!(stored.record.size, 10_000_000);

    let id = &stored.record.media_id;
    let some = media.get_range(id, 4_999_990..5_000_010).await?.ok_or("it was stored")?;
    let some: Vec<u8> = some.stream().map_ok(|bytes| bytes.to_vec()).try_concat().await?;
    assert_eq!(some, [7; 20]);

    let listed: Vec<matrix::Media> = media.list(Filter::default()).try_collect().await?;
    assert_eq!(listed, std::slice::from_ref(&stored.record));

    // What was read longest ago goes, until a megabyte is left.
    let all = RetentionRule { total_bytes_max: Some(1_000_000), ..RetentionRule::default() };
    let retention = Retention { all, ..Retention::default() };
    let swept = media.sweep(&SweepOptions { retention, dry_run: false }).await?;
    assert_eq!(swept.freed_bytes(), 10_000_000);
    assert!(media.get(id).await?.is_none());

    media.database().close().await?;
    Ok(())
}
