//! An observed store is the store: every method keeps its promise, to the letter.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom::memory::{Memory, MemoryOptions};
use strongroom::observe::Observed;
use strongroom::store::Store;
use strongroom::{Error, ErrorKind, Result};
use strongroom_conformance::{Can, Capability, Factory, Group, Options, Outcome, Place, Settings, groups, run_case};

#[derive(Debug)]
struct ObservedMemory;

#[async_trait]
impl Factory for ObservedMemory {
    fn name(&self) -> &'static str {
        "observed"
    }

    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Open | Capability::Compact => Can::Yes,
            _ => Can::No("nothing outlives the process".into()),
        }
    }

    async fn open(&self, _: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let (limits, clock) = (settings.limits, settings.clock.clone());
        Ok(Arc::new(Observed::new(Memory::with_options(MemoryOptions { limits, clock }), "backend")))
    }

    async fn reopen(&self, _: &Place, _: &Settings) -> Result<Arc<dyn Store>> {
        Err(Error::new(ErrorKind::Unsupported, "nothing outlives the process"))
    }

    async fn destroy(&self, _: &Place) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_observed_store_keeps_every_promise() {
    let factory: Arc<dyn Factory> = Arc::new(ObservedMemory);
    let (mut passed, mut failed) = (0, Vec::new());
    for case in groups::all().into_iter().filter(|case| [Group::Semantics, Group::Behaviours].contains(&case.group)) {
        match run_case(&case, &factory, &Options::default()).outcome {
            Outcome::Pass => passed += 1,
            Outcome::NotApplicable(_) => {}
            outcome => failed.push(format!("{}: {outcome}", case.name)),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(passed > 100, "{passed}");
}
