//! What is demanded of the records: the damaged ones fail as they must, and hide none of the others.

use strongroom_conformance::evil::{
    Draft, Letter, Order, RECORDS, RawRow, Scene, Shows, Way, draft, letter, room, tag,
};
use strongroom_conformance::{Checked, Failure, ensure, ensure_eq};
use strongroom_core::store::{Content, Read};
use strongroom_core::{Database, Page, Result};

use crate::heard::{fails, is, silent};
use crate::keeper::Layer;

/// What of the records, entries and rows is to fail.
pub(crate) struct Rows<'s> {
    letters: (&'s [u32], &'s str),
    handles: (&'s [u32], &'s str),
    pages: [PageShows<'s>; 2],
    row: Option<(RawRow, &'s str)>,
    verify: bool,
}

/// Of one order: how many entries fail, which letters are in none of the others, and the error.
struct PageShows<'s> {
    order: Order,
    damaged: usize,
    missing: &'s [u32],
    error: &'s str,
}

impl<'s> Rows<'s> {
    pub(crate) fn of(shows: &'s [Shows]) -> Self {
        let letters = shows.iter().find_map(|shows| match shows.way {
            Way::Letters(ids) => Some((ids, shows.error)),
            _ => None,
        });
        let letters = letters.unwrap_or((&[], ""));
        let handles = shows.iter().find_map(|shows| match shows.way {
            Way::Handles(ids) => Some((ids, shows.error)),
            _ => None,
        });
        let page = |asked: Order| {
            let named = shows.iter().find_map(|shows| match shows.way {
                Way::Page(order, damaged, missing) if order == asked => {
                    Some(PageShows { order, damaged, missing, error: shows.error })
                }
                _ => None,
            });
            let (missing, error) = letters;
            // Whoever comes to a damaged record by an entry meets it as well.
            named.unwrap_or(PageShows { order: asked, damaged: missing.len(), missing, error })
        };
        let row = shows.iter().find_map(|shows| match shows.way {
            Way::Row(row) => Some((row, shows.error)),
            _ => None,
        });
        let verify = shows.iter().any(|shows| shows.way == Way::Verify);
        let pages = [page(Order::Time), page(Order::Tag)];
        Rows { letters, handles: handles.unwrap_or(letters), pages, row, verify }
    }

    pub(crate) async fn check(&self, db: &Database, layer: &Layer, scene: &Scene) -> Checked {
        self.letters(db).await?;
        self.handles(db).await?;
        for page in &self.pages {
            page.check(db).await?;
        }
        drafts(db).await?;
        self.rows(layer, scene).await?;
        let verification = db.verify().await?;
        silent(&verification)?;
        ensure_eq!(!verification.problems.is_empty(), self.verify, "verify: {:?}", verification.problems);
        silent(&(db, layer))
    }

    /// By key in every way, and in pages by primary key.
    async fn letters(&self, db: &Database) -> Checked {
        let (harmed, error) = self.letters;
        let snapshot = db.snapshot().await?;
        for id in 0..RECORDS {
            let key = Letter::key(&room(), &id);
            let in_transaction = db.write(|tx| async move { tx.get(&Letter::key(&room(), &id)).await }).await;
            let found = [db.get(&key).await, snapshot.get(&key).await, in_transaction];
            for found in found {
                match harmed.contains(&id) {
                    true => fails(&format!("letter {id}"), found, error)?,
                    false => ensure_eq!(found?, Some(letter(id))),
                }
            }
        }
        let query = || db.query(Letter::PRIMARY);
        page("a page by key", query().page().await, query().skip_damaged().page().await, harmed.len(), harmed, error)
    }

    async fn handles(&self, db: &Database) -> Checked {
        let (harmed, error) = self.handles;
        for id in 0..RECORDS {
            let found = db.query(Letter::HANDLE).equal(&letter(id).handle).first().await;
            match harmed.contains(&id) {
                true => fails(&format!("the handle of {id}"), found, error)?,
                false => ensure_eq!(found?, Some(letter(id))),
            }
        }
        Ok(())
    }

    /// What was written past the typed database.
    async fn rows(&self, layer: &Layer, scene: &Scene) -> Checked {
        let value = Content::Value(Scene::log().into());
        for (key, row) in scene.log_keys() {
            let rows = layer.get(&[key]).await?.rows;
            let content = rows.into_iter().flatten().next().map(|row| row.content);
            match (self.row, content) {
                (Some((named, error)), Some(Content::Damaged(damage))) if Some(named) == row => {
                    is("a row", &damage, error)?;
                }
                (named, content) => {
                    ensure!(named.is_none_or(|(named, _)| Some(named) != row), "a row is read that must not be");
                    ensure_eq!(content.as_ref(), Some(&value));
                }
            }
        }
        Ok(())
    }
}

impl PageShows<'_> {
    async fn check(&self, db: &Database) -> Checked {
        let (strict, lenient) = match self.order {
            Order::Time => {
                let query = || db.query(Letter::BY_TIME).equal(&room());
                (query().page().await, query().skip_damaged().page().await)
            }
            Order::Tag => {
                let query = || db.query(Letter::TAG).equal(&tag());
                (query().page().await, query().skip_damaged().page().await)
            }
        };
        let what = format!("a page by {:?}", self.order);
        page(&what, strict, lenient, self.damaged, self.missing, self.error)
    }
}

/// A page that fails, and one that names what is damaged and gives the others.
fn page(
    what: &str,
    strict: Result<Page<Letter>>,
    lenient: Result<Page<Letter>>,
    damaged: usize,
    missing: &[u32],
    error: &str,
) -> Checked {
    let expected: Vec<Letter> = (0..RECORDS).filter(|id| !missing.contains(id)).map(letter).collect();
    if damaged == 0 {
        ensure_eq!(sorted(strict?.records), expected, "{what}");
    } else {
        fails(what, strict, error)?;
    }
    let lenient = lenient?;
    ensure_eq!(lenient.damaged.len(), damaged, "{what}, what is damaged");
    for damage in lenient.damaged {
        is(what, &damage.error, error)?;
        silent(&damage)?;
    }
    ensure_eq!(sorted(lenient.records), expected, "{what}, what is not damaged");
    Ok(())
}

fn sorted(mut letters: Vec<Letter>) -> Vec<Letter> {
    letters.sort_by_key(|letter| letter.id);
    letters
}

/// No attack is on drafts.
async fn drafts(db: &Database) -> Checked {
    for id in 0..RECORDS {
        ensure_eq!(db.get(&Draft::key(&room(), &id)).await?, Some(draft(id)));
    }
    let page = db.query(Draft::BY_TIME).equal(&room()).page().await?;
    let mut ids: Vec<u32> = page.records.iter().map(|draft| draft.id).collect();
    ids.sort_unstable();
    if ids != (0..RECORDS).collect::<Vec<_>>() {
        return Err(Failure::new(format!("drafts {ids:?}")));
    }
    Ok(())
}
