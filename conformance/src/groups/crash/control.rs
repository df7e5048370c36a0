//! The control: on a medium that only says that it syncs, the checks of this group must find what is lost.

use strongroom_core::store::Durability;

use super::blow::{Blow, pause};
use super::history::Style;
use super::writer::Struck;
use crate::case::cases;
use crate::{Checked, Context, Failure, Fault, ensure_eq};

cases! { Crash;
    a_medium_that_lies_is_found_out [Reopen, Processes, Crash, Inject] random true,
}

/// Cuts after which a loss must have been found, at least.
const CUTS_MIN: usize = 40;

/// Only an acknowledged commit that is not there proves it: that a store does not open, or a row is damaged, can have other
/// reasons.
async fn a_medium_that_lies_is_found_out(context: Context) -> Checked {
    let cuts = context.effort().cuts;
    let mut lost = 0;
    for round in 0..cuts.max(CUTS_MIN) {
        if round >= cuts && lost > 0 {
            break;
        }
        let mut struck = Struck::new(&context, Blow::Cut, Style::Rows, round).await?;
        let durability = struck.store.as_ref().map(|store| store.info().durability);
        ensure_eq!(durability, Some(Durability::Power), "what is said to survive, which a lying medium can break");
        let mut child = struck.start("rows").await?;
        struck.listen(&mut child, 1)?;
        context.factory().inject(&struck.place, Fault::Lie).await?;
        let calls = 5 + struck.random.below(10);
        pause(struck.listen(&mut child, calls)?, &mut struck.random);
        struck.strike(&mut child).await?;
        context.factory().inject(&struck.place, Fault::None).await?;
        if struck.check().await.is_err() {
            lost += struck.ledger.lost();
            let what =
                if struck.ledger.lost() > 0 { "cuts on the lying medium that lost" } else { "cuts that damaged" };
            context.count(what, 1);
        }
        struck.close().await?;
    }
    context.count("lost on the lying medium", lost as u64);
    match lost {
        0 => Err(Failure::new("the control lost no acknowledged commit: the test proves nothing")),
        _ => Ok(()),
    }
}
