//! Media of every size that matters, whole and in ranges.

use std::ops::Bound;

use strongroom_core::ErrorKind;

use super::support::{PART, Scene, id, read_range};
use crate::case::cases;
use crate::groups::crash::random::Random;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Media;
    a_medium_of_any_size_is_read_back_whole,
    a_range_is_exact_at_every_edge_of_a_part,
    a_range_may_lack_either_end,
    random_ranges_equal_the_slice random true,
    a_range_that_cannot_be_is_refused,
    what_is_not_there_is_none,
}

const SIZES: [usize; 9] = [0, 1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 1, 9 * PART + 17];

async fn a_medium_of_any_size_is_read_back_whole(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip(SIZES) {
        let stored = scene.put(number, size).await?;
        ensure_eq!((stored.record.size, stored.was_there), (size as u64, false), "{size} bytes");
        let content = scene.media.get(&id(number)).await?;
        let content = content.ok_or_else(|| crate::Failure::new("it was stored"))?;
        ensure_eq!(content.sha256, stored.sha256, "{size} bytes");
        ensure_eq!(content.range, 0..size as u64);
        ensure!(content.record == stored.record, "the record of {size} bytes");
        scene.ensure_is(number, size).await?;
    }
    scene.ensure_tidy().await
}

async fn a_range_is_exact_at_every_edge_of_a_part(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([1, PART, PART + 1, 3 * PART + 5]) {
        scene.put(number, size).await?;
        let content = scene.content(number, size);
        let mut edges: Vec<usize> = (0..=size / PART + 1).flat_map(|part| [part * PART, part * PART + 1]).collect();
        edges.extend((1..=size / PART + 1).map(|part| part * PART - 1));
        edges.extend([size.saturating_sub(1), size]);
        edges.retain(|edge| *edge <= size);
        edges.sort_unstable();
        edges.dedup();
        for start in &edges {
            for end in edges.iter().filter(|end| *end >= start) {
                let found = read_range(&scene.media, &id(number), *start as u64..*end as u64).await?;
                ensure!(found == content[*start..*end], "{start}..{end} of {size} bytes, {} came", found.len());
            }
        }
    }
    Ok(())
}

async fn a_range_may_lack_either_end(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let size = 2 * PART + 100;
    scene.put(0, size).await?;
    let content = scene.content(0, size);
    for at in [0, 1, PART - 1, PART, PART + 1, 2 * PART, size - 1, size] {
        let from = at as u64;
        ensure!(read_range(&scene.media, &id(0), from..).await? == content[at..], "from {at}");
        ensure!(read_range(&scene.media, &id(0), ..from).await? == content[..at], "up to {at}");
        let through = read_range(&scene.media, &id(0), ..=from).await?;
        ensure!(through == content[..(at + 1).min(size)], "up to {at}, and that");
        let behind = (Bound::Excluded(from), Bound::Unbounded);
        if at < size {
            ensure!(read_range(&scene.media, &id(0), behind).await? == content[at + 1..], "behind {at}");
        }
        let beyond = read_range(&scene.media, &id(0), from..u64::MAX).await?;
        ensure!(beyond == content[at..], "from {at} to far beyond the end");
    }
    Ok(())
}

async fn random_ranges_equal_the_slice(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut random = Random::new(context.seed(), 1);
    for number in 0..3 {
        let size = random.below(6 * PART as u64) as usize;
        scene.put(number, size).await?;
        let content = scene.content(number, size);
        for _ in 0..context.effort().operations.div_ceil(40) {
            let start = random.below(size as u64 + 1);
            let end = start + random.below(size as u64 - start + 1);
            let found = read_range(&scene.media, &id(number), start..end).await?;
            ensure!(found == content[start as usize..end as usize], "{start}..{end} of {size} bytes");
        }
    }
    Ok(())
}

async fn a_range_that_cannot_be_is_refused(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in [(0, 0), (1, 10), (2, PART)] {
        scene.put(number, size).await?;
        let size = size as u64;
        let backwards = (Bound::Included(7), Bound::Excluded(6));
        ensure_kind!(scene.media.get_range(&id(number), backwards).await, ErrorKind::InvalidInput);
        for start in [size + 1, size + PART as u64, u64::MAX] {
            ensure_kind!(scene.media.get_range(&id(number), start..).await, ErrorKind::InvalidInput);
        }
    }
    Ok(())
}

async fn what_is_not_there_is_none(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    ensure!(scene.media.get(&id(0)).await?.is_none());
    ensure!(scene.media.get_range(&id(0), 5..6).await?.is_none());
    ensure!(scene.media.get_thumbnail(&id(0)).await?.is_none());
    ensure!(scene.media.stat(&id(0)).await?.is_none());
    ensure!(!scene.media.delete(&id(0)).await?);
    Ok(())
}
