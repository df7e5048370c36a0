//! The catalog: the one row that is read before all records.

use super::{Attack, STRUCK, Shows, Way, put, read, replace, shows};
use crate::{Checked, Failure};
use strongroom_core::store::Content;

const AUTH_FAILED: &[Shows] = &[shows(Way::Database, "AuthFailed")];

pub(super) const ALL: &[Attack] = &[
    Attack {
        name: "the_catalog_flipped",
        does: "A bit of the sealed catalog.",
        shows: AUTH_FAILED,
        strike: |evil| evil.change(&evil.scene.catalog, |bytes| bytes[40] ^= 1),
    },
    Attack {
        name: "the_catalog_cut",
        does: "The sealed catalog, cut to its front.",
        shows: &[shows(Way::Database, "Truncated")],
        strike: |evil| evil.change(&evil.scene.catalog, |bytes| bytes.truncate(20)),
    },
    Attack {
        name: "a_record_as_the_catalog",
        does: "The sealed value of a record in place of the catalog.",
        shows: AUTH_FAILED,
        strike: |evil| Box::pin(async move { evil.copy(evil.scene, &evil.struck().record, &evil.scene.catalog).await }),
    },
    Attack {
        name: "the_catalog_of_a_store_with_the_same_passphrase",
        does: "The same catalog, as another store sealed it.",
        shows: AUTH_FAILED,
        strike: |evil| Box::pin(async move { evil.copy(evil.twin, &evil.twin.catalog, &evil.scene.catalog).await }),
    },
    Attack {
        name: "a_plain_catalog",
        does: "The same catalog as a plain store has it.",
        shows: &[shows(Way::Database, "NotAnEnvelope")],
        strike: |evil| Box::pin(plain_catalog(evil)),
    },
    Attack {
        name: "a_link_as_the_catalog",
        does: "A link to a record in place of the catalog.",
        shows: &[shows(Way::Database, "Corrupt")],
        strike: |evil| {
            Box::pin(async move { evil.link(&evil.scene.catalog, &evil.scene.letters[STRUCK as usize].record).await })
        },
    },
    Attack {
        name: "the_catalog_deleted",
        does: "No catalog, with all records left.",
        shows: &[shows(Way::Database, "Corrupt")],
        strike: |evil| Box::pin(async move { evil.delete(&[&evil.scene.catalog]).await }),
    },
];

async fn plain_catalog(evil: super::Evil<'_>) -> Checked {
    replace(&**evil.raw, &Default::default()).await?;
    super::open(evil.raw.clone()).await?;
    let plain = read(&**evil.raw).await?;
    let Some(Content::Value(value)) = plain.get(&evil.scene.catalog) else {
        return Err(Failure::new("a plain store has its catalog under the same key"));
    };
    replace(&**evil.raw, &evil.scene.rows).await?;
    put(&**evil.raw, evil.scene.catalog.clone(), value.to_vec()).await
}
