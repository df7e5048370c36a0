//! Bytes that change, get lost or change places in the object store: it is noticed, and no wrong byte is given out as right.

use bytes::Bytes;
use strongroom_core::ErrorKind;
use strongroom_objects::object_store::ObjectStoreExt;
use strongroom_objects::object_store::path::Path;

use super::support::{PART, Scene, id, number, part_paths, read, read_range, told};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Media;
    a_part_that_is_gone_is_noticed,
    a_part_that_is_cut_short_is_noticed,
    a_part_that_grew_gives_no_wrong_bytes,
    a_changed_byte_is_noticed,
    parts_that_changed_places_are_noticed,
    parts_of_another_medium_are_noticed,
}

const SIZE: usize = 3 * PART + 9;

/// Media 0 and 1, of one size, and where their parts are.
struct Stage {
    scene: Scene,
    parts: [Vec<Path>; 2],
}

impl Stage {
    async fn new(context: &Context) -> Checked<Self> {
        let scene = Scene::new(context).await?;
        let mut parts = [Vec::new(), Vec::new()];
        for (number, parts) in (0..).zip(&mut parts) {
            scene.put(number, SIZE).await?;
            *parts = part_paths(&scene.db, &id(number)).await?;
            ensure_eq!(parts.len(), 4);
        }
        Ok(Stage { scene, parts })
    }

    async fn take(&self, path: &Path) -> Checked<Bytes> {
        let got = async { self.scene.objects.get(path).await?.bytes().await };
        told(got.await)
    }

    async fn set(&self, path: &Path, bytes: Bytes) -> Checked {
        told(self.scene.objects.put(path, bytes.into()).await).map(drop)
    }

    /// Each of these media is noticed to be damaged, read whole and by a verification; the others are as they were.
    async fn ensure_noticed(&self, damaged: &[u64], what: &str) -> Checked {
        for one in [0, 1] {
            if damaged.contains(&one) {
                let error = read(&self.scene.media, &id(one)).await;
                ensure!(error.is_err(), "{what}: wrong bytes were given as right");
                ensure_kind!(error, ErrorKind::Corrupt);
            } else {
                self.scene.ensure_is(one, SIZE).await?;
            }
        }
        let verified = self.scene.media.verify(|_| ()).await?;
        ensure!(verified.problems.iter().all(|one| one.error.kind() == ErrorKind::Corrupt), "{:?}", verified.problems);
        let mut found = verified.problems.iter().map(|one| number(&one.media_id)).collect::<Checked<Vec<_>>>()?;
        found.sort_unstable();
        ensure_eq!(found, damaged, "{what}: what a verification finds");
        Ok(())
    }
}

async fn a_part_that_is_gone_is_noticed(context: Context) -> Checked {
    let stage = Stage::new(&context).await?;
    for (at, part) in stage.parts[0].iter().enumerate() {
        let bytes = stage.take(part).await?;
        told(stage.scene.objects.delete(part).await)?;
        stage.ensure_noticed(&[0], &format!("part {at} is gone")).await?;
        let content = stage.scene.media.get_range(&id(0), (at * PART) as u64..(at * PART + 1) as u64).await?;
        let content = content.ok_or_else(|| Failure::new("its record is there"))?;
        ensure_kind!(super::support::bytes(content).await, ErrorKind::Corrupt);
        stage.set(part, bytes).await?;
        stage.ensure_noticed(&[], "it is back").await?;
    }
    // What is gone can be deleted all the same.
    told(stage.scene.objects.delete(&stage.parts[0][1]).await)?;
    ensure!(stage.scene.media.delete(&id(0)).await?);
    stage.scene.ensure_tidy().await
}

