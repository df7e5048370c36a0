//! How a store and a program with another schema meet.

mod build;
mod evolution;
mod openers;

use serde::{Deserialize, Serialize};
use strongroom_core::{Database, Error, Record, Schema, Timestamp};

use super::support::{at, one, open_as, put_all, rows, sound};
use crate::context::Site;
use crate::{Case, Checked, Context, Failure, ensure_eq};

pub(super) fn cases() -> Vec<Case> {
    [evolution::CASES, build::CASES, openers::CASES].concat()
}

/// One collection as different programs declare it.
macro_rules! declared {
    ($name:ident($($record:tt)*) $(, $index:meta)*) => {
        #[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
        #[record(crate = ::strongroom_core, $($record)*)]
        $(#[$index])*
        struct $name {
            id: u64,
            color: String,
            time: Timestamp,
            code: Option<String>,
            tags: Vec<String>,
        }
    };
}
use declared;

declared!(First(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(color)));
declared!(
    WithTime(id = 1, name = "items", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "time", on(color, time: ordered))
);
declared!(
    WithCode(id = 1, name = "items", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "code", on(code), unique)
);

/// An item of its own color, code and time.
fn item(id: u64) -> First {
    let color = format!("c{}", id % 3);
    First { id, color, time: at(id.cast_signed()), code: Some(format!("code {id}")), tags: Vec::new() }
}

fn items(count: u64) -> Vec<First> {
    (0..count).map(item).collect()
}

/// A new store as the first release left it.
async fn filled(context: &Context, count: u64) -> Checked<(Database, Site)> {
    let site = context.open().await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &items(count)).await?;
    Ok((db, site))
}

/// What an open is refused with. The records must then be as they were, and the program `R` of before must go on.
async fn refused<R: Record>(site: &Site, schema: Schema) -> Checked<Error> {
    let before = rows(&*site.store, 1, 0).await?;
    let Err(error) = open_as(site, schema).await else {
        return Err(Failure::new("an open succeeded that had to be refused"));
    };
    let db = open_as(site, one::<R>(1)?).await?;
    sound(&db).await?;
    ensure_eq!(rows(&*site.store, 1, 0).await?, before);
    Ok(error)
}
