//! The power goes while media are stored in files.

use super::child::MEDIA_MAX;
use super::kills::{Struck, struck_at_work};
use crate::case::cases;
use crate::groups::crash::blow::Blow;
use crate::{Checked, Context, Failure};

cases! { Media;
    acknowledged_media_survive_the_power [Reopen, Processes, Crash] random true,
    files_that_nobody_syncs_are_found_out [Reopen, Processes, Crash, ObjectFiles] random true,
}

/// Cuts after which a loss must have been found, at least.
const CUTS_MIN: usize = 20;

async fn acknowledged_media_survive_the_power(context: Context) -> Checked {
    struck_at_work(&context, Blow::Cut).await
}

/// The control: the records are as safe as ever, their bytes are not. The checks of this group must find it.
async fn files_that_nobody_syncs_are_found_out(context: Context) -> Checked {
    let cuts = context.effort().cuts;
    let mut lost = 0;
    for round in 0..cuts.max(CUTS_MIN) {
        if round >= cuts && lost > 0 {
            break;
        }
        let mut struck = Struck::new(&context, round).await?;
        let mut child = struck.start("media unsynced", round as u32 * MEDIA_MAX)?;
        let media = 4 + struck.random.below(4);
        struck.listen(&mut child, media)?;
        struck.strike(Blow::Cut, &mut child).await?;
        let opened = struck.open().await?;
        lost += struck.lost(&opened).await;
        opened.close().await?;
    }
    context.count("lost without syncs", lost as u64);
    match lost {
        0 => Err(Failure::new("the control lost no acknowledged medium: the test proves nothing")),
        _ => Ok(()),
    }
}
