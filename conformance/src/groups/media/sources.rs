//! The same bytes however they come: all at once, in odd pieces, from a reader or a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use strongroom_core::ErrorKind;
use strongroom_core::matrix::MediaId;
use strongroom_objects::NewMedia;
use tokio::io::{AsyncRead, ReadBuf};

use super::support::{DAY, PART, ROOM, Scene, id, new, over, read, sweep, uploads};
use crate::case::cases;
use crate::groups::crash::random::Random;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Media;
    a_source_in_any_pieces_makes_the_same_medium random true,
    a_source_that_fails_stores_nothing,
    what_a_source_gave_that_was_wrong_is_not_gone_on_with,
    a_medium_without_an_id_gets_its_own,
}

/// Gives its bytes in pieces of random sizes; now and then it has to be asked again.
struct Pieces {
    rest: Bytes,
    random: Random,
    /// What error there is where the bytes end.
    fails: Option<fn() -> io::Error>,
}

impl Pieces {
    fn next(&mut self, limit: usize) -> Option<Bytes> {
        let most = match self.random.below(4) {
            0 => 3,
            1 => 1_000,
            2 => PART as u64 + 2,
            _ => 3 * PART as u64,
        };
        let piece = (1 + self.random.below(most) as usize).min(self.rest.len()).min(limit);
        (piece > 0).then(|| self.rest.split_to(piece))
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.random.below(3) == 0 {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty()
            && let Some(fails) = self.fails
        {
            return Poll::Ready(Err(fails()));
        }
        if let Some(piece) = self.next(into.remaining()) {
            into.put_slice(&piece);
        }
        Poll::Ready(Ok(()))
    }
}

async fn a_source_in_any_pieces_makes_the_same_medium(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut random = Random::new(context.seed(), 2);
    for (round, size) in (0..).zip([0, 1, PART, PART + 1, 4 * PART + 3]) {
        let content = Bytes::from(scene.content(round, size));
        let mut pieces = || Pieces { rest: content.clone(), random: Random::new(random.next(), 0), fails: None };
        let ids = [0, 1, 2].map(|way| id(round * 3 + way));
        let (reader, mut streamed, mut given) = (pieces(), pieces(), pieces());
        let from_reader = scene.media.put(new(&ids[0]), reader).await?;
        let stream = stream::iter(std::iter::from_fn(move || streamed.next(usize::MAX))).map(Ok).boxed();
        let streamed = scene.media.put_stream(new(&ids[1]), stream).await?;
        let mut upload = scene.media.upload(new(&ids[2])).await?;
        while let Some(piece) = given.next(usize::MAX) {
            upload.write(piece).await?;
            upload.write(Bytes::new()).await?;
        }
        let written = upload.finish().await?;
        for (id, stored) in ids.iter().zip([from_reader, streamed, written]) {
            ensure_eq!(stored.record.size, size as u64);
            let found = read(&scene.media, id).await?;
            ensure!(found.is_some_and(|found| found == content), "{size} bytes in pieces");
        }
    }
    scene.ensure_tidy().await
}

/// The connection is lost: what came is right.
fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// Whoever gives the bytes finds that they are wrong.
fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a hash is wrong")
}

/// As [`invalid`], of a layer of Strongroom's.
fn of_layer() -> io::Error {
    io::Error::other(strongroom_core::Error::new(ErrorKind::Encrypted, "of a layer above"))
}

async fn a_source_that_fails_stores_nothing(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([0, 1, PART, 3 * PART]) {
        let rest = scene.content(number, size).into();
        let source = Pieces { rest, random: Random::new(context.seed(), number), fails: Some(reset) };
        ensure_kind!(scene.media.put(new(&id(number)), source).await, ErrorKind::Io);
        let failing = stream::iter([Ok(Bytes::from(scene.content(number, size))), Err(of_layer())]);
        let failed = scene.media.put_stream(new(&id(number)), failing).await;
        ensure_kind!(failed, ErrorKind::Encrypted);
        ensure!(scene.media.stat(&id(number)).await?.is_none());
    }
    scene.after(DAY + 1);
    scene.settled().await;
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

/// Of a connection that was lost, what came is kept; of bytes that are known to be wrong, none.
async fn what_a_source_gave_that_was_wrong_is_not_gone_on_with(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let media = over(&scene.db, scene.objects.clone(), 1).await?;
    let content = Bytes::from(scene.content(0, 3 * PART));
    let ways: [(fn() -> io::Error, bool); 3] = [(invalid, false), (of_layer, false), (reset, true)];
    for (round, (fails, kept)) in (0..).zip(ways) {
        let ids = [0, 1].map(|way| id(2 * round + way));
        let random = Random::new(context.seed(), round);
        let source = Pieces { rest: content.clone(), random, fails: Some(fails) };
        let failed = media.put(new(&ids[0]), source).await.is_err();
        let stream = stream::iter([Ok(content.clone()), Err(fails())]);
        let stream_failed = media.put_stream(new(&ids[1]), stream).await.is_err();
        ensure!(failed && stream_failed, "the source failed");
        ensure_eq!(uploads(&scene.db).await?.len(), if kept { 2 } else { 0 }, "uploads after {}", fails());
        for id in &ids {
            let at = media.resume(new(id)).await?;
            ensure_eq!(at.resumed_at(), if kept { 3 * PART as u64 } else { 0 }, "after {}", fails());
            at.abandon().await?;
        }
    }
    scene.ensure_tidy().await
}

async fn a_medium_without_an_id_gets_its_own(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut ids: Vec<MediaId> = Vec::new();
    for number in 0..5 {
        let new = NewMedia::new(ROOM, "image/png");
        let stored = scene.media.put(new, &scene.content(number, 10)[..]).await?;
        ensure!(!ids.contains(&stored.record.media_id), "two media have one id");
        let found = read(&scene.media, &stored.record.media_id).await?;
        ensure!(found == Some(scene.content(number, 10)));
        ids.push(stored.record.media_id);
    }
    let without = NewMedia::new(ROOM, "image/png");
    ensure_kind!(scene.media.resume(without).await, ErrorKind::InvalidInput);
    Ok(())
}
