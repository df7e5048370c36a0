//! What a scan fetches, and how links are followed.

use strongroom_core::store::{Content, Entry, Fetch, KeyRange, Read, Revision, Row, Scan, Store, Write};

use super::model::Model;
use super::support::{batch, commit, everything, join, key, link, log, put, row, suffix, value, within};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    keys_alone_come_without_content_or_target,
    values_come_with_content_and_without_target,
    a_value_has_no_target,
    a_link_comes_with_the_row_it_points_to,
    a_dangling_link_is_shown_without_a_target,
    a_link_to_a_link_is_followed_once,
    a_link_to_itself_has_itself_as_target,
    a_suffix_link_points_to_the_tail_of_its_key,
    a_suffix_of_zero_is_the_key_itself,
    a_suffix_as_long_as_the_key_is_the_empty_key,
    a_target_may_lie_anywhere_in_the_store,
    a_target_written_in_the_same_batch_is_found,
    a_link_and_its_target_have_revisions_of_their_own,
    a_deleted_target_leaves_a_dangling_link,
    a_changed_target_is_read_as_it_is_now,
    an_empty_target_is_no_dangling_link,
    a_link_may_point_to_a_key_of_the_maximal_length,
    a_link_may_point_to_a_stamped_row,
    many_links_to_one_target_each_bring_it,
    what_is_fetched_changes_no_key_and_no_order,
    links_are_followed_in_the_view_of_the_page,
}

/// One row with what is fetched.
async fn entry(store: &dyn Store, name: &str, fetch: Fetch) -> Checked<Entry> {
    let range = KeyRange::ALL.through(&key(name), false);
    let scan = Scan { range, reverse: true, limit: 1, fetch, ..everything(store) };
    let mut entries = store.scan(&scan).await?.entries;
    ensure_eq!(entries.len(), 1, "entries");
    ensure_eq!(entries[0].key.as_bytes(), name.as_bytes(), "the entry's key");
    Ok(entries.remove(0))
}

/// The target of the link under a name, which must be that link.
async fn target(store: &dyn Store, name: &str, points_to: &str) -> Checked<Option<Row>> {
    let entry = entry(store, name, Fetch::Targets).await?;
    ensure_eq!(entry.content, Some(Content::Link(key(points_to))), "where {name} points to");
    Ok(entry.target)
}

async fn keys_alone_come_without_content_or_target(context: Context) -> Checked {
    let site = context.open().await?;
    let revision = commit(&*site.store, batch([("a", put("1")), ("l", link("a"))])).await?;
    for name in ["a", "l"] {
        let wanted = Entry { key: key(name), revision, content: None, target: None };
        ensure_eq!(entry(&*site.store, name, Fetch::Keys).await?, wanted);
    }
    Ok(())
}

async fn values_come_with_content_and_without_target(context: Context) -> Checked {
    let site = context.open().await?;
    let revision = commit(&*site.store, batch([("a", put("1")), ("l", link("a"))])).await?;
    for (name, content) in [("a", value("1")), ("l", Content::Link(key("a")))] {
        let wanted = Entry { key: key(name), revision, content: Some(content), target: None };
        ensure_eq!(entry(&*site.store, name, Fetch::Values).await?, wanted);
    }
    Ok(())
}

async fn a_value_has_no_target(context: Context) -> Checked {
    let site = context.open().await?;
    // Values that look like keys of rows.
    let revision = commit(&*site.store, batch([("a", put("b")), ("b", put("a"))])).await?;
    let wanted = Entry { key: key("a"), revision, content: Some(value("b")), target: None };
    ensure_eq!(entry(&*site.store, "a", Fetch::Targets).await?, wanted);
    Ok(())
}

async fn a_link_comes_with_the_row_it_points_to(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("a", put("1")), ("b", put("2")), ("l", link("b")), ("m", link("a"))];
    let revision = commit(&*site.store, batch(rows)).await?;
    ensure_eq!(target(&*site.store, "l", "b").await?, row(revision, value("2")));
    ensure_eq!(target(&*site.store, "m", "a").await?, row(revision, value("1")));
    Ok(())
}

async fn a_dangling_link_is_shown_without_a_target(context: Context) -> Checked {
    let site = context.open().await?;
    let revision = commit(&*site.store, batch([("k", put("1")), ("l", link("none")), ("m", put("2"))])).await?;
    let page = site.store.scan(&Scan { fetch: Fetch::Targets, ..everything(&*site.store) }).await?;
    ensure_eq!(page.entries.len(), 3);
    let wanted = Entry { key: key("l"), revision, content: Some(Content::Link(key("none"))), target: None };
    ensure_eq!(page.entries[1], wanted);
    Ok(())
}

