//! A full disk.

use strongroom_core::ErrorKind;

use super::support::{DAY, PART, Scene, ensure_verified, id, sweep};
use crate::case::cases;
use crate::{Checked, Context, Fault, ensure, ensure_eq, ensure_kind};

cases! { Media;
    without_space_a_put_fails_and_media_are_read [Inject],
    once_there_is_space_again_media_are_stored [Inject],
}

/// Media that are stored, and others that met a disk without space.
async fn full(context: &Context) -> Checked<Scene> {
    let scene = Scene::new(context).await?;
    for number in 0..3 {
        scene.put(number, 2 * PART + 1).await?;
    }
    context.factory().inject(&scene.site.place, Fault::NoSpace).await?;
    for number in 3..6 {
        let failed = scene.put(number, 2 * PART + 1).await;
        ensure_kind!(failed, ErrorKind::Io | ErrorKind::CommitUnknown);
    }
    Ok(scene)
}

async fn without_space_a_put_fails_and_media_are_read(context: Context) -> Checked {
    let scene = full(&context).await?;
    for _ in 0..2 {
        for number in 0..3 {
            scene.ensure_is(number, 2 * PART + 1).await?;
        }
        for number in 3..6 {
            ensure!(scene.media.stat(&id(number)).await?.is_none(), "medium {number} was told to have failed");
        }
        ensure_eq!(ensure_verified(&scene.media).await?, 3);
    }
    Ok(())
}

async fn once_there_is_space_again_media_are_stored(context: Context) -> Checked {
    let scene = full(&context).await?;
    scene.settled().await;
    context.factory().inject(&scene.site.place, Fault::None).await?;
    for number in 3..6 {
        scene.put(number, 3 * PART).await?;
        scene.ensure_is(number, 3 * PART).await?;
    }
    ensure!(scene.media.delete(&id(0)).await?);
    ensure_eq!(ensure_verified(&scene.media).await?, 5);
    scene.after(DAY + 1);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await?;
    ensure_eq!(ensure_verified(&scene.media).await?, 5);
    Ok(())
}
