//! The encryption layer fails closed: each attack on the rows below it shows as the typed error that it names, wherever it must
//! show, and as nothing else; all else stays as it was.

mod demands;
mod heard;
mod keeper;
mod rows;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use keeper::{Keeper, Scenes};
use libtest_mimic::{Arguments, Failed, Trial};
use strongroom_conformance::evil::{self, Attack, Strike, Undetected};
use strongroom_conformance::{Checked, Factory, Failure, ensure};
use strongroom_conformance_runner::stacks::{MemoryFactory, RedbFactory, SqliteFactory};
use tokio::runtime::Runtime;

/// Fewer attacks than this would mean that some were lost.
const ATTACKS_MIN: usize = 100;

fn main() -> ExitCode {
    let runtime = Runtime::new().expect("a runtime");
    let scenes = match runtime.block_on(Scenes::make()) {
        Ok(scenes) => Arc::new(scenes),
        Err(failure) => panic!("{failure}"),
    };
    let factories: [Arc<dyn Factory>; 3] = [Arc::new(MemoryFactory), Arc::new(RedbFactory), Arc::new(SqliteFactory)];
    let mut trials = vec![trial("evil::every_name_is_unique".to_owned(), async || names_are_unique())];
    for attack in evil::all() {
        let scenes = scenes.clone();
        trials.push(trial(format!("evil::control::{}", attack.name), async move || {
            would_be_missed(attack, &scenes).await
        }));
    }
    for factory in factories {
        let name = factory.name().to_owned();
        let (kept, clean) = (factory.clone(), scenes.clone());
        trials.push(trial(format!("evil::{name}::nothing_is_wrong_without_an_attack"), async move || {
            nothing_is_wrong(&*kept, &clean).await
        }));
        for attack in evil::all() {
            let (factory, scenes) = (factory.clone(), scenes.clone());
            trials.push(trial(format!("evil::{name}::{}", attack.name), async move || {
                is_refused(&*factory, attack, &scenes).await.map_err(|failure| about(&failure, &attack))
            }));
        }
        for undetected in evil::undetected() {
            let (factory, scenes) = (factory.clone(), scenes.clone());
            trials.push(trial(format!("evil::{name}::undetected::{}", undetected.name), async move || {
                is_as_documented(&*factory, undetected, &scenes).await.map_err(|failure| about(&failure, undetected))
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: String, test: impl AsyncFnOnce() -> Checked + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = Runtime::new().map_err(|error| Failed::from(error.to_string()))?;
        runtime.block_on(test()).map_err(|failure| Failed::from(failure.to_string()))
    })
}

fn about(failure: &Failure, what: &dyn std::fmt::Debug) -> Failure {
    Failure::new(format!("{failure}\n{what:?}"))
}

fn names_are_unique() -> Checked {
    let mut names = BTreeSet::new();
    for name in evil::all().iter().map(|attack| attack.name).chain(evil::undetected().iter().map(|it| it.name)) {
        ensure!(names.insert(name), "two are called {name}");
    }
    ensure!(names.len() >= ATTACKS_MIN, "{} attacks", names.len());
    Ok(())
}

async fn is_refused(factory: &dyn Factory, attack: Attack, scenes: &Scenes) -> Checked {
    let keeper = Keeper::new(factory, scenes).await?;
    (attack.strike)(keeper.evil()).await?;
    let checked = demands::all(&keeper, attack.shows).await;
    keeper.raw.close().await?;
    checked
}

/// Without its strike no attack is seen: what is demanded above can fail.
async fn would_be_missed(attack: Attack, scenes: &Scenes) -> Checked {
    let keeper = Keeper::new(&MemoryFactory, scenes).await?;
    (attack.strike)(keeper.evil()).await?;
    let changes_nothing = evil::read(&*keeper.raw).await? == keeper.evil().scene.rows;
    let keeper = Keeper::new(&MemoryFactory, scenes).await?;
    let missed = demands::all(&keeper, attack.shows).await.is_err();
    // An attack that changes no row is one with another key.
    ensure!(missed != changes_nothing, "the demands do not depend on the strike: {attack:?}");
    Ok(())
}

async fn nothing_is_wrong(factory: &dyn Factory, scenes: &Scenes) -> Checked {
    let keeper = Keeper::new(factory, scenes).await?;
    demands::all(&keeper, &[]).await?;
    for unlock in [keeper::passphrase(), keeper::spare()] {
        keeper.layer.lock();
        keeper.layer.unlock(&unlock).await?;
        evil::open(Arc::new(keeper.open(&unlock).await?)).await?;
    }
    ensure!(keeper.layer.slots().await?.len() == 2);
    keeper.layer.rotate().await?;
    keeper.layer.reseal(|_| {}).await?;
    demands::all(&keeper, &[]).await
}

async fn is_as_documented(factory: &dyn Factory, undetected: &Undetected, scenes: &Scenes) -> Checked {
    let keeper = Keeper::new(factory, scenes).await?;
    let strike: Strike = undetected.strike;
    strike(keeper.evil()).await?;
    (undetected.seen)(&keeper.db).await?;
    let anew = evil::open(Arc::new(keeper.open(&keeper::passphrase()).await?)).await?;
    (undetected.seen)(&anew).await
}