async fn a_link_to_a_link_is_followed_once(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("a", put("1")), ("l", link("m")), ("m", link("n")), ("n", link("a"))];
    let revision = commit(&*site.store, batch(rows)).await?;
    ensure_eq!(target(&*site.store, "l", "m").await?, row(revision, Content::Link(key("n"))));
    ensure_eq!(target(&*site.store, "m", "n").await?, row(revision, Content::Link(key("a"))));
    Ok(())
}

async fn a_link_to_itself_has_itself_as_target(context: Context) -> Checked {
    let site = context.open().await?;
    let revision = commit(&*site.store, batch([("l", link("l"))])).await?;
    ensure_eq!(target(&*site.store, "l", "l").await?, row(revision, Content::Link(key("l"))));
    Ok(())
}

async fn a_suffix_link_points_to_the_tail_of_its_key(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("ab", put("two")), ("b", put("one")), ("zzab", suffix(2)), ("zzb", suffix(2)), ("zzc", suffix(2))];
    let revision = commit(&*site.store, batch(rows)).await?;
    ensure_eq!(target(&*site.store, "zzab", "ab").await?, row(revision, value("two")));
    ensure_eq!(target(&*site.store, "zzb", "b").await?, row(revision, value("one")));
    ensure_eq!(target(&*site.store, "zzc", "c").await?, None);
    Ok(())
}

async fn a_suffix_of_zero_is_the_key_itself(context: Context) -> Checked {
    let site = context.open().await?;
    let revision = commit(&*site.store, batch([("", suffix(0)), ("abc", suffix(0))])).await?;
    for name in ["", "abc"] {
        ensure_eq!(target(&*site.store, name, name).await?, row(revision, Content::Link(key(name))));
    }
    Ok(())
}

async fn a_suffix_as_long_as_the_key_is_the_empty_key(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("abc", suffix(3))])).await?;
    ensure_eq!(target(&*site.store, "abc", "").await?, None);
    let empty = commit(&*site.store, batch([("", put("empty"))])).await?;
    ensure!(empty > written);
    ensure_eq!(target(&*site.store, "abc", "").await?, row(empty, value("empty")));
    Ok(())
}

async fn a_target_may_lie_anywhere_in_the_store(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("", put("first")), ("l1", link("")), ("l2", link("l3")), ("l3", link("z")), ("z", put("last"))];
    let revision = commit(&*site.store, batch(rows)).await?;
    let scan = Scan { range: KeyRange::prefix(b"l"), fetch: Fetch::Targets, ..everything(&*site.store) };
    let targets: Vec<_> = site.store.scan(&scan).await?.entries.into_iter().map(|entry| entry.target).collect();
    let wanted = [value("first"), Content::Link(key("z")), value("last")];
    ensure_eq!(targets, wanted.map(|content| row(revision, content)));
    Ok(())
}

async fn a_target_written_in_the_same_batch_is_found(context: Context) -> Checked {
    let site = context.open().await?;
    for text in ["1", "2"] {
        let revision = commit(&*site.store, batch([("l", link("t")), ("t", put(text))])).await?;
        ensure_eq!(entry(&*site.store, "l", Fetch::Targets).await?.revision, revision);
        ensure_eq!(target(&*site.store, "l", "t").await?, row(revision, value(text)));
    }
    Ok(())
}

async fn a_link_and_its_target_have_revisions_of_their_own(context: Context) -> Checked {
    let site = context.open().await?;
    let first = commit(&*site.store, batch([("t", put("1"))])).await?;
    let linked = commit(&*site.store, batch([("l", link("t"))])).await?;
    ensure_eq!(entry(&*site.store, "l", Fetch::Targets).await?.revision, linked);
    ensure_eq!(target(&*site.store, "l", "t").await?, row(first, value("1")));
    let changed = commit(&*site.store, batch([("t", put("2"))])).await?;
    ensure_eq!(entry(&*site.store, "l", Fetch::Targets).await?.revision, linked);
    ensure_eq!(target(&*site.store, "l", "t").await?, row(changed, value("2")));
    Ok(())
}

async fn a_deleted_target_leaves_a_dangling_link(context: Context) -> Checked {
    let site = context.open().await?;
    let linked = commit(&*site.store, batch([("l", link("t")), ("t", put("1"))])).await?;
    commit(&*site.store, batch([("t", Write::Delete)])).await?;
    ensure_eq!(target(&*site.store, "l", "t").await?, None);
    ensure_eq!(entry(&*site.store, "l", Fetch::Targets).await?.revision, linked);
    let again = commit(&*site.store, batch([("t", put("2"))])).await?;
    ensure_eq!(target(&*site.store, "l", "t").await?, row(again, value("2")));
    Ok(())
}

