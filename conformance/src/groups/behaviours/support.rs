//! Stores with the schemas of a messenger.

use std::sync::Arc;

use strongroom_core::matrix::{self, MatrixStore};
use strongroom_core::{Database, Schema};

use super::watch::Watch;
use crate::context::Site;
use crate::groups::typed::support::open_as;
use crate::twist::Twisted;
use crate::{Checked, Context};

pub(super) use crate::groups::typed::support::{at, sound};

/// Opens a new store with a schema, and a clock that the case sets.
pub(super) async fn open(context: &Context, schema: Schema) -> Checked<(Database, Site)> {
    let site = context.open().await?;
    let db = open_again(&site, schema).await?;
    Ok((db, site))
}

/// Another database over the site's store, as a second part of the same program has it.
pub(super) async fn open_again(site: &Site, schema: Schema) -> Checked<Database> {
    Ok(open_as(site, schema).await?)
}

/// Another database over the site's store, which is watched.
pub(super) async fn open_watched(site: &Site, schema: Schema) -> Checked<(Database, Arc<Watch>)> {
    let watch = Arc::new(Watch::default());
    let store = Arc::new(Twisted::new(site.store.clone(), watch.clone()));
    Ok((Database::builder(schema).clock(site.clock.clone()).open(store).await?, watch))
}

/// Opens a new store with the schema `matrix`.
pub(super) async fn open_matrix(context: &Context) -> Checked<(MatrixStore, Site)> {
    let (db, site) = open(context, matrix::schema()).await?;
    Ok((MatrixStore::new(db)?, site))
}
