//! Migrations in processes that are killed, and beside others that write.

use strongroom_core::{Database, ErrorKind};

use super::super::support::open_again;
use super::records::{NoteV1, NoteV2, filled, is_v2, note, note_v2, put_all, v2};
use super::splits::is_split;
use crate::case::cases;
use crate::child::{Role, Work};
use crate::context::Site;
use crate::{Checked, Child, Context, Settings, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_killed_migration_goes_on_where_it_was [Reopen, Processes],
    a_killed_split_goes_on_where_it_was [Reopen, Processes],
    one_process_migrates_while_another_writes [Reopen, Processes, Share],
}

pub(super) const ROLES: &[Role] = &[Role { name: "migrate", run: |work| Box::pin(migrate(work)) }];

/// What a child says when it begins and when it has come to the end.
const BEGIN: &str = "begin";
const END: &str = "end";
/// What a child is told: which schema it has.
const REWRITE: u64 = 0;
const SPLIT: u64 = 1;

/// A child that migrates, in small batches, and says each.
async fn migrate(work: Work) -> Checked {
    let limits = strongroom_core::store::Limits { page_entries_max: 10, ..work.settings.limits };
    let store = work.factory.reopen(&work.place, &Settings { limits, ..work.settings.clone() }).await?;
    work.say(BEGIN)?;
    let schema = if work.argument == SPLIT { super::records::v2_split()? } else { v2()? };
    let db = Database::builder(schema).migrate_later().open(store).await?;
    work.say("opened")?;
    let mut failed = None;
    db.migrate(|records| failed = work.say(records).err()).await?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    work.say(END)?;
    Ok(db.close().await?)
}

/// Has one child after another migrate and kills each, the first after one thing that it says, the next after two.
async fn killed(context: &Context, site: &mut Site, schema: u64) -> Checked {
    site.store.close().await?;
    for heard in 1.. {
        let mut child = Child::start(context, "migrate", &site.place, schema)?;
        let mut last = None;
        for _ in 0..heard {
            last = child.next_line()?;
        }
        if last.is_none_or(|line| line == END) {
            child.wait()?;
            ensure!(heard > 3, "it was killed {} times", heard - 1);
            break;
        }
        context.count("kills", child.kill()?.into());
    }
    site.store = context.reopen(&site.place, &site.settings).await?;
    Ok(())
}

async fn a_killed_migration_goes_on_where_it_was(context: Context) -> Checked {
    let (_, mut site) = filled(&context, 95).await?;
    killed(&context, &mut site, REWRITE).await?;
    let db = open_again(&site, v2()?).await?;
    is_v2(&site, &db, 95).await
}

async fn a_killed_split_goes_on_where_it_was(context: Context) -> Checked {
    let (_, mut site) = filled(&context, 95).await?;
    killed(&context, &mut site, SPLIT).await?;
    let db = open_again(&site, super::records::v2_split()?).await?;
    is_split(&site, &db, 95).await
}

async fn one_process_migrates_while_another_writes(context: Context) -> Checked {
    let (old, site) = filled(&context, 95).await?;
    let mut child = Child::start(&context, "migrate", &site.place, REWRITE)?;
    ensure_eq!(child.next_line()?.as_deref(), Some(BEGIN));
    ensure_eq!(child.next_line()?.as_deref(), Some("opened"));
    // The older program of this process is refused from here on, the newer one is at work at once. What is put is new: of a record that is
    // there the child may have made one that the older program cannot read.
    ensure_kind!(old.put(&note(95)).await, ErrorKind::SchemaMismatch);
    let db = Database::builder(v2()?).migrate_later().open(site.store.clone()).await?;
    let mut written = 95;
    while let Some(line) = child.next_line()? {
        put_all(&db, [note_v2(written)?]).await?;
        let NoteV1 { room, id, .. } = note(written % 95);
        ensure_eq!(db.get(&NoteV2::key(&room, &id)).await?, Some(note_v2(id)?));
        written += 1;
        if line == END {
            break;
        }
    }
    child.wait()?;
    db.migrate(|_| {}).await?;
    ensure!(written > 100, "{written} notes");
    is_v2(&site, &db, written).await
}
