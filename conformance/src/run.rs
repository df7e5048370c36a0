//! Running one case on one stack.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use strongroom_core::{ErrorKind, Result as Stored};

use crate::{Can, Capability, Case, Checked, Context, Effort, Factory, Failure, Figures, Group, child};

/// How cases are run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What random choices follow from: the same seed makes the same choices.
    pub seed: u64,
    /// How much work the random cases do.
    pub effort: Effort,
    /// After this a case counts as hung, and as failed.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { seed: 0, effort: Effort::default(), patience: Duration::from_secs(600) }
    }
}

/// What became of a case on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The promise is kept.
    Pass,
    /// It is not: why.
    Fail(String),
    /// The stack declares that it cannot, for this reason, and says so when asked.
    NotApplicable(String),
    /// This machine lacks what it takes: the reason, with the command that would provide it.
    Skip(String),
}

impl Outcome {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::NotApplicable(_) => "n/a",
            Outcome::Skip(_) => "skip",
        }
    }

    /// Why, unless it passed.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Outcome::Pass => None,
            Outcome::Fail(reason) | Outcome::NotApplicable(reason) | Outcome::Skip(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str(self.name()),
            Some(reason) => write!(f, "{}: {reason}", self.name()),
        }
    }
}

/// A case that was run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What it is about.
    pub group: Group,
    /// The case.
    pub name: &'static str,
    /// The stack that it ran on.
    pub stack: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What it did, if it passed.
    pub figures: Figures,
    /// How long it took.
    pub seconds: f64,
}

/// Runs one case on a store of its own, in a thread of its own.
pub fn run_case(case: &Case, factory: &Arc<dyn Factory>, options: &Options) -> Finished {
    let began = Instant::now();
    let (outcome, figures) = outcome(*case, factory, options);
    let stack = factory.name().to_owned();
    let seconds = began.elapsed().as_secs_f64();
    Finished { group: case.group, name: case.name, stack, outcome, figures, seconds }
}

fn outcome(case: Case, factory: &Arc<dyn Factory>, options: &Options) -> (Outcome, Figures) {
    let without = |outcome| (outcome, Figures::default());
    for need in [Capability::Open].iter().chain(case.group.needs()).chain(case.needs) {
        match factory.can(*need) {
            Can::Yes => {}
            Can::Missing(reason) => return without(Outcome::Skip(reason)),
            Can::No(reason) => {
                let need = *need;
                let refused = guarded(factory, options, &[], move |context| Box::pin(refuses(context, need)));
                return without(match refused {
                    Ok(_) => Outcome::NotApplicable(reason.into_owned()),
                    Err(failure) => Outcome::Fail(format!("it declares that it cannot ({reason}), but {failure}")),
                });
            }
        }
    }
    match guarded(factory, options, case.needs, case.run) {
        Ok(figures) => (Outcome::Pass, figures),
        Err(failure) => without(Outcome::Fail(failure)),
    }
}

/// Runs a case in a thread of its own, and gives up on it when the patience ends: a store that hangs fails.
fn guarded<F>(
    factory: &Arc<dyn Factory>,
    options: &Options,
    needs: &'static [Capability],
    run: F,
) -> Result<Figures, String>
where
    F: FnOnce(Context) -> futures_util::future::LocalBoxFuture<'static, Checked> + Send + 'static,
{
    let (factory, options) = (factory.clone(), *options);
    let (send, receive) = mpsc::channel();
    let spawned = thread::Builder::new().name("case".to_owned()).spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let context = Context::new(factory, needs, options.seed, options.effort);
                let context = context.map_err(|failure| failure.to_string())?;
                let checked = run(context.clone()).await;
                context.clean_up().await;
                checked.map(|()| context.figures()).map_err(|failure| failure.to_string())
            })
        }));
        // Nobody listens once the patience has ended.
        send.send(result.unwrap_or_else(|panic| Err(format!("it panicked: {}", text(&*panic))))).ok();
    });
    if let Err(error) = spawned {
        return Err(error.to_string());
    }
    let seconds = options.patience.as_secs();
    receive.recv_timeout(options.patience).unwrap_or_else(|_| Err(format!("it has not ended after {seconds} seconds")))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// What a stack declares that it cannot do must answer `Unsupported`.
async fn refuses(context: Context, capability: Capability) -> Checked {
    let factory = context.factory();
    let answer: Stored<()> = match capability {
        Capability::Open => {
            let (place, settings) = (context.place(), crate::Settings::new(context.limits()));
            factory.open(&place, &settings).await.map(drop)
        }
        Capability::Processes => {
            let site = context.open().await?;
            site.store.close().await?;
            return child::refuses_to_open(&context, &site.place);
        }
        Capability::Reopen => {
            let site = context.open().await?;
            site.store.close().await?;
            context.reopen(&site.place, &site.settings).await.map(drop)
        }
        Capability::Share => {
            let site = context.open().await?;
            return match site.second().await {
                // An exclusive store says that it is busy; one that nothing outlives cannot be asked.
                Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unsupported) => Ok(()),
                other => Err(Failure::new(format!("a second opener met {:?}", other.map(drop)))),
            };
        }
        Capability::Files => {
            let site = context.open().await?;
            site.store.close().await?;
            return match site.place.files()?.len() {
                0 => Ok(()),
                files => Err(Failure::new(format!("there are {files} files of the place"))),
            };
        }
        Capability::Compact => context.open().await?.store.compact().await.map(drop),
        #[cfg(feature = "media")]
        Capability::Objects => factory.objects(&context.place()).await.map(drop),
        #[cfg(feature = "media")]
        Capability::ObjectFiles => bare_files(&context).await,
        Capability::Crash => factory.crash(&context.open().await?.place, context.seed()).await,
        Capability::Inject => factory.inject(&context.open().await?.place, crate::Fault::None).await,
        Capability::Tamper => {
            let site = context.open().await?;
            site.store.close().await?;
            factory.tamper(&site.place, &crate::Damage::Newer).await
        }
    };
    match answer {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(Failure::new(format!("{capability:?} answered {:?}: {error}", error.kind()))),
        Ok(()) => Err(Failure::new(format!("{capability:?} succeeded"))),
    }
}

/// Whether an object is a file of its name and content: else `Unsupported`.
#[cfg(feature = "media")]
async fn bare_files(context: &Context) -> Stored<()> {
    use strongroom_objects::object_store::{ObjectStoreExt, path::Path};

    let place = context.place();
    let put = context.factory().objects(&place).await?.put(&Path::from("probe"), "bare".into()).await;
    put.map_err(strongroom_core::Error::application)?;
    match std::fs::read(place.objects().join("probe")) {
        Ok(bytes) if bytes == b"bare" => Ok(()),
        _ => Err(strongroom_core::Error::new(ErrorKind::Unsupported, "the objects are no bare files")),
    }
}
