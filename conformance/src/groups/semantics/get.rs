//! `get`, and what a row gives back.

use strongroom_core::store::{Content, Revision, StoredKey};

use super::random::noise;
use super::support::{batch, commit, current, everything, fill, key, link, put, read, row, value};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    get_answers_in_the_order_asked,
    a_key_asked_twice_is_answered_twice,
    a_key_without_a_row_is_none,
    an_empty_value_is_no_absent_row,
    get_of_no_keys_gives_the_current_revision,
    get_reads_no_key_but_the_one_asked,
    a_key_longer_than_the_limit_has_no_row,
    a_link_reads_as_the_key_it_points_to,
    keys_that_are_nearly_the_same_have_rows_of_their_own,
    keys_of_the_maximal_length_are_told_apart_by_their_last_byte,
    values_of_every_size_come_back_whole,
    a_value_of_the_maximal_size_comes_back_whole,
    as_many_keys_as_the_limit_are_answered_in_one_get,
}

async fn get_answers_in_the_order_asked(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("b", put("2")), ("a", put("1")), ("c", put(""))])).await?;
    let rows = site.store.get(&["c", "none", "a", "b"].map(key)).await?;
    ensure_eq!(rows.as_of, written);
    ensure_eq!(rows.rows, ["", "none", "1", "2"].map(|text| row(written, value(text)).filter(|_| text != "none")));
    Ok(())
}

async fn a_key_asked_twice_is_answered_twice(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1")), ("b", put("2"))])).await?;
    let rows = site.store.get(&["a", "none", "b", "a", "none", "a"].map(key)).await?.rows;
    let (one, two) = (row(written, value("1")), row(written, value("2")));
    ensure_eq!(rows, [one.clone(), None, two, one.clone(), None, one]);
    Ok(())
}

async fn a_key_without_a_row_is_none(context: Context) -> Checked {
    let site = context.open().await?;
    ensure_eq!(read(&*site.store, "a").await?, None);
    commit(&*site.store, batch([("a", put("1")), ("c", put("3"))])).await?;
    let rows = site.store.get(&["", "A", "b", "d", "aa", "a\0"].map(key)).await?.rows;
    ensure_eq!(rows, [const { None }; 6]);
    Ok(())
}

async fn an_empty_value_is_no_absent_row(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put(""))])).await?;
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("")));
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure_eq!(page.entries.iter().map(|entry| entry.content.clone()).collect::<Vec<_>>(), [Some(value(""))]);
    Ok(())
}

async fn get_of_no_keys_gives_the_current_revision(context: Context) -> Checked {
    let site = context.open().await?;
    for text in ["1", "2"] {
        let written = commit(&*site.store, batch([("a", put(text))])).await?;
        let rows = site.store.get(&[]).await?;
        ensure_eq!((rows.as_of, rows.rows), (written, Vec::new()));
    }
    Ok(())
}

async fn get_reads_no_key_but_the_one_asked(context: Context) -> Checked {
    let site = context.open().await?;
    let names: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    fill(&*site.store, &names).await?;
    for name in &names {
        ensure_eq!(read(&*site.store, name).await?.map(|row| row.content), Some(value(name)));
    }
    Ok(())
}

async fn a_key_longer_than_the_limit_has_no_row(context: Context) -> Checked {
    let site = context.open().await?;
    let longest = vec![b'a'; site.settings.limits.key_bytes_max];
    let written = commit(&*site.store, batch([(&longest, put("1"))])).await?;
    let longer = [longest.as_slice(), b"a"].concat();
    let asked = [key(&longer), key(&longest), key(longest.repeat(50))];
    ensure_eq!(site.store.get(&asked).await?.rows, [None, row(written, value("1")), None]);
    Ok(())
}

async fn a_link_reads_as_the_key_it_points_to(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("there", link("row")), ("nowhere", link("none")), ("self", link("self")), ("row", put("1"))];
    let written = commit(&*site.store, batch(rows)).await?;
    let rows = site.store.get(&["there", "nowhere", "self"].map(key)).await?.rows;
    let wanted = ["row", "none", "self"].map(|target| row(written, Content::Link(key(target))));
    ensure_eq!(rows, wanted);
    Ok(())
}

