//! Transfers beside each other, and how much of one is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join_all;
use strongroom_core::ErrorKind;

use super::moments::{Call, Moment, When, hooks};
use super::support::{PART, Scene, ensure_verified, id, listed, over, put, read};
use crate::case::cases;
use crate::groups::crash::random::Random;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Media;
    eight_transfers_at_once_are_each_whole random true,
    no_more_parts_are_under_way_than_may_be,
    options_out_of_range_are_refused,
}

/// Turns of others that a call waits for them to begin: far more than it takes.
const PATIENCE: usize = 1_000_000;

async fn eight_transfers_at_once_are_each_whole(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut random = Random::new(context.seed(), 4);
    for round in 0..3 {
        let sizes: Vec<(u64, usize)> =
            (0..8).map(|number| (round * 8 + number, random.below(7 * PART as u64) as usize)).collect();
        let put = |number: u64, size: usize| {
            let (media, content) = (scene.media.clone(), scene.content(number, size));
            tokio::spawn(async move { put(&media, content, &id(number)).await })
        };
        let puts: Vec<_> = sizes.iter().map(|(number, size)| put(*number, *size)).collect();
        for put in puts {
            let stored = put.await.map_err(|error| crate::Failure::new(error.to_string()))??;
            ensure!(!stored.was_there);
        }
        let gets = sizes.iter().map(async |(number, _)| read(&scene.media, &id(*number)).await);
        let found = try_join_all(gets).await?;
        for ((number, size), found) in sizes.iter().zip(found) {
            ensure!(found == Some(scene.content(*number, *size)), "medium {number} of {size} bytes");
        }
    }
    ensure_eq!(ensure_verified(&scene.media).await?, 24);
    scene.ensure_tidy().await
}

/// How many calls are under way, and how many there were at most.
#[derive(Debug, Default)]
struct UnderWay {
    now: AtomicUsize,
    most: AtomicUsize,
}

async fn no_more_parts_are_under_way_than_may_be(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, transfers) in (0..).zip([1, 2, 4, 7]) {
        let under_way = Arc::new(UnderWay::default());
        let counted = under_way.clone();
        let hooks = hooks(move |Moment { call, when, number }| {
            let counted = counted.clone();
            async move {
                match when {
                    _ if !matches!(call, Call::Put | Call::Get) => {}
                    When::Before => {
                        let now = counted.now.fetch_add(1, Ordering::SeqCst) + 1;
                        counted.most.fetch_max(now, Ordering::SeqCst);
                        // The first ones stand still until as many are under way as may be, and one more had the time to begin.
                        for _ in 0..PATIENCE {
                            if number >= transfers as u64 || counted.most.load(Ordering::SeqCst) >= transfers {
                                break;
                            }
                            tokio::task::yield_now().await;
                        }
                        for _ in 0..50 {
                            tokio::task::yield_now().await;
                        }
                    }
                    When::After => {
                        counted.now.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                true
            }
        });
        let media = over(&scene.db, hooks.on(&scene.objects), transfers).await?;
        put(&media, scene.content(number, 20 * PART + 1), &id(number)).await?;
        let most = under_way.most.swap(0, Ordering::SeqCst);
        ensure_eq!(most, transfers, "parts that were put at a time");
        ensure!(read(&media, &id(number)).await? == Some(scene.content(number, 20 * PART + 1)));
        let most = under_way.most.load(Ordering::SeqCst);
        ensure_eq!(most, transfers, "parts that were fetched at a time");
        ensure_eq!((hooks.count(Call::Put), hooks.count(Call::Get)), (21, 21), "calls for 21 parts");
    }
    ensure_eq!(listed(&scene.objects).await?.len(), 4 * 21);
    Ok(())
}

async fn options_out_of_range_are_refused(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let most = 64 << 20;
    for (part_bytes, transfers_max) in [(PART - 64, 1), (0, 1), (PART + 1, 1), (most + 64, 1), (PART, 0), (PART, 65)] {
        let options = strongroom_objects::MediaOptions { part_bytes, transfers_max, ..Default::default() };
        ensure_kind!(options.open(scene.db.clone(), scene.objects.clone()).await, ErrorKind::InvalidInput);
    }
    Ok(())
}
