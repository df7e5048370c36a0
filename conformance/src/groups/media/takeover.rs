//! An upload that is gone on with while its predecessor is still at it, or died at its end: nothing is put together that nobody gave.

use std::io::{self, Cursor, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use strongroom_core::{ErrorKind, Json};
use strongroom_objects::{Media, MediaUpload, Thumbnail};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::sync::Notify;

use super::moments::{Call, hooks};
use super::support::{DAY, PART, Scene, id, new, open, over, read, sweep};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Media;
    an_upload_that_changed_while_it_was_compared_is_compared_again,
    a_short_last_part_is_never_gone_on_with,
    what_is_resumed_is_the_content_never_the_thumbnail,
}

/// A file; when it is first read, something happens elsewhere.
struct Source {
    file: Cursor<Vec<u8>>,
    first: Option<BoxFuture<'static, ()>>,
}

impl Source {
    fn new(content: Vec<u8>, first: impl Future<Output = ()> + Send + 'static) -> Self {
        Source { file: Cursor::new(content), first: Some(Box::pin(first)) }
    }
}

impl AsyncRead for Source {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(first) = &mut self.first {
            ready!(first.as_mut().poll(task));
            self.first = None;
        }
        Pin::new(&mut self.file).poll_read(task, into)
    }
}

impl AsyncSeek for Source {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.file).poll_complete(task)
    }
}

/// What becomes of an upload while another looks whether its own source begins so.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    /// It goes on by so many parts.
    GoesOn(usize),
    /// A third one takes it over and goes on.
    TakenOver,
    GivenUp,
}

async fn an_upload_that_changed_while_it_was_compared_is_compared_again(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let media = over(&scene.db, scene.objects.clone(), 1).await?;
    let ways = [1, 2, 3, 5].map(Meanwhile::GoesOn).into_iter().chain([Meanwhile::TakenOver, Meanwhile::GivenUp]);
    for (number, meanwhile) in (0..).zip(ways) {
        let theirs = Bytes::from(scene.content(number, 6 * PART));
        let mut first = media.upload(new(&id(number))).await?;
        first.write(theirs.slice(..PART)).await?;
        // The same first part; all else is another.
        let ours = [&theirs[..PART], &scene.content(100 + number, 3 * PART + 5)].concat();
        let other = media.clone();
        let happens = async move {
            // What comes of it does not matter.
            match meanwhile {
                Meanwhile::GoesOn(parts) => {
                    first.write(theirs.slice(PART..(1 + parts) * PART)).await.ok();
                }
                Meanwhile::TakenOver => {
                    if let Ok(mut third) = other.resume(new(&id(number))).await {
                        third.write(theirs.slice(PART..3 * PART)).await.ok();
                    }
                }
                Meanwhile::GivenUp => {
                    first.abandon().await.ok();
                }
            }
        };
        let stored = media.put_resumable(new(&id(number)), Source::new(ours.clone(), happens), |_| ()).await?;
        ensure_eq!((stored.record.size, stored.was_there), (ours.len() as u64, false), "{meanwhile:?}");
        let found = read(&scene.media, &id(number)).await?;
        ensure!(found == Some(ours), "it is not what the source gave: {meanwhile:?}");
    }
    ensure_swept(&scene).await
}

async fn ensure_swept(scene: &Scene) -> Checked {
    scene.settled().await;
    scene.after(DAY + 1);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

/// Media, one part of a transfer at a time, that stand still for good at a moment: before or after a put or a commit.
struct Standing {
    media: Media,
    armed: Arc<AtomicBool>,
    reached: Arc<Notify>,
}

impl Standing {
    async fn at(scene: &Scene, moment: u64) -> Checked<Self> {
        let (armed, reached) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let (is_armed, notify, passed) = (armed.clone(), reached.clone(), AtomicU64::new(0));
        let hooks = hooks(move |now| {
            let counts = matches!(now.call, Call::Put | Call::Commit) && is_armed.load(Ordering::SeqCst);
            let here = counts && passed.fetch_add(1, Ordering::SeqCst) == moment;
            let notify = notify.clone();
            async move {
                if here {
                    notify.notify_one();
                    std::future::pending::<()>().await;
                }
                true
            }
        });
        let db = open(hooks.on_commits_of(&scene.site.store), scene.site.clock.clone()).await?;
        let media = over(&db, hooks.on(&scene.objects), 1).await?;
        Ok(Standing { media, armed, reached })
    }

    /// From here on moments count. Says whether the upload came to its end.
    async fn finish(self, upload: MediaUpload) -> bool {
        self.armed.store(true, Ordering::SeqCst);
        tokio::select! {
            biased;
            _ = upload.finish() => true,
            () = self.reached.notified() => false,
        }
    }
}

/// It is put again, at another number of bytes, when all of the content comes.
async fn a_short_last_part_is_never_gone_on_with(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let short = PART + PART / 2;
    for moment in 0.. {
        let content = Bytes::from(scene.content(moment, 2 * PART + PART / 2));
        let standing = Standing::at(&scene, moment).await?;
        let mut first = standing.media.upload(new(&id(moment))).await?;
        first.write(content.slice(..PART)).await?;
        let half = content.slice(PART..short);
        let ended = Arc::new(AtomicBool::new(false));
        let told = ended.clone();
        let happens = async move {
            if first.write(half).await.is_ok() {
                told.store(standing.finish(first).await, Ordering::SeqCst);
            }
        };
        let source = Source::new(content.to_vec(), happens);
        let outcome = scene.media.put_resumable(new(&id(moment)), source, |_| ()).await;
        let found = read(&scene.media, &id(moment)).await?;
        if outcome.is_ok() {
            ensure!(found.as_deref() == Some(&content[..]), "not what the source gave, at moment {moment}");
        } else {
            // The first had committed.
            ensure_kind!(outcome, ErrorKind::AlreadyExists);
            ensure!(found.as_deref() == Some(&content[..short]), "neither of both, at moment {moment}");
        }
        if ended.load(Ordering::SeqCst) {
            ensure!(moment >= 4, "there were {moment} moments");
            break;
        }
    }
    ensure_swept(&scene).await
}

async fn what_is_resumed_is_the_content_never_the_thumbnail(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let info = Json::new("{}").unwrap_or_else(|_| unreachable!("it is JSON"));
    for moment in 0.. {
        let content = Bytes::from(scene.content(moment, PART));
        let thumbnail = Thumbnail { bytes: scene.content(!moment, 3 * PART).into(), info: info.clone() };
        let standing = Standing::at(&scene, moment).await?;
        let mut first = standing.media.upload(new(&id(moment)).thumbnail(thumbnail)).await?;
        first.write(content.clone()).await?;
        let ended = standing.finish(first).await;
        let mut again = scene.media.resume(new(&id(moment))).await?;
        let at = again.resumed_at();
        ensure!(at <= PART as u64, "of {PART} bytes, {at} are there, at moment {moment}");
        again.write(content.slice(at as usize..)).await?;
        again.finish().await?;
        let found = read(&scene.media, &id(moment)).await?;
        ensure!(found.is_some_and(|found| found == content), "not the content, at moment {moment}");
        if ended {
            ensure!(moment >= 8, "there were {moment} moments");
            break;
        }
    }
    ensure_swept(&scene).await
}