async fn keys_that_are_nearly_the_same_have_rows_of_their_own(context: Context) -> Checked {
    let site = context.open().await?;
    let names: [&[u8]; 14] = [
        b"",
        b"\0",
        b"\0\0",
        b"a",
        b"a\0",
        b"a\0\0",
        b"a\0b",
        b"a\xFF",
        b"A",
        b"aa",
        b"\xFF",
        b"\xFF\xFF",
        b"%",
        b"\xC3\x28",
    ];
    let written = commit(&*site.store, batch(names.map(|name| (name, put([b"=".as_slice(), name].concat()))))).await?;
    for name in names {
        ensure_eq!(read(&*site.store, name).await?, row(written, value([b"=".as_slice(), name].concat())), "{name:?}");
    }
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?.entries.len(), names.len());
    Ok(())
}

async fn keys_of_the_maximal_length_are_told_apart_by_their_last_byte(context: Context) -> Checked {
    let site = context.open().await?;
    let longest = site.settings.limits.key_bytes_max;
    let mut names: Vec<Vec<u8>> = (0..4).map(|last| [vec![b'k'; longest - 1], vec![last]].concat()).collect();
    names.push(vec![b'k'; longest - 1]);
    fill(&*site.store, &names).await?;
    for name in &names {
        let found = read(&*site.store, name).await?.map(|row| row.content);
        ensure!(found == Some(value(name)), "a key of {} bytes reads as another one's value", name.len());
    }
    Ok(())
}

async fn values_of_every_size_come_back_whole(context: Context) -> Checked {
    let site = context.open().await?;
    let most = site.settings.limits.value_bytes_max;
    let sizes = [0, 1, 2, 255, 256, 4_095, 4_096, 65_535, 65_536, 65_537, 1 << 20].map(|size: usize| size.min(most));
    let mut written = Revision::ZERO;
    for (number, size) in (0..).zip(sizes) {
        let bytes = noise(context.seed() + number, size);
        let revision = commit(&*site.store, batch([(format!("{number:02}"), put(&bytes))])).await?;
        ensure!(revision > written);
        written = revision;
        let found = read(&*site.store, format!("{number:02}")).await?;
        ensure!(found == row(revision, value(bytes)), "a value of {size} bytes");
    }
    // All of them on one page.
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure_eq!(page.entries.len(), sizes.len());
    for (number, (entry, size)) in (0..).zip(page.entries.iter().zip(sizes)) {
        let wanted = value(noise(context.seed() + number, size));
        ensure!(entry.content.as_ref() == Some(&wanted), "a value of {size} bytes, scanned");
    }
    Ok(())
}

async fn a_value_of_the_maximal_size_comes_back_whole(context: Context) -> Checked {
    let site = context.open().await?;
    let limits = site.settings.limits;
    let size = limits.value_bytes_max.min(limits.batch_bytes_max - 1).min(64 << 20);
    let bytes = noise(context.seed(), size);
    let written = commit(&*site.store, batch([("a", put(&bytes))])).await?;
    ensure!(read(&*site.store, "a").await? == row(written, value(bytes)), "{size} bytes");
    Ok(())
}

async fn as_many_keys_as_the_limit_are_answered_in_one_get(context: Context) -> Checked {
    let site = context.open().await?;
    let count = site.settings.limits.get_keys_max.min(10_000);
    let names: Vec<String> = (0..count).map(|number| format!("{number:05}")).collect();
    fill(&*site.store, &names).await?;
    // Backwards, and every third without a row.
    let absent = |number: usize| number.is_multiple_of(3);
    let asked: Vec<StoredKey> = (0..count)
        .rev()
        .map(|number| if absent(number) { key(format!("{number:05}-")) } else { key(&names[number]) })
        .collect();
    let rows = site.store.get(&asked).await?;
    ensure_eq!(rows.as_of, current(&*site.store).await?);
    ensure_eq!(rows.rows.len(), count);
    for (number, found) in (0..count).rev().zip(rows.rows) {
        let wanted = (!absent(number)).then(|| value(&names[number]));
        ensure_eq!(found.map(|row| row.content), wanted, "key {number}");
    }
    Ok(())
}
