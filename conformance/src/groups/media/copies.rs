//! A copied database whose bytes follow it into another object store.

use std::sync::Arc;

use strongroom_core::{Database, ErrorKind};
use strongroom_objects::Media;
use strongroom_objects::object_store::memory::InMemory;
use strongroom_objects::object_store::{ObjectStore, ObjectStoreExt};

use super::support::{PART, Scene, id, open, over, part_paths, read, told};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Media;
    the_bytes_follow_a_copied_database,
    a_copy_of_bytes_that_is_called_again_copies_what_is_missing,
    bytes_that_are_wrong_or_gone_are_named_and_not_copied,
}

/// Sizes of a part, of none, and of several.
const SIZES: [usize; 4] = [PART, 0, 3 * PART + 9, 1];

/// A scene with media, and a copy of its database in another store, with an object store of its own that is empty.
struct Copied {
    scene: Scene,
    media: Media,
    objects: Arc<dyn ObjectStore>,
    _site: Site,
}

impl Copied {
    async fn new(context: &Context) -> Checked<Self> {
        let scene = Scene::new(context).await?;
        for (number, size) in (0..).zip(SIZES) {
            scene.put(number, size).await?;
        }
        let site = context.open().await?;
        let db: Database = open(site.store.clone(), site.clock.clone()).await?;
        scene.db.copy_into(&db, |_| ()).await?;
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let media = over(&db, objects.clone(), 3).await?;
        Ok(Copied { scene, media, objects, _site: site })
    }

    /// Of these media the copy has all bytes.
    async fn ensure_has(&self, numbers: &[u64]) -> Checked {
        for &number in numbers {
            let found = read(&self.media, &id(number)).await?;
            let expected = self.scene.content(number, SIZES[number as usize]);
            ensure!(found.is_some_and(|found| found == expected), "medium {number}");
        }
        Ok(())
    }
}

async fn the_bytes_follow_a_copied_database(context: Context) -> Checked {
    let copied = Copied::new(&context).await?;
    ensure!(read(&copied.media, &id(0)).await.is_err(), "there was no byte of it yet");
    let mut seen = 0;
    let done = copied.media.copy_objects_from(copied.scene.objects.clone(), |bytes| seen = bytes).await?;
    let bytes = SIZES.iter().sum::<usize>() as u64;
    // An object without bytes has no part that could be missing.
    ensure_eq!((done.copied, done.present, done.bytes, seen, done.problems.len()), (3, 1, bytes, bytes, 0));
    copied.ensure_has(&[0, 1, 2, 3]).await?;
    ensure_eq!(copied.media.verify(|_| ()).await?.good, 4);
    // The original is as it was, and does not need the copy.
    copied.scene.ensure_tidy().await?;
    copied.media.delete(&id(0)).await?;
    copied.scene.ensure_is(0, SIZES[0]).await
}

async fn a_copy_of_bytes_that_is_called_again_copies_what_is_missing(context: Context) -> Checked {
    let copied = Copied::new(&context).await?;
    copied.media.copy_objects_from(copied.scene.objects.clone(), |_| ()).await?;
    let again = copied.media.copy_objects_from(copied.scene.objects.clone(), |_| ()).await?;
    ensure_eq!((again.copied, again.present, again.bytes), (0, 4, 0));
    // As an interruption leaves it: some parts of an object are there.
    let paths = part_paths(copied.media.database(), &id(2)).await?;
    ensure_eq!(paths.len(), 4);
    told(copied.objects.delete(&paths[1]).await)?;
    let again = copied.media.copy_objects_from(copied.scene.objects.clone(), |_| ()).await?;
    ensure_eq!((again.copied, again.present, again.bytes), (1, 3, SIZES[2] as u64));
    copied.ensure_has(&[0, 1, 2, 3]).await
}

async fn bytes_that_are_wrong_or_gone_are_named_and_not_copied(context: Context) -> Checked {
    let copied = Copied::new(&context).await?;
    let (source, db) = (&copied.scene.objects, &copied.scene.db);
    let gone = part_paths(db, &id(0)).await?;
    told(source.delete(&gone[0]).await)?;
    // Its first and last parts are right.
    let wrong = part_paths(db, &id(2)).await?;
    told(source.put(&wrong[1], vec![0; PART].into()).await)?;
    let done = copied.media.copy_objects_from(source.clone(), |_| ()).await?;
    ensure_eq!((done.copied, done.present, done.bytes), (1, 1, SIZES[3] as u64));
    let mut named: Vec<_> = done.problems.iter().map(|problem| problem.media_id.clone()).collect();
    named.sort_unstable();
    ensure_eq!(named, [id(0), id(2)]);
    ensure!(done.problems.iter().all(|problem| problem.error.kind() == ErrorKind::Corrupt), "{:?}", done.problems);
    copied.ensure_has(&[1, 3]).await?;
    // Nothing is left of what was found to be wrong.
    for path in part_paths(copied.media.database(), &id(2)).await? {
        ensure!(copied.objects.head(&path).await.is_err(), "a part of what is wrong was kept");
    }
    // Of a medium that is deleted in the copy nothing is wanted any more.
    copied.media.delete(&id(0)).await?;
    let again = copied.media.copy_objects_from(source.clone(), |_| ()).await?;
    ensure_eq!(again.problems.len(), 1);
    ensure_eq!(again.problems[0].media_id, id(2));
    Ok(())
}
