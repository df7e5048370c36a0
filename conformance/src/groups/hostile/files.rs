//! Stored bytes that are foreign, newer, cut short or damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::sync::Arc;

use strongroom_core::store::{KeyRange, Page, Store, StoredKey};
use strongroom_core::{ErrorKind, Result};

use crate::case::cases;
use crate::groups::semantics::support::{batch, commit, everything, link, put};
use crate::{Checked, Context, Damage, Failure, Place, Site, ensure, ensure_eq};

cases! { Hostile;
    a_foreign_file_is_refused_and_left_as_it_is [Reopen, Tamper],
    random_bytes_are_refused_and_left_as_they_are [Reopen, Tamper] random true,
    a_store_of_a_newer_version_is_refused_and_left_as_it_is [Reopen, Tamper],
    a_store_cut_short_is_whole_or_refused [Reopen, Tamper],
    flipped_bits_end_in_rows_or_typed_errors [Reopen, Tamper] random true,
    zeroed_bytes_end_in_rows_or_typed_errors [Reopen, Tamper] random true,
    a_damaged_head_ends_in_rows_or_typed_errors [Reopen, Tamper],
    bytes_behind_the_end_end_in_rows_or_typed_errors [Reopen, Tamper],
    what_was_refused_opens_once_it_is_restored [Reopen, Tamper],
    an_empty_file_becomes_a_store_or_is_refused [Reopen, Tamper],
    a_file_that_may_not_be_written_is_refused_or_used [Reopen, Tamper],
    a_folder_that_is_missing_is_an_error [Tamper],
    a_folder_in_place_of_a_file_is_refused [Tamper],
}

/// A closed store with values, links, large values and deleted rows; all that it holds.
async fn closed_store(context: &Context) -> Checked<(Site, Page)> {
    let site = context.open().await?;
    let store = &*site.store;
    commit(store, batch((0..300).map(|n| (format!("{n:04}"), put(vec![n as u8; n]))))).await?;
    commit(store, batch((0..300).map(|n| (format!("l{n:04}"), link(format!("{n:04}")))))).await?;
    commit(store, batch([("large", put(vec![7; 300_000]))])).await?;
    store.drop_range(&KeyRange::prefix(b"00"), &[]).await?;
    let page = store.scan(&everything(store)).await?;
    store.close().await?;
    Ok((site, page))
}

/// The bytes of the place, where it is a file.
fn bytes(place: &Place) -> Option<Vec<u8>> {
    fs::read(place.file()).ok()
}

type Files = BTreeMap<OsString, Vec<u8>>;

/// Every file of the folder whose name begins as the place's does, with its bytes.
fn files(place: &Place) -> Checked<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(&place.folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&place.name) && entry.file_type()?.is_file() {
            files.insert(entry.file_name(), fs::read(entry.path())?);
        }
    }
    Ok(files)
}

/// What was refused must be as it was: no file changed, came or went.
fn untouched(place: &Place, before: &Files) -> Checked {
    let after = files(place)?;
    let names = before.keys().chain(after.keys());
    let touched: BTreeSet<_> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
    ensure!(touched.is_empty(), "it was refused, but {touched:?} are not as before");
    Ok(())
}

/// Puts the bytes of a store back, and nothing of what was there since.
async fn restore(context: &Context, site: &Site, original: &[u8]) -> Checked {
    context.factory().destroy(&site.place).await?;
    Ok(context.factory().tamper(&site.place, &Damage::Replace(original.to_vec())).await?)
}

/// Damages a store and opens it: either it is refused and left as it is, or every call answers with rows or a typed error.
/// Gives what it holds, if it says so without an error.
async fn open_damaged(context: &Context, site: &Site, damage: &Damage) -> Checked<Option<Page>> {
    context.factory().tamper(&site.place, damage).await?;
    let before = files(&site.place)?;
    let store = match context.reopen(&site.place, &site.settings).await {
        Ok(store) => store,
        Err(error) => {
            let typed = matches!(
                error.kind(),
                ErrorKind::Corrupt | ErrorKind::NotAStore | ErrorKind::UnsupportedVersion | ErrorKind::Io
            );
            ensure!(typed, "{damage:?}: {:?}: {error}", error.kind());
            if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io) {
                // It is the backend's own: it may have begun to work beside it.
                let now = bytes(&site.place);
                ensure!(now == before.get(OsStr::new(&site.place.name)).cloned(), "{damage:?}: refused, but changed");
            } else {
                untouched(&site.place, &before).map_err(|failure| Failure::new(format!("{damage:?}: {failure}")))?;
            }
            return Ok(None);
        }
    };
    let page = use_all(&store, damage).await?;
    // What it met when it was closed is of no interest: it must only end.
    store.close().await.ok();
    Ok(page)
}

