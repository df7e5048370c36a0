//! Links: how they are kept, and how `scan` follows them.

use strongroom_core::ErrorKind;
use strongroom_core::store::{Content, Entry, Fetch, KeyRange, LinkTo, Outcome, Read, Revision, Row, Scan, Write};

use super::support::{batch, commit, everything, key, link, outcome, put, row, stamped, suffix, value};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_link_reads_as_the_key_it_points_to,
    a_link_to_a_suffix_points_to_the_tail_of_its_key,
    a_suffix_past_the_end_of_the_key_is_rejected,
    a_link_may_take_the_place_of_a_value_and_back,
    keys_alone_bring_no_content,
    values_bring_links_that_are_not_followed,
    targets_bring_the_row_that_a_link_points_to,
    a_dangling_link_is_shown,
    a_link_is_followed_once,
    a_link_to_itself_brings_itself,
    a_link_to_the_empty_key_is_a_link,
    a_target_outside_the_range_is_brought,
    a_target_is_as_it_is_now,
    a_target_that_was_deleted_is_none,
    a_link_and_its_target_have_revisions_of_their_own,
    many_links_to_one_target_each_bring_it,
    a_value_has_no_target,
    a_link_may_point_to_a_stamped_row,
}

/// The entries of the keys that begin with `a`, with targets.
async fn followed(store: &dyn Read) -> Checked<Vec<Entry>> {
    let scan = Scan { range: KeyRange::prefix(b"a"), fetch: Fetch::Targets, ..everything() };
    Ok(store.scan(&scan).await?.entries)
}

async fn a_link_reads_as_the_key_it_points_to(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", link("target")), ("target", put("1"))])).await?;
    let to_target = Some(Row { revision, content: Content::Link(key("target")) });
    ensure_eq!(row(&*store, "a").await?, to_target);
    Ok(())
}

async fn a_link_to_a_suffix_points_to_the_tail_of_its_key(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("abc", suffix(0)), ("abd", suffix(2)), ("abe", suffix(3)), ("", suffix(0))])).await?;
    let rows = store.get(&["abc", "abd", "abe", ""].map(key)).await?.rows;
    let links: Vec<_> = rows.into_iter().flatten().map(|row| row.content).collect();
    ensure_eq!(links, ["abc", "d", "", ""].map(|name| Content::Link(key(name))));
    // Far into a long key.
    let long: Vec<u8> = (0..context.limits().key_bytes_max).map(|n| (n % 251) as u8).collect();
    commit(&*store, batch([(&long, suffix(1_000))])).await?;
    let found = row(&*store, &long).await?.map(|row| row.content);
    ensure_eq!(found == Some(Content::Link(key(&long[1_000..]))), true);
    Ok(())
}

async fn a_suffix_past_the_end_of_the_key_is_rejected(context: Context) -> Checked {
    let store = context.open().await?.store;
    let rejected = outcome(&*store, batch([("abc", suffix(4))])).await?;
    ensure!(matches!(&rejected, Outcome::Rejected(error) if error.kind() == ErrorKind::InvalidInput), "{rejected:?}");
    ensure_eq!(row(&*store, "abc").await?, None);
    Ok(())
}

async fn a_link_may_take_the_place_of_a_value_and_back(context: Context) -> Checked {
    let store = context.open().await?.store;
    for write in [put("1"), link("b"), suffix(1), link("c"), put(""), suffix(0), put("2")] {
        let revision = commit(&*store, batch([("a", write.clone())])).await?;
        let content = match write {
            Write::Put(value) => Content::Value(value),
            Write::Link(link) => Content::Link(link.resolve(&key("a"))),
            Write::Delete => continue,
        };
        ensure_eq!(row(&*store, "a").await?, Some(Row { revision, content }));
    }
    Ok(())
}

async fn keys_alone_bring_no_content(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a1", put("1")), ("a2", link("a1")), ("a3", put(""))])).await?;
    for entry in store.scan(&Scan { fetch: Fetch::Keys, ..everything() }).await?.entries {
        ensure_eq!((entry.content, entry.target, entry.revision), (None, None, revision));
    }
    Ok(())
}

async fn values_bring_links_that_are_not_followed(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", link("b")), ("b", put("1"))])).await?;
    let entries = store.scan(&everything()).await?.entries;
    let found: Vec<_> = entries.into_iter().map(|entry| (entry.content, entry.target)).collect();
    let (to_b, one) = (Content::Link(key("b")), Content::Value("1".into()));
    ensure_eq!(found, vec![(Some(to_b), None), (Some(one), None)]);
    Ok(())
}

async fn targets_bring_the_row_that_a_link_points_to(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a1", link("t1")), ("a2t2", suffix(2)), ("t1", put("1")), ("t2", put(""))]));
    let revision = revision.await?;
    let found = followed(&*store).await?;
    ensure_eq!(found.len(), 2);
    ensure_eq!(found[0].content, Some(Content::Link(key("t1"))));
    ensure_eq!(found[0].target, value(revision, "1"));
    ensure_eq!(found[1].content, Some(Content::Link(key("t2"))));
    ensure_eq!(found[1].target, value(revision, ""));
    Ok(())
}