async fn a_part_that_is_cut_short_is_noticed(context: Context) -> Checked {
    let stage = Stage::new(&context).await?;
    let content = stage.scene.content(0, SIZE);
    for (at, part) in stage.parts[0].iter().enumerate() {
        let bytes = stage.take(part).await?;
        for left in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            stage.set(part, bytes.slice(..left)).await?;
            stage.ensure_noticed(&[0], &format!("{left} bytes are left of part {at}")).await?;
            // Ranges at both sides of the cut, and over it.
            let first = at * PART;
            for (start, end) in [(left, bytes.len()), (left.saturating_sub(1), left + 1), (0, left), (0, bytes.len())] {
                let (start, end) = (first + start, first + end.min(bytes.len()));
                match read_range_of(&stage, start, end).await {
                    Ok(found) => ensure!(found == content[start..end], "wrong bytes at {start}..{end}"),
                    Err(error) => ensure_eq!(error.kind(), ErrorKind::Corrupt, "{start}..{end}: {error}"),
                }
            }
        }
        stage.set(part, bytes).await?;
    }
    stage.ensure_noticed(&[], "all is back").await
}

async fn read_range_of(stage: &Stage, start: usize, end: usize) -> strongroom_core::Result<Vec<u8>> {
    let content = stage.scene.media.get_range(&id(0), start as u64..end as u64).await?;
    match content {
        Some(content) => super::support::bytes(content).await,
        None => Ok(Vec::new()),
    }
}

/// Only what is asked for comes, so a plain object store may not show it.
async fn a_part_that_grew_gives_no_wrong_bytes(context: Context) -> Checked {
    let stage = Stage::new(&context).await?;
    let content = stage.scene.content(0, SIZE);
    for part in &stage.parts[0] {
        let bytes = stage.take(part).await?;
        stage.set(part, [&bytes[..], b"more"].concat().into()).await?;
        match read(&stage.scene.media, &id(0)).await {
            Ok(found) => ensure!(found.as_ref() == Some(&content), "wrong bytes were given as right"),
            Err(error) => ensure_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
        stage.set(part, bytes).await?;
    }
    ensure!(read_range(&stage.scene.media, &id(0), ..).await? == content);
    Ok(())
}

async fn a_changed_byte_is_noticed(context: Context) -> Checked {
    let stage = Stage::new(&context).await?;
    for (at, part) in stage.parts[0].iter().enumerate() {
        let bytes = stage.take(part).await?;
        for byte in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.to_vec();
            changed[byte] ^= 1 << (byte % 8);
            stage.set(part, changed.into()).await?;
            stage.ensure_noticed(&[0], &format!("byte {byte} of part {at} is another")).await?;
        }
        stage.set(part, bytes).await?;
    }
    stage.ensure_noticed(&[], "all is back").await
}

async fn parts_that_changed_places_are_noticed(context: Context) -> Checked {
    let stage = Stage::new(&context).await?;
    let parts = &stage.parts[0];
    for (one, other) in [(0, 1), (0, 2), (1, 2), (2, 3)] {
        let bytes = [stage.take(&parts[one]).await?, stage.take(&parts[other]).await?];
        stage.set(&parts[one], bytes[1].clone()).await?;
        stage.set(&parts[other], bytes[0].clone()).await?;
        stage.ensure_noticed(&[0], &format!("parts {one} and {other} changed places")).await?;
        stage.set(&parts[one], bytes[0].clone()).await?;
        stage.set(&parts[other], bytes[1].clone()).await?;
    }
    stage.ensure_noticed(&[], "all is back").await
}

async fn parts_of_another_medium_are_noticed(context: Context) -> Checked {
    let stage = Stage::new(&context).await?;
    for at in 0..4 {
        let paths = [&stage.parts[0][at], &stage.parts[1][at]];
        let bytes = [stage.take(paths[0]).await?, stage.take(paths[1]).await?];
        stage.set(paths[0], bytes[1].clone()).await?;
        stage.ensure_noticed(&[0], &format!("part {at} is that of another")).await?;
        stage.set(paths[1], bytes[0].clone()).await?;
        stage.ensure_noticed(&[0, 1], &format!("parts {at} of two media changed places")).await?;
        stage.set(paths[0], bytes[0].clone()).await?;
        stage.set(paths[1], bytes[1].clone()).await?;
    }
    stage.ensure_noticed(&[], "all is back").await
}
