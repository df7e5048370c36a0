//! A sync fails, and later the power goes: what was acknowledged in between was synced.

use super::blow::{Blow, heard, pause};
use super::history::Style;
use super::writer::{Heard, rounds};
use crate::case::cases;
use crate::{Checked, Context, Fault, ensure};

cases! { Crash;
    what_is_acknowledged_after_a_failed_sync_survives_the_power [Reopen, Processes, Crash, Inject] random true,
}

/// Lines of a child in which a fault is met.
const LINES_MAX: usize = 50;

/// On Linux, what a failed sync could not write counts as written from then on: no later sync writes it, and only programs
/// that write it again are safe.
async fn what_is_acknowledged_after_a_failed_sync_survives_the_power(context: Context) -> Checked {
    let mut met = 0;
    rounds(&context, Blow::Cut, Style::Rows, async |struck| {
        let mut child = struck.start("on").await?;
        let calls = 1 + struck.random.below(3);
        struck.listen(&mut child, calls)?;
        context.factory().inject(&struck.place, Fault::SyncOnce { after: struck.random.below(8) }).await?;
        for _ in 0..LINES_MAX {
            if struck.take_down(&heard(&mut child)?)? == Heard::Failed {
                met += 1;
                break;
            }
        }
        let calls = 2 + struck.random.below(6);
        pause(struck.listen(&mut child, calls)?, &mut struck.random);
        struck.strike(&mut child).await?;
        struck.check().await
    })
    .await?;
    // One that was not for a commit, but to tidy up, may go unsaid.
    ensure!(met > 0, "no call ever failed with a sync");
    context.count("faults", met);
    Ok(())
}