async fn a_dangling_link_is_shown(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a1", link("nowhere")), ("a2", put("2")), ("a3", suffix(1))])).await?;
    let found = followed(&*store).await?;
    ensure_eq!(found.len(), 3);
    let dangling = Entry { key: key("a1"), revision, content: Some(Content::Link(key("nowhere"))), target: None };
    ensure_eq!(found[0], dangling);
    ensure_eq!(found[2].target, None);
    Ok(())
}

async fn a_link_is_followed_once(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", link("b")), ("b", link("c")), ("c", put("end"))])).await?;
    let found = followed(&*store).await?;
    let to_c = Some(Row { revision, content: Content::Link(key("c")) });
    ensure_eq!(found.iter().map(|entry| entry.target.clone()).collect::<Vec<_>>(), vec![to_c]);
    Ok(())
}

async fn a_link_to_itself_brings_itself(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", suffix(0)), ("a2", link("a2"))])).await?;
    for entry in followed(&*store).await? {
        let itself = Some(Row { revision, content: Content::Link(entry.key.clone()) });
        ensure_eq!(entry.target, itself);
    }
    Ok(())
}

async fn a_link_to_the_empty_key_is_a_link(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a1", link("")), ("a2", suffix(2))])).await?;
    ensure!(
        followed(&*store)
            .await?
            .iter()
            .all(|entry| { entry.content == Some(Content::Link(key(""))) && entry.target.is_none() })
    );
    let revision = commit(&*store, batch([("", put("at the empty key"))])).await?;
    for entry in followed(&*store).await? {
        ensure_eq!(entry.target, value(revision, "at the empty key"));
    }
    Ok(())
}

async fn a_target_outside_the_range_is_brought(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch([("a", link("z")), ("b", put("not this")), ("z", put("this"))])).await?;
    let scan = Scan { range: KeyRange::prefix(b"a"), limit: 1, fetch: Fetch::Targets, ..everything() };
    for reverse in [false, true] {
        let page = store.scan(&Scan { reverse, ..scan.clone() }).await?;
        ensure_eq!((page.entries.len(), page.more), (1, false));
        ensure_eq!(page.entries[0].target, value(revision, "this"));
    }
    Ok(())
}

async fn a_target_is_as_it_is_now(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", link("t")), ("t", put("1"))])).await?;
    let snapshot = store.snapshot().await?;
    let second = commit(&*store, batch([("t", put("2"))])).await?;
    ensure_eq!(followed(&*store).await?[0].target, value(second, "2"));
    let found = snapshot.scan(&Scan { fetch: Fetch::Targets, ..everything() }).await?.entries;
    ensure_eq!(found[0].target, value(snapshot.revision(), "1"));
    Ok(())
}

async fn a_target_that_was_deleted_is_none(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", link("t")), ("t", put("1"))])).await?;
    commit(&*store, batch([("t", Write::Delete)])).await?;
    let found = followed(&*store).await?;
    ensure_eq!((found.len(), found[0].target.clone()), (1, None));
    let back = commit(&*store, batch([("t", put("2"))])).await?;
    ensure_eq!(followed(&*store).await?[0].target, value(back, "2"));
    Ok(())
}

async fn a_link_and_its_target_have_revisions_of_their_own(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("t", put("1"))])).await?;
    let second = commit(&*store, batch([("a", link("t"))])).await?;
    let found = followed(&*store).await?;
    ensure_eq!((found[0].revision, found[0].target.clone()), (second, value(first, "1")));
    let third = commit(&*store, batch([("t", put("1"))])).await?;
    let found = followed(&*store).await?;
    ensure_eq!((found[0].revision, found[0].target.clone()), (second, value(third, "1")));
    Ok(())
}

async fn many_links_to_one_target_each_bring_it(context: Context) -> Checked {
    let store = context.open().await?.store;
    let links = (0..300).map(|n| (format!("a{n:03}"), link("t")));
    let revision = commit(&*store, batch(links.chain([("t".to_owned(), put("one"))]))).await?;
    let found = followed(&*store).await?;
    ensure_eq!(found.len(), 300);
    ensure!(found.iter().all(|entry| entry.target == value(revision, "one")));
    Ok(())
}

async fn a_value_has_no_target(context: Context) -> Checked {
    let store = context.open().await?.store;
    // Even if its bytes are the key of a row, as an engine that mixes up the two would take them.
    commit(&*store, batch([("a", put("t")), ("t", put("1"))])).await?;
    let found = followed(&*store).await?;
    ensure_eq!((found[0].content.clone(), found[0].target.clone()), (Some(Content::Value("t".into())), None));
    Ok(())
}

async fn a_link_may_point_to_a_stamped_row(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, stamped("log", "entry")).await?;
    let stamped = [b"log".as_slice(), &revision.0.to_be_bytes()].concat();
    commit(&*store, batch([("a", Write::Link(LinkTo::Key(key(&stamped))))])).await?;
    ensure_eq!(followed(&*store).await?[0].target, value(revision, "entry"));
    ensure!(revision > Revision::ZERO);
    Ok(())
}
