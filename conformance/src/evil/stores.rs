//! One whole store in the place of another, and the wrong key for the right one.

use super::{Attack, RECORDS, Way, letter, put, replace, shows};

pub(super) const ALL: &[Attack] = &[
    Attack {
        name: "a_plain_store",
        does: "A plain store with the same records in place of the encrypted one.",
        shows: &[shows(Way::Open, "NotEncrypted"), shows(Way::OpenBySpare, "NotEncrypted")],
        strike: |evil| {
            Box::pin(async move {
                replace(&**evil.raw, &Default::default()).await?;
                let db = super::open(evil.raw.clone()).await?;
                for id in 0..RECORDS {
                    db.insert(&letter(id)).await?;
                }
                Ok(())
            })
        },
    },
    Attack {
        name: "a_plain_store_under_the_true_header",
        does: "The header and the keyring of the store, and plain rows with them.",
        shows: &[shows(Way::Database, "NotAnEnvelope")],
        strike: |evil| {
            Box::pin(async move {
                replace(&**evil.raw, &Default::default()).await?;
                let db = super::open(evil.raw.clone()).await?;
                for id in 0..RECORDS {
                    db.insert(&letter(id)).await?;
                }
                evil.copy(evil.scene, &evil.scene.header, &evil.scene.header).await?;
                evil.copy(evil.scene, &evil.scene.keyring, &evil.scene.keyring).await
            })
        },
    },
    Attack {
        name: "an_empty_store",
        does: "Nothing at all.",
        shows: &[shows(Way::Open, "NotCreated"), shows(Way::OpenBySpare, "NotCreated")],
        strike: |evil| Box::pin(async move { replace(&**evil.raw, &Default::default()).await }),
    },
    Attack {
        name: "something_else",
        does: "A store of another program, with one row.",
        shows: &[shows(Way::Open, "NotEncrypted"), shows(Way::OpenBySpare, "NotEncrypted")],
        strike: |evil| {
            Box::pin(async move {
                replace(&**evil.raw, &Default::default()).await?;
                put(&**evil.raw, evil.scene.plain.clone(), b"something else".to_vec()).await
            })
        },
    },
    Attack {
        name: "the_attacker_s_store",
        does: "A whole store of the attacker's in place of the true one.",
        shows: &[
            shows(Way::Open, "WrongKeyOrDamagedSlot"),
            shows(Way::Unlock, "WrongKeyOrDamagedSlot"),
            shows(Way::Write, "HeaderTampered"),
        ],
        strike: |evil| Box::pin(async move { replace(&**evil.raw, &evil.other.rows).await }),
    },
    Attack {
        name: "opened_without_a_key",
        does: "Nothing: the store is opened as if it were plain.",
        shows: &[shows(Way::OpenPlain, "Encrypted")],
        strike: |_| Box::pin(async { Ok(()) }),
    },
    Attack {
        name: "opened_without_a_key_and_without_its_header",
        does: "The header is taken away, and the store is opened as if it were plain.",
        shows: &[shows(Way::OpenPlain, "UnsupportedVersion"), shows(Way::Open, "HeaderMissing")],
        strike: |evil| Box::pin(async move { evil.delete(&[&evil.scene.header]).await }),
    },
    Attack {
        name: "opened_with_another_key",
        does: "Nothing: the store is opened with a passphrase and a key that no slot has.",
        shows: &[shows(Way::OpenByStranger, "WrongKeyOrDamagedSlot")],
        strike: |_| Box::pin(async { Ok(()) }),
    },
    Attack {
        name: "opened_with_the_attacker_s_passphrase",
        does: "Nothing: the store is opened with the passphrase of another one.",
        shows: &[shows(Way::OpenByOther, "WrongKeyOrDamagedSlot")],
        strike: |_| Box::pin(async { Ok(()) }),
    },
];
