//! What comes when bytes are asked for: all of it, in any pieces; or less, more, or something else.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use strongroom_core::ErrorKind;
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{self, GetOptions, GetResult, GetResultPayload, ObjectStore};
use tokio::sync::Semaphore;

use super::moments::unavailable;
use super::support::{PART, Scene, id, read, read_range};
use crate::case::cases;
use crate::objects::{ObjectTwist, TwistedObjects};
use crate::{Checked, Context, ensure, ensure_kind};

cases! { Media;
    a_body_in_any_pieces_is_whole,
    a_body_that_is_not_what_was_asked_for_is_no_success,
    a_body_that_stands_still_holds_up_nothing_else,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Body {
    /// It comes in pieces of so many bytes, with empty ones between them.
    Pieces(usize),
    /// It ends half way, as if that were all.
    Stops,
    /// It breaks off half way.
    Breaks,
    /// There is a byte too many.
    Long,
    /// One byte is another.
    Changed,
    /// It is the body of the bytes that come a little later.
    Shifted,
}

#[derive(Debug)]
struct Bodies {
    body: Body,
    /// One permit for each body that may come.
    gate: Option<Arc<Semaphore>>,
}

#[async_trait]
impl ObjectTwist for Bodies {
    async fn get(
        &self,
        inner: &Arc<dyn ObjectStore>,
        path: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let got = inner.get_opts(path, options).await?;
        let (meta, range) = (got.meta.clone(), got.range.clone());
        let (attributes, extensions) = (got.attributes.clone(), got.extensions.clone());
        let bytes = got.bytes().await?;
        if let Some(gate) = &self.gate {
            match gate.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return Err(unavailable()),
            }
        }
        let half = bytes.slice(..bytes.len() / 2);
        let pieces: Vec<object_store::Result<Bytes>> = match self.body {
            Body::Pieces(size) => {
                let pieces = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece)));
                pieces.flat_map(|piece| [Ok(Bytes::new()), piece]).collect()
            }
            Body::Stops => vec![Ok(half)],
            Body::Breaks => vec![Ok(half), Err(unavailable())],
            Body::Long => vec![Ok(bytes), Ok(Bytes::from_static(b"x"))],
            Body::Changed => {
                let mut changed = bytes.to_vec();
                let middle = changed.len() / 2;
                changed[middle] ^= 1;
                vec![Ok(changed.into())]
            }
            Body::Shifted => vec![Ok(bytes.slice(1..)), Ok(Bytes::from_static(b"x"))],
        };
        let payload = GetResultPayload::Stream(stream::iter(pieces).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }
}

impl Bodies {
    fn on(body: Body, gate: Option<Arc<Semaphore>>, objects: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(TwistedObjects::new(objects.clone(), Arc::new(Bodies { body, gate })))
    }
}

async fn a_body_in_any_pieces_is_whole(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([1, PART + 1, 3 * PART]) {
        scene.put(number, size).await?;
        let content = scene.content(number, size);
        for piece in [1, 7, 4_096, PART - 1, PART, 2 * PART] {
            let media = scene.over(Bodies::on(Body::Pieces(piece), None, &scene.objects)).await?;
            ensure!(read(&media, &id(number)).await? == Some(content.clone()), "{size} bytes in pieces of {piece}");
            let range = size / 3..size - size / 4;
            let found = read_range(&media, &id(number), range.start as u64..range.end as u64).await?;
            ensure!(found == content[range], "some of {size} bytes in pieces of {piece}");
        }
    }
    Ok(())
}

async fn a_body_that_is_not_what_was_asked_for_is_no_success(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([2, PART - 1, PART, 3 * PART + 2]) {
        scene.put(number, size).await?;
        for body in [Body::Stops, Body::Breaks, Body::Long, Body::Changed, Body::Shifted] {
            let media = scene.over(Bodies::on(body, None, &scene.objects)).await?;
            let failed = read(&media, &id(number)).await;
            if body == Body::Breaks {
                ensure_kind!(failed, ErrorKind::Io);
            } else {
                ensure_kind!(failed, ErrorKind::Corrupt);
            }
            let verified = media.verify(|_| ()).await?;
            ensure!(verified.problems.len() as u64 == number + 1, "a verification where a body is {body:?}");
            // Of a part of the content no hash is known: its length is.
            if matches!(body, Body::Stops | Body::Breaks | Body::Long) {
                let content = media.get_range(&id(number), 0..2).await?;
                let content = content.ok_or_else(|| crate::Failure::new("it was stored"))?;
                ensure_kind!(super::support::bytes(content).await, ErrorKind::Corrupt | ErrorKind::Io);
            }
        }
        scene.ensure_is(number, size).await?;
    }
    Ok(())
}

async fn a_body_that_stands_still_holds_up_nothing_else(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.put(0, 6 * PART).await?;
    scene.put(1, 2 * PART).await?;
    let gate = Arc::new(Semaphore::new(0));
    let slow = scene.over(Bodies::on(Body::Pieces(PART), Some(gate.clone()), &scene.objects)).await?;
    let reading = tokio::spawn(async move { read(&slow, &id(0)).await });
    for part in 0..6 {
        scene.ensure_is(1, 2 * PART).await?;
        scene.put(10 + part, PART + 1).await?;
        super::support::sweep(&scene.media).await?;
        ensure!(!reading.is_finished(), "it ended without part {part}");
        gate.add_permits(1);
    }
    let found = reading.await.map_err(|error| crate::Failure::new(error.to_string()))??;
    ensure!(found == Some(scene.content(0, 6 * PART)), "what stood still comes to its end");
    Ok(())
}
