//! What is demanded after an attack: each way that it names fails as it says, and what it does not name is as it was.

use std::sync::Arc;

use strongroom_conformance::evil::{self, Shows, Way};
use strongroom_conformance::{Checked, ensure};

use crate::heard::{fails, silent};
use crate::keeper::{self, Keeper, options, others, passphrase, spare, strangers};
use crate::rows::Rows;

/// All that an attack names, and that the rest is as it was.
pub(crate) async fn all(keeper: &Keeper<'_>, shows: &[Shows]) -> Checked {
    let before = evil::read(&*keeper.raw).await?;
    // Those which need a store that is still unlocked come first.
    for shows in shows.iter().filter(|shows| shows.way != Way::Unlock) {
        one(keeper, shows).await?;
    }
    if shows.iter().all(|shows| is_of_rows(shows.way)) {
        let rows = Rows::of(shows);
        rows.check(&keeper.db, &keeper.layer, keeper.evil().scene).await?;
        let layer = Arc::new(keeper.open(&passphrase()).await?);
        rows.check(&evil::open(layer.clone()).await?, &layer, keeper.evil().scene).await?;
    }
    for shows in shows.iter().filter(|shows| shows.way == Way::Unlock) {
        one(keeper, shows).await?;
    }
    ensure!(before == evil::read(&*keeper.raw).await?, "a refusal changes nothing");
    Ok(())
}

/// Whether the store opens, and so does the database.
fn is_of_rows(way: Way) -> bool {
    matches!(way, Way::Letters(_) | Way::Handles(_) | Way::Page(..) | Way::Row(_) | Way::Verify)
}

async fn one(keeper: &Keeper<'_>, shows: &Shows) -> Checked {
    let Shows { way, error } = *shows;
    match way {
        Way::Open => {
            fails("open", keeper.open(&passphrase()).await, error)?;
            if error != "NotCreated" {
                // What is there is never made anew.
                fails("open_or_create", options().open_or_create(keeper.raw.clone(), &passphrase()).await, error)?;
                ensure!(options().create(keeper.raw.clone(), &passphrase()).await.is_err(), "create succeeds");
            }
            Ok(())
        }
        Way::OpenBySpare => fails("open by the second slot", keeper.open(&spare()).await, error),
        Way::OpenByStranger => {
            for stranger in strangers() {
                silent(&stranger)?;
                fails("open by a stranger", keeper.open(&stranger).await, error)?;
            }
            Ok(())
        }
        Way::OpenByOther => fails("open by the attacker", keeper.open(&others()).await, error),
        Way::OpenPlain => fails("open without the layer", evil::open(keeper.raw.clone()).await, error),
        Way::Database => {
            let layer = Arc::new(keeper.open(&passphrase()).await?);
            fails("open the database", evil::open(layer).await, error)
        }
        Way::Write => {
            let new = evil::Letter { id: evil::RECORDS, handle: "new".to_owned(), ..evil::letter(0) };
            fails("write", keeper.db.put(&new).await, error)
        }
        Way::Slots => fails("slots", keeper.layer.slots().await, error),
        Way::Rotate => fails("rotate", keeper.layer.rotate().await, error),
        Way::Unlock => {
            keeper.layer.lock();
            fails("unlock", keeper.layer.unlock(&keeper::passphrase()).await, error)?;
            // What stays locked reads nothing.
            fails("a read while it is locked", keeper.db.get(&evil::Letter::key(&evil::room(), &0)).await, "Locked")
        }
        // Together, with what they do not name.
        Way::Letters(_) | Way::Handles(_) | Way::Page(..) | Way::Row(_) | Way::Verify => Ok(()),
    }
}
