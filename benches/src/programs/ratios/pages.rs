//! Pages of 50: encrypted on redb and plain on SQLite, next to the same by hand.

use futures_util::TryFutureExt;
use strongroom::Result;
use strongroom::matrix::Message;

use super::Run;
use crate::baselines::{Aead, RawRedb, RawRusqlite, RawSqlx, hand_rows, room_front, room_until};
use crate::figures::{Bound, Figure};
use crate::rounds::{Pair, Rounds};
use crate::stacks::{Engine, Layers};
use crate::workload::{Capture, IMPORT_BATCH, PAGE, import, page};

/// Pages of each kind in a round.
const PAGES: usize = 4;

pub(super) async fn measure(run: &Run) -> Result<Vec<Figure>> {
    let messages = run.workload.messages(0..run.messages)?;
    let values: Vec<_> =
        Capture::new(false).await?.rows(&messages).await?.into_iter().map(|mut rows| rows.remove(0)).collect();
    let places = run.workload.places(run.rounds * PAGES, run.messages);

    let encrypted = run.site.database(Engine::Redb, "pages", Layers::ENCRYPTED).await?;
    import(&encrypted, &messages).await?;
    let (raw, mut aead) = (RawRedb::create(&run.path("pages-raw.redb"), true)?, Aead::default());
    let sealed =
        messages.iter().zip(&values).map(|(message, row)| hand_rows(message, |key| aead.seal(key, &row.value)));
    let sealed: Vec<_> = sealed.collect();
    raw.import(&sealed, IMPORT_BATCH)?;

    let sqlite = run.site.database(Engine::Sqlite, "pages", Layers::BARE).await?;
    import(&sqlite, &messages).await?;
    let by_hand = run.path("pages-raw.sqlite");
    RawRusqlite::create(&by_hand)?.import(&messages, &values, IMPORT_BATCH)?;
    let joined = RawSqlx::open(&by_hand).await?;

    let (mut redb, mut sql) = (Pair::default(), Pair::default());
    let (mut redb_decoded, mut sql_decoded) = (Rounds::default(), Rounds::default());
    for places in places.chunks(PAGES) {
        let bounds: Vec<_> =
            places.iter().map(|place| (room_front(&place.room), room_until(&place.room, place.before))).collect();
        redb.ours.time(PAGES, |number| page(&encrypted, &places[number])).await?;
        redb.baseline.time_sync(PAGES, |number| raw.page(&bounds[number].0, &bounds[number].1, &aead))?;
        sql.ours.time(PAGES, |number| page(&sqlite, &places[number])).await?;
        sql.baseline.time(PAGES, |number| joined.page(&places[number])).await?;
        redb_decoded.time_sync(PAGES, |number| raw.page(&bounds[number].0, &bounds[number].1, &aead).map(decoded))?;
        sql_decoded.time(PAGES, |number| joined.page(&places[number]).map_ok(decoded)).await?;
    }
    for place in places.iter().take(PAGES) {
        let (front, until) = (room_front(&place.room), room_until(&place.room, place.before));
        let found = [
            page(&encrypted, place).await?,
            raw.page(&front, &until, &aead)?.len(),
            page(&sqlite, place).await?,
            joined.page(place).await?.len(),
            decoded(joined.page(place).await?).len(),
        ];
        assert_eq!(found, [PAGE; 5], "the pages that are compared are not the same");
    }
    encrypted.close().await?;
    sqlite.close().await?;
    joined.close().await;
    Ok(vec![
        Figure::times(
            "typed encrypted page of 50 / (raw redb scan + 50 gets + 50 opens)",
            redb.medians(),
            Bound::RatioAtMost(1.3),
        )
        .note("ours gives records, the baseline bytes"),
        Figure::times(
            "page of 50 on SQLite / the same as one hand-written JOIN through sqlx",
            sql.medians(),
            Bound::RatioAtMost(1.3),
        )
        .note("ours gives records, the baseline bytes"),
        Figure::times(
            "that page on redb / the same with the records decoded by hand",
            (redb.ours.median(), redb_decoded.median()),
            Bound::Context,
        ),
        Figure::times(
            "that page on SQLite / the same with the records decoded by hand",
            (sql.ours.median(), sql_decoded.median()),
            Bound::Context,
        ),
    ])
}

/// The records of values, each behind its version byte; those that are none are left out.
pub(super) fn decoded(values: Vec<Vec<u8>>) -> Vec<Message> {
    values.iter().filter_map(|value| rmp_serde::from_slice(value.get(1..)?).ok()).collect()
}
