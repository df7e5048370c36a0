//! A medium without space.

use strongroom_core::ErrorKind;
use strongroom_core::store::KeyRange;

use crate::case::cases;
use crate::groups::semantics::support::{batch, commit, everything, put, read, row, value};
use crate::{Checked, Context, Failure, Fault, ensure, ensure_eq};

cases! { Hostile;
    without_space_commits_fail_and_reads_go_on [Inject],
    once_there_is_space_again_commits_succeed [Inject],
    without_space_a_store_can_be_closed_and_opened [Inject, Reopen],
}

/// Commits until the medium is full; gives how many rows were acknowledged.
async fn fill(context: &Context, site: &crate::Site) -> Checked<u64> {
    let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for n in 0..3 {
        commit(&*site.store, batch([(format!("before {n}"), put(&noise))])).await?;
    }
    context.factory().inject(&site.place, Fault::NoSpace).await?;
    for n in 0..200 {
        match site.store.commit(vec![batch([(format!("full {n:03}"), put(&noise))])]).await {
            Ok(_) => {}
            Err(error) => {
                ensure_eq!(error.kind(), ErrorKind::Io, "{error}");
                return Ok(3 + n);
            }
        }
    }
    Err(Failure::new("40 MB were committed on a medium that cannot grow"))
}

async fn without_space_commits_fail_and_reads_go_on(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = fill(&context, &site).await?;
    for round in 0..3 {
        ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, rows, "round {round}");
        ensure_eq!(site.store.scan(&everything(&*site.store)).await?.entries.len() as u64, rows);
        let noise = vec![round; 500_000];
        let failed = site.store.commit(vec![batch([("more", put(noise))])]).await;
        ensure!(failed.is_err_and(|error| error.kind() == ErrorKind::Io), "a commit without space");
    }
    Ok(())
}

async fn once_there_is_space_again_commits_succeed(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = fill(&context, &site).await?;
    context.factory().inject(&site.place, Fault::None).await?;
    let revision = commit(&*site.store, batch([("after", put(vec![1; 300_000]))])).await?;
    ensure!(read(&*site.store, "after").await? == row(revision, value(vec![1; 300_000])));
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, rows + 1);
    Ok(())
}

async fn without_space_a_store_can_be_closed_and_opened(context: Context) -> Checked {
    let mut site = context.open().await?;
    let rows = fill(&context, &site).await?;
    // Closing may want to tidy up, and fail; nothing may be lost by that.
    site.store.close().await.ok();
    context.factory().inject(&site.place, Fault::None).await?;
    site.reopen().await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, rows);
    commit(&*site.store, batch([("after", put("1"))])).await?;
    Ok(())
}
