//! Who else has the store open, and who closes it meanwhile.

use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Outcome, Sharing, Store};

use crate::case::cases;
use crate::child::open_elsewhere;
use crate::groups::semantics::support::{batch, commit, everything, keys, put, within};
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Hostile;
    another_process_is_refused_or_shares [Processes],
    a_place_can_be_opened_again_right_after_closing [Reopen],
    a_refused_opener_harms_nobody [Reopen],
    an_opener_beside_a_compaction_is_refused_or_shares [Reopen, Processes, Compact],
    close_under_load_keeps_what_was_acknowledged [Reopen],
}

async fn all_keys(store: &dyn Store) -> Checked<Vec<Vec<u8>>> {
    let page = store.scan(&everything(store)).await?;
    Ok(keys(&page).into_iter().map(<[u8]>::to_vec).collect())
}

async fn another_process_is_refused_or_shares(context: Context) -> Checked {
    let site = context.open().await?;
    commit(&*site.store, batch([("a", put("1"))])).await?;
    let expected = match site.store.info().sharing {
        Sharing::Exclusive => "Busy",
        Sharing::Shared => "opened",
    };
    for round in 0..3 {
        ensure_eq!(open_elsewhere(&context, &site.place)?, expected, "while it is open here");
        commit(&*site.store, batch([("b", put(round.to_string()))])).await?;
    }
    site.store.close().await?;
    ensure_eq!(open_elsewhere(&context, &site.place)?, "opened", "once it is closed here");
    Ok(())
}

async fn a_place_can_be_opened_again_right_after_closing(context: Context) -> Checked {
    let mut site = context.open().await?;
    for round in 0..20 {
        commit(&*site.store, batch([(round.to_string(), put(""))])).await?;
        site.reopen().await?;
    }
    ensure_eq!(all_keys(&*site.store).await?.len(), 20);
    Ok(())
}

async fn a_refused_opener_harms_nobody(context: Context) -> Checked {
    let mut site = context.open().await?;
    for round in 0..10 {
        commit(&*site.store, batch([(round.to_string(), put("1"))])).await?;
        match site.second().await {
            Ok(second) => {
                commit(&*second, batch([(format!("second {round}"), put("1"))])).await?;
                second.close().await?;
            }
            Err(error) => ensure_eq!(error.kind(), ErrorKind::Busy, "{error}"),
        }
    }
    let expected = all_keys(&*site.store).await?;
    ensure!(expected.len() >= 10);
    site.reopen().await?;
    ensure_eq!(all_keys(&*site.store).await?, expected);
    Ok(())
}

async fn an_opener_beside_a_compaction_is_refused_or_shares(context: Context) -> Checked {
    let mut site = context.open().await?;
    let expected: &[&str] = match site.store.info().sharing {
        Sharing::Exclusive => &["Busy"],
        // The compaction may need the file for itself for longer than the opener waits.
        Sharing::Shared => &["opened", "Busy"],
    };
    for round in 0..3 {
        let rows = (0..40).map(|n| (format!("{n:04}"), put(vec![round; 20_000])));
        commit(&*site.store, batch(rows.chain([("kept".to_owned(), put("1"))]))).await?;
        site.store.drop_range(&KeyRange::prefix(b"00"), &[]).await?;
        let store = site.store.clone();
        let compacting = tokio::spawn(async move { store.compact().await });
        let said = open_elsewhere(&context, &site.place)?;
        ensure!(expected.contains(&said.as_str()), "another process that opened it meanwhile says {said}");
        match compacting.await.map_err(|error| Failure::new(error.to_string()))? {
            Ok(_) => {}
            Err(error) => ensure_eq!((error.kind(), expected.len()), (ErrorKind::Busy, 2), "{error}"),
        }
        ensure_eq!(all_keys(&*site.store).await?, [b"kept".to_vec()]);
    }
    site.reopen().await?;
    ensure_eq!(all_keys(&*site.store).await?, [b"kept".to_vec()]);
    Ok(())
}

async fn close_under_load_keeps_what_was_acknowledged(context: Context) -> Checked {
    let mut site = context.open().await?;
    for round in 0..4 {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = site.store.clone();
                tokio::spawn(async move {
                    let mut acknowledged = Vec::new();
                    for n in 0..1_000 {
                        let name = format!("{round} {writer} {n:04}");
                        match store.commit(vec![batch([(&name, put(&name))])]).await.as_deref() {
                            Ok([Outcome::Committed(_)]) => acknowledged.push(name.into_bytes()),
                            Ok(other) => return Err(Failure::new(format!("{other:?}"))),
                            Err(error) if error.is_closed() => return Ok(acknowledged),
                            Err(error) => return Err(Failure::new(format!("{:?}: {error}", error.kind()))),
                        }
                    }
                    Ok(acknowledged)
                })
            })
            .collect();
        // Some are in the middle of it.
        let mut seen = site.store.get(&[]).await?.as_of;
        for _ in 0..10 {
            seen = site.store.changed(seen).await?;
        }
        site.store.close().await?;
        let mut acknowledged = Vec::new();
        for writer in writers {
            acknowledged.extend(writer.await.map_err(|error| Failure::new(error.to_string()))??);
        }
        site.reopen().await?;
        let mut found = std::collections::BTreeSet::new();
        for writer in 0..8 {
            let range = KeyRange::prefix(format!("{round} {writer}").as_bytes());
            let page = site.store.scan(&within(&*site.store, range)).await?;
            found.extend(keys(&page).into_iter().map(<[u8]>::to_vec));
        }
        let lost = acknowledged.iter().filter(|name| !found.contains(*name)).count();
        ensure_eq!(lost, 0, "of {} acknowledged", acknowledged.len());
        ensure!(acknowledged.len() >= 8, "only {} were acknowledged before the end", acknowledged.len());
    }
    Ok(())
}