/// Every call on a store that may be damaged anywhere. Gives its rows if no read failed.
async fn use_all(store: &Arc<dyn Store>, damage: &Damage) -> Checked<Option<Page>> {
    fn sound<T>(answer: Result<T>, damage: &Damage) -> Checked<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::CommitUnknown) => {
                Ok(None)
            }
            Err(error) => Err(Failure::new(format!("{damage:?}: {:?}: {error}", error.kind()))),
        }
    }
    let page = sound(store.scan(&everything(&**store)).await, damage)?;
    let names: Vec<StoredKey> = (0..300).map(|n| StoredKey::from(format!("{n:04}").into_bytes())).collect();
    let rows = sound(store.get(&names).await, damage)?;
    let summary = sound(store.summarize(&KeyRange::ALL).await, damage)?;
    if let Some(snapshot) = sound(store.snapshot().await, damage)? {
        sound(snapshot.scan(&everything(&**store)).await, damage)?;
    }
    sound(store.commit(vec![batch([("new", put("1"))])]).await, damage)?;
    sound(store.usage().await, damage)?;
    Ok(page.filter(|_| rows.is_some() && summary.is_some()))
}

/// The beginnings of files that people have lying around.
fn foreign() -> Vec<(&'static str, Vec<u8>)> {
    let filled = |head: &[u8], len: usize| {
        let mut bytes = head.to_vec();
        bytes.extend((bytes.len()..len).map(|n| (n % 253) as u8));
        bytes
    };
    vec![
        ("text", b"Dear diary, today I opened the wrong file.\n".repeat(200)),
        ("one byte", vec![b'x']),
        ("a PNG image", filled(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 9_000)),
        ("a program", filled(b"\x7fELF\x02\x01\x01\0", 70_000)),
        ("a ZIP archive", filled(b"PK\x03\x04\x14\0", 5_000)),
        ("another program's database", include_bytes!("foreign.sqlite").to_vec()),
        ("JSON", br#"{"messages": []}"#.to_vec()),
        ("zeros", vec![0; 8_192]),
        ("all ones", vec![0xFF; 8_192]),
    ]
}

async fn a_foreign_file_is_refused_and_left_as_it_is(context: Context) -> Checked {
    let (site, _) = closed_store(&context).await?;
    for (what, contents) in foreign() {
        context.factory().tamper(&site.place, &Damage::Replace(contents)).await?;
        let before = files(&site.place)?;
        match context.reopen(&site.place, &site.settings).await {
            Err(error) => ensure!(
                matches!(error.kind(), ErrorKind::NotAStore | ErrorKind::Corrupt),
                "{what}: {:?}: {error}",
                error.kind()
            ),
            Ok(_) => return Err(Failure::new(format!("{what} was opened"))),
        }
        untouched(&site.place, &before).map_err(|failure| Failure::new(format!("{what}: {failure}")))?;
    }
    Ok(())
}

async fn random_bytes_are_refused_and_left_as_they_are(context: Context) -> Checked {
    let (site, _) = closed_store(&context).await?;
    let mut random = fastrand::Rng::with_seed(context.seed());
    for _ in 0..30 {
        let most = 1 << random.u32(1..17);
        let len = 1 + random.usize(0..most);
        let noise: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
        let opened = open_damaged(&context, &site, &Damage::Replace(noise)).await?;
        ensure!(opened.is_none(), "{len} random bytes were opened as a store");
    }
    Ok(())
}

async fn a_store_of_a_newer_version_is_refused_and_left_as_it_is(context: Context) -> Checked {
    let (site, _) = closed_store(&context).await?;
    context.factory().tamper(&site.place, &Damage::Newer).await?;
    let before = files(&site.place)?;
    for _ in 0..2 {
        match context.reopen(&site.place, &site.settings).await {
            Err(error) => ensure_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}"),
            Ok(_) => return Err(Failure::new("a store of a newer version was opened")),
        }
        untouched(&site.place, &before)?;
    }
    Ok(())
}

async fn a_store_cut_short_is_whole_or_refused(context: Context) -> Checked {
    let (site, whole) = closed_store(&context).await?;
    let original = bytes(&site.place).ok_or_else(|| Failure::new("the place is not a file"))?;
    for permille in (25..1_000).step_by(25).chain([1, 999]) {
        restore(&context, &site, &original).await?;
        if let Some(found) = open_damaged(&context, &site, &Damage::Truncate { permille }).await? {
            ensure!(found.entries == whole.entries, "cut to {permille} thousandths it opens, and rows are missing");
        }
    }
    Ok(())
}

/// Damages copies of one store in many ways.
async fn damage_copies(context: &Context, damages: impl IntoIterator<Item = Damage>) -> Checked {
    let (site, _) = closed_store(context).await?;
    let original = bytes(&site.place).ok_or_else(|| Failure::new("the place is not a file"))?;
    for damage in damages {
        restore(context, &site, &original).await?;
        open_damaged(context, &site, &damage).await?;
    }
    Ok(())
}

async fn flipped_bits_end_in_rows_or_typed_errors(context: Context) -> Checked {
    let mut random = fastrand::Rng::with_seed(context.seed());
    let flips = (0..60).map(|_| Damage::Flip { permille: random.u16(..1_000), bit: random.u8(..8) });
    damage_copies(&context, flips.collect::<Vec<_>>()).await
}

