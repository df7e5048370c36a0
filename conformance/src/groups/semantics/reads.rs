//! `get`, `scan` and `summarize`.

use strongroom_core::store::{KeyRange, Revision, Summary};

use super::support::{everything, key};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    an_empty_store_reads_as_empty,
}

async fn an_empty_store_reads_as_empty(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &site.store;
    let rows = store.get(&[key("a")]).await?;
    ensure_eq!((rows.as_of, rows.rows), (Revision::ZERO, vec![None]));
    let page = store.scan(&everything()).await?;
    ensure_eq!(page.as_of, Revision::ZERO);
    ensure!(page.entries.is_empty() && !page.more);
    let nothing = Summary { as_of: Revision::ZERO, rows: 0, newest: Revision::ZERO };
    ensure_eq!(store.summarize(&KeyRange::ALL).await?, nothing);
    Ok(())
}
