//! What it costs to be observable. The same program, built with the feature `observed` and without it, run in turns: nobody listens in either.

use strongroom::encryption::{SecretKey, Unlock};
use strongroom::engine::{self, Metadata};
use strongroom::{Database, Result, open};

use crate::median::Rounds;

const RECORDS: usize = 200;
const ROUNDS: usize = 51;
const CALLS: usize = 400;

async fn measure(name: &str, db: &Database) -> Result<()> {
    let value = || "\"a value of some length, as settings have it\"".parse();
    let note = |number: usize| {
        Ok::<_, strongroom::Error>(Metadata { key: format!("key {}", number % RECORDS), value: value()? })
    };
    for number in 0..RECORDS {
        db.put(&note(number)?).await?;
    }
    let (mut get, mut page, mut put) = (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        get.time(CALLS, |number| async move { db.get(&Metadata::key(&note(number)?.key)).await }).await;
        page.time(CALLS / 20, |_| db.query(Metadata::PRIMARY).page()).await;
        put.time(CALLS / 4, |number| async move { db.put(&note(number)?).await }).await;
    }
    let listened = if cfg!(feature = "observed") { "observed" } else { "not observed" };
    let [get, page, put] = [get.median(), page.median(), put.median()];
    println!("{name}, {listened}: get {get} ns, page of 50 {page} ns, put {put} ns");
    Ok(())
}

pub(crate) async fn run() -> Result<()> {
    measure("memory", &Database::open(open("memory:").await?, engine::schema()).await?).await?;
    let unlock = Unlock::raw_key(SecretKey::new([1; 32]));
    let sealed = open("memory:").encrypted(unlock).await?;
    measure("memory, encrypted", &Database::open(sealed, engine::schema()).await?).await
}
