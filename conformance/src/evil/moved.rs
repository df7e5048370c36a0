//! Values that were sealed by a key, put where they do not belong; and values that never were sealed.

use strongroom_core::Database;
use strongroom_core::store::{Content, StoredKey};

use super::{Attack, Evil, Order, RawRow, STRUCK, Scene, Shows, Way, letter, put, read, replace, shows};
use crate::{Checked, Failure};

const STRUCK_AUTH_FAILED: &[Shows] = &[
    shows(Way::Letters(&[STRUCK]), "AuthFailed"),
    shows(Way::Page(Order::Tag, 1, &[STRUCK]), "AuthFailed"),
    shows(Way::Verify, "Corrupt"),
];

const STRUCK_NOT_AN_ENVELOPE: &[Shows] =
    &[shows(Way::Letters(&[STRUCK]), "NotAnEnvelope"), shows(Way::Verify, "Corrupt")];

pub(super) const ALL: &[Attack] = &[
    Attack {
        name: "two_records_swapped",
        does: "The values of two records of one collection, each under the key of the other.",
        shows: &[
            shows(Way::Letters(&[STRUCK, STRUCK + 1]), "AuthFailed"),
            shows(Way::Page(Order::Tag, 2, &[STRUCK, STRUCK + 1]), "AuthFailed"),
            shows(Way::Verify, "Corrupt"),
        ],
        strike: |evil| {
            Box::pin(async move {
                let (one, other) = (&evil.struck().record, &evil.neighbour().record);
                evil.copy(evil.scene, one, other).await?;
                evil.copy(evil.scene, other, one).await
            })
        },
    },
    Attack {
        name: "a_record_copied_over_another",
        does: "The value of one record under the key of another as well.",
        shows: STRUCK_AUTH_FAILED,
        strike: |evil| {
            Box::pin(async move { evil.copy(evil.scene, &evil.neighbour().record, &evil.struck().record).await })
        },
    },
    Attack {
        name: "a_record_of_another_collection",
        does: "The value of a draft with the same key, which has a letter's fields.",
        shows: STRUCK_AUTH_FAILED,
        strike: |evil| {
            Box::pin(async move {
                evil.copy(evil.scene, &evil.scene.drafts[STRUCK as usize].record, &evil.struck().record).await
            })
        },
    },
    Attack {
        name: "the_catalog_as_a_record",
        does: "The sealed catalog under the key of a record.",
        shows: STRUCK_AUTH_FAILED,
        strike: |evil| Box::pin(async move { evil.copy(evil.scene, &evil.scene.catalog, &evil.struck().record).await }),
    },
    Attack {
        name: "the_header_as_a_record",
        does: "The bytes of the header under the key of a record.",
        shows: STRUCK_NOT_AN_ENVELOPE,
        strike: |evil| Box::pin(async move { evil.copy(evil.scene, &evil.scene.header, &evil.struck().record).await }),
    },
    Attack {
        name: "the_keyring_as_a_record",
        does: "The bytes of the keyring under the key of a record.",
        shows: STRUCK_NOT_AN_ENVELOPE,
        strike: |evil| Box::pin(async move { evil.copy(evil.scene, &evil.scene.keyring, &evil.struck().record).await }),
    },
    Attack {
        name: "a_record_of_a_store_with_the_same_passphrase",
        does: "The value of the same record of another store, sealed with the key of the same id.",
        shows: STRUCK_AUTH_FAILED,
        strike: |evil| Box::pin(async move { evil.copy(evil.twin, &twins(evil.twin), &evil.struck().record).await }),
    },
    Attack {
        name: "a_record_of_a_store_under_a_later_key",
        does: "The value of the same record of another store, sealed with a key of an id that is not here.",
        shows: &[
            shows(Way::Letters(&[STRUCK]), "UnknownKeyId"),
            shows(Way::Page(Order::Tag, 1, &[STRUCK]), "UnknownKeyId"),
            shows(Way::Verify, "Corrupt"),
        ],
        strike: |evil| Box::pin(async move { evil.copy(evil.other, &twins(evil.other), &evil.struck().record).await }),
    },
    Attack {
        name: "a_plain_record",
        does: "The value of the same record as a plain store has it, well formed to the last byte.",
        shows: STRUCK_NOT_AN_ENVELOPE,
        strike: |evil| Box::pin(plain_record(evil)),
    },
    Attack {
        name: "a_stamped_row_under_another_prefix",
        does: "The value of a stamped row, which binds it to its prefix, under another prefix.",
        shows: &[shows(Way::Row(RawRow::Stamped), "AuthFailed")],
        strike: |evil| {
            Box::pin(async move {
                let Scene { stamped: [key, _], stamped_elsewhere, .. } = evil.scene;
                evil.copy(evil.scene, stamped_elsewhere, key).await
            })
        },
    },
    Attack {
        name: "a_stamped_row_under_a_plain_key",
        does: "The value of a stamped row under a plain key of the same length.",
        shows: &[shows(Way::Row(RawRow::Plain), "AuthFailed")],
        strike: |evil| {
            Box::pin(async move {
                let Scene { stamped: [stamped, _], plain, .. } = evil.scene;
                evil.copy(evil.scene, stamped, plain).await
            })
        },
    },
    Attack {
        name: "a_plain_row_under_a_stamped_key",
        does: "The value of a plain key under that of a stamped row.",
        shows: &[shows(Way::Row(RawRow::Stamped), "AuthFailed")],
        strike: |evil| {
            Box::pin(async move {
                let Scene { stamped: [stamped, _], plain, .. } = evil.scene;
                evil.copy(evil.scene, plain, stamped).await
            })
        },
    },
];

/// The same record in another store.
fn twins(scene: &Scene) -> StoredKey {
    scene.letters[STRUCK as usize].record.clone()
}

/// Lets a database without the layer write the record, and takes that.
async fn plain_record(evil: Evil<'_>) -> Checked {
    replace(&**evil.raw, &Default::default()).await?;
    let db: Database = super::open(evil.raw.clone()).await?;
    db.insert(&letter(STRUCK)).await?;
    // Record rows of collection 1.
    let plain = read(&**evil.raw).await?.into_iter().find(|(key, _)| key.as_bytes().starts_with(&[0, 1, 0]));
    let Some((_, Content::Value(value))) = plain else { return Err(Failure::new("no plain record")) };
    replace(&**evil.raw, &evil.scene.rows).await?;
    put(&**evil.raw, evil.struck().record.clone(), value.to_vec()).await
}