async fn a_changed_target_is_read_as_it_is_now(context: Context) -> Checked {
    let site = context.open().await?;
    commit(&*site.store, batch([("l", link("t"))])).await?;
    for text in ["1", "", "a longer one"] {
        let revision = commit(&*site.store, batch([("t", put(text))])).await?;
        ensure_eq!(target(&*site.store, "l", "t").await?, row(revision, value(text)));
    }
    let revision = commit(&*site.store, batch([("t", link("u"))])).await?;
    ensure_eq!(target(&*site.store, "l", "t").await?, row(revision, Content::Link(key("u"))));
    Ok(())
}

async fn an_empty_target_is_no_dangling_link(context: Context) -> Checked {
    let site = context.open().await?;
    let revision = commit(&*site.store, batch([("l", link("t")), ("t", put(""))])).await?;
    ensure_eq!(target(&*site.store, "l", "t").await?, row(revision, value("")));
    Ok(())
}

async fn a_link_may_point_to_a_key_of_the_maximal_length(context: Context) -> Checked {
    let site = context.open().await?;
    let longest = "k".repeat(site.settings.limits.key_bytes_max);
    let revision = commit(&*site.store, batch([("l", link(&longest)), (longest.as_str(), put("far"))])).await?;
    ensure_eq!(target(&*site.store, "l", &longest).await?, row(revision, value("far")));
    Ok(())
}

async fn a_link_may_point_to_a_stamped_row(context: Context) -> Checked {
    let site = context.open().await?;
    let stamped = commit(&*site.store, log([("log", "entry")])).await?;
    let name = [b"log".as_slice(), &stamped.0.to_be_bytes()].concat();
    commit(&*site.store, batch([("a", link(&name))])).await?;
    let found = entry(&*site.store, "a", Fetch::Targets).await?;
    ensure_eq!((found.content, found.target), (Some(Content::Link(key(name))), row(stamped, value("entry"))));
    Ok(())
}

async fn many_links_to_one_target_each_bring_it(context: Context) -> Checked {
    let site = context.open().await?;
    let links = (0..300).map(|number| (format!("l{number:03}"), link("t")));
    let revision = commit(&*site.store, batch(links.chain([("t".to_owned(), put("target"))]))).await?;
    let scan = Scan { limit: 300, fetch: Fetch::Targets, ..within(&*site.store, KeyRange::prefix(b"l")) };
    for reverse in [false, true] {
        let page = site.store.scan(&Scan { reverse, ..scan.clone() }).await?;
        ensure_eq!(page.entries.len(), 300);
        ensure!(page.entries.iter().all(|entry| entry.target == row(revision, value("target"))), "{page:?}");
    }
    Ok(())
}

async fn what_is_fetched_changes_no_key_and_no_order(context: Context) -> Checked {
    let site = context.open().await?;
    let mut model = Model::default();
    let rows = [("a", put("1")), ("b", link("a")), ("c", link("none")), ("d", suffix(1)), ("e", put(""))];
    model.commit(&*site.store, batch(rows)).await?;
    for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
        for reverse in [false, true] {
            model.check(&*site.store, &Scan { fetch, reverse, ..everything(&*site.store) }).await?;
        }
    }
    Ok(())
}

async fn links_are_followed_in_the_view_of_the_page(context: Context) -> Checked {
    let site = context.open().await?;
    let names: Vec<String> = (0..600).map(|number| format!("{number:03}")).collect();
    // Each batch writes every link and every target, so in one view they all have one revision.
    let all = |round: u32| {
        let links = names.iter().map(|name| (format!("l{name}"), link(format!("t{name}"))));
        batch(links.chain(names.iter().map(|name| (format!("t{name}"), put(round.to_be_bytes())))))
    };
    commit(&*site.store, all(0)).await?;
    let store = site.store.clone();
    let writer = tokio::spawn({
        let batches: Vec<_> = (1..20).map(all).collect();
        async move {
            for batch in batches {
                commit(&*store, batch).await?;
            }
            Ok(())
        }
    });
    let mut rounds = 0;
    while !writer.is_finished() || rounds == 0 {
        rounds += 1;
        check_one_view(&*site.store, &everything(&*site.store)).await?;
    }
    join(writer).await
}

async fn check_one_view(store: &dyn Read, whole: &Scan) -> Checked {
    let range = KeyRange::prefix(b"l");
    let page = store.scan(&Scan { range, limit: 600, fetch: Fetch::Targets, ..whole.clone() }).await?;
    let revisions: Vec<Revision> = page.entries.iter().map(|entry| entry.revision).collect();
    let targets: Vec<_> = page.entries.iter().map(|entry| entry.target.as_ref().map(|row| row.revision)).collect();
    ensure!(revisions.iter().all(|revision| *revision == page.as_of), "links of another revision than the page's");
    ensure!(targets.iter().all(|revision| *revision == Some(page.as_of)), "targets of another view");
    Ok(())
}