async fn zeroed_bytes_end_in_rows_or_typed_errors(context: Context) -> Checked {
    let mut random = fastrand::Rng::with_seed(context.seed());
    let zeros = (0..40).map(|_| Damage::Zero { permille: random.u16(..1_000), bytes: 1 << random.u32(0..14) });
    damage_copies(&context, zeros.collect::<Vec<_>>()).await
}

async fn a_damaged_head_ends_in_rows_or_typed_errors(context: Context) -> Checked {
    let (site, _) = closed_store(&context).await?;
    let original = bytes(&site.place).ok_or_else(|| Failure::new("the place is not a file"))?;
    // Each byte of the head in turn: magic, versions, sizes, page numbers.
    for at in (0..64).chain((64..400).step_by(8)).filter(|at| *at < original.len()) {
        for value in [0xFF, original[at] ^ 1] {
            let mut damaged = original.clone();
            damaged[at] = value;
            context.factory().destroy(&site.place).await?;
            let opened = open_damaged(&context, &site, &Damage::Replace(damaged)).await;
            opened.map_err(|failure| Failure::new(format!("byte {at} is {value:#x}: {failure}")))?;
        }
    }
    Ok(())
}

async fn bytes_behind_the_end_end_in_rows_or_typed_errors(context: Context) -> Checked {
    let (site, whole) = closed_store(&context).await?;
    let original = bytes(&site.place).ok_or_else(|| Failure::new("the place is not a file"))?;
    for extra in [1, 512, 4_096, 70_000] {
        for byte in [0, 0xAB] {
            let longer = [&original[..], &vec![byte; extra]].concat();
            context.factory().destroy(&site.place).await?;
            if let Some(found) = open_damaged(&context, &site, &Damage::Replace(longer)).await? {
                ensure!(found.entries == whole.entries, "{extra} bytes too long it opens, with other rows");
            }
        }
    }
    Ok(())
}

async fn what_was_refused_opens_once_it_is_restored(context: Context) -> Checked {
    let (mut site, whole) = closed_store(&context).await?;
    let original = bytes(&site.place).ok_or_else(|| Failure::new("the place is not a file"))?;
    let text = Damage::Replace(b"not a store at all".to_vec());
    for damage in [text, Damage::Truncate { permille: 300 }, Damage::Zero { permille: 0, bytes: 64 }] {
        let opened = open_damaged(&context, &site, &damage).await?;
        ensure!(opened.is_none_or(|page| page.entries == whole.entries), "{damage:?}");
        restore(&context, &site, &original).await?;
        site.reopen().await?;
        ensure!(
            site.store.scan(&everything(&*site.store)).await?.entries == whole.entries,
            "nothing was left behind by {damage:?}"
        );
        site.store.close().await?;
    }
    Ok(())
}

async fn an_empty_file_becomes_a_store_or_is_refused(context: Context) -> Checked {
    let (site, _) = closed_store(&context).await?;
    let Some(page) = open_damaged(&context, &site, &Damage::Replace(Vec::new())).await? else { return Ok(()) };
    ensure!(page.entries.is_empty(), "an empty file has rows");
    // What was committed to it since is kept.
    let store = context.reopen(&site.place, &site.settings).await?;
    ensure_eq!(store.scan(&everything(&*store)).await?.entries.len(), 1, "rows of the store that it became");
    Ok(())
}

/// Whoever may write everywhere, as the system's administrator, may use it.
async fn a_file_that_may_not_be_written_is_refused_or_used(context: Context) -> Checked {
    let (site, whole) = closed_store(&context).await?;
    let mut permissions = fs::metadata(site.place.file())?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(site.place.file(), permissions)?;
    let before = files(&site.place)?;
    match context.reopen(&site.place, &site.settings).await {
        Ok(store) => {
            ensure!(store.scan(&everything(&*store)).await?.entries == whole.entries, "it opens with other rows");
            commit(&*store, batch([("new", put("1"))])).await?;
        }
        Err(error) => {
            ensure_eq!(error.kind(), ErrorKind::Io, "{error}");
            untouched(&site.place, &before)?;
        }
    }
    Ok(())
}

async fn a_folder_that_is_missing_is_an_error(context: Context) -> Checked {
    let mut place = context.place();
    place.folder.push("missing");
    let settings = crate::Settings::new(context.limits());
    match context.factory().open(&place, &settings).await {
        Err(error) => {
            ensure_eq!(error.kind(), ErrorKind::Io, "{error}");
            Ok(())
        }
        Ok(_) => Err(Failure::new("a store was opened in a folder that does not exist")),
    }
}

async fn a_folder_in_place_of_a_file_is_refused(context: Context) -> Checked {
    let place = context.place();
    fs::create_dir(place.file())?;
    let settings = crate::Settings::new(context.limits());
    let answer = context.factory().open(&place, &settings).await.map(drop);
    fs::remove_dir(place.file())?;
    match answer {
        Err(error) if matches!(error.kind(), ErrorKind::NotAStore | ErrorKind::Io) => Ok(()),
        other => Err(Failure::new(format!("a folder in place of the file: {other:?}"))),
    }
}
