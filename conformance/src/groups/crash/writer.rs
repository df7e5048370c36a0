//! A child that makes the steps of a history until it is struck, and the parent that knows what must be left.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_core::ErrorKind;
use strongroom_core::store::{Revision, Store};

use super::blow::{BEGIN, Blow, END, argument, end, heard, pause, told};
use super::history::{History, Style};
use super::ledger::{Kept, Ledger};
use super::random::Random;
use crate::child::Work;
use crate::{Checked, Child, Context, Failure, Place, Settings, ensure_eq};

/// Strikes that one store goes through before a new one takes its place.
const ROUNDS_A_STORE: usize = 20;
/// What a call takes where none was measured.
const USUAL: Duration = Duration::from_millis(2);
/// Snapshots that a child holds.
const SNAPSHOTS: usize = 8;
/// Before the line that acknowledges a call.
const DID: &str = "did ";
/// Before the line that says that a call surely did not happen.
const REFUSED: &str = "refused ";
/// Before the line that says that nobody knows.
const UNKNOWN: &str = "unknown ";

/// The child's side: its history, and where in it it is.
pub(super) struct Writer<'w> {
    work: &'w Work,
    history: History,
    next: u32,
}

impl<'w> Writer<'w> {
    pub(super) fn new(work: &'w Work, style: Style) -> Self {
        let (seed, next) = told(work);
        Writer { work, history: History::new(seed, style, &work.settings.limits), next }
    }

    /// Makes the next call and acknowledges it.
    pub(super) async fn call(&mut self, store: &dyn Store) -> Checked {
        Ok(self.attempt(store).await??)
    }

    /// Makes the next call and acknowledges it, or says what is known of it and gives the store's error.
    async fn attempt(&mut self, store: &dyn Store) -> Checked<strongroom_core::Result<()>> {
        let first = self.next;
        let numbers = self.history.call(first);
        self.next += numbers.len() as u32;
        match self.history.make(store, &numbers).await {
            Ok(revisions) => {
                let revisions: Vec<_> = revisions.iter().map(Revision::to_string).collect();
                self.work.say(format_args!("{DID}{first} {}", revisions.join(" ")))?;
                Ok(Ok(()))
            }
            Err(error) => {
                let known = if error.kind() == ErrorKind::CommitUnknown { UNKNOWN } else { REFUSED };
                self.work.say(format_args!("{known}{first}"))?;
                Ok(Err(error))
            }
        }
    }

    /// Says that what is to be struck begins, does it, and says that it ended.
    pub(super) async fn within<T>(&self, what: impl Future<Output = strongroom_core::Result<T>>) -> Checked<T> {
        self.work.say(BEGIN)?;
        let done = what.await?;
        self.work.say(END)?;
        Ok(done)
    }
}

/// Makes steps until the process ends.
pub(super) async fn write(work: Work, style: Style) -> Checked {
    let store = work.reopen().await?;
    let mut writer = Writer::new(&work, style);
    loop {
        writer.call(&*store).await?;
    }
}

/// As [`write`], with snapshots held open.
pub(super) async fn write_beside_snapshots(work: Work) -> Checked {
    let store = work.reopen().await?;
    let mut writer = Writer::new(&work, Style::Rows);
    let mut held = VecDeque::new();
    loop {
        held.push_back(store.snapshot().await?);
        if held.len() > SNAPSHOTS {
            held.pop_front();
        }
        writer.call(&*store).await?;
    }
}

/// As [`write`], on a medium that may fail: goes on with the store, or with the store opened again.
pub(super) async fn write_on(work: Work) -> Checked {
    let mut store = work.reopen().await?;
    let mut writer = Writer::new(&work, Style::Rows);
    loop {
        if writer.attempt(&*store).await?.is_err() && writer.attempt(&*store).await?.is_err() {
            store.close().await.ok();
            store = work.reopen().await?;
        }
    }
}

/// What a line of a child was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Acknowledged,
    Failed,
    Else,
}

/// The parent's side: a store that is closed while a child works on it, and what is known of it.
pub(super) struct Struck<'c> {
    pub(super) context: &'c Context,
    pub(super) place: Place,
    pub(super) settings: Settings,
    /// None while only a child has it open.
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) ledger: Ledger,
    pub(super) random: Random,
    pub(super) blow: Blow,
    seed: u32,
}

impl<'c> Struck<'c> {
    /// At a place where there is no store yet; `number` makes it another history.
    pub(super) fn nowhere(context: &'c Context, blow: Blow, style: Style, number: usize) -> Self {
        let (place, settings) = (context.place(), Settings::new(context.limits()));
        let mut random = Random::new(context.seed(), number as u64);
        let seed = random.next() as u32;
        let ledger = Ledger::new(History::new(seed, style, &settings.limits));
        Struck { context, place, settings, store: None, ledger, random, blow, seed }
    }

    /// With a new store.
    pub(super) async fn new(context: &'c Context, blow: Blow, style: Style, number: usize) -> Checked<Self> {
        let mut struck = Struck::nowhere(context, blow, style, number);
        let store = context.factory().open(&struck.place, &struck.settings).await?;
        struck.ledger.go_on(&*store).await?;
        struck.store = Some(store);
        Ok(struck)
    }

    /// Closes the store, if it is open, and starts a child on its place.
    pub(super) async fn start(&mut self, role: &str) -> Checked<Child> {
        self.close().await?;
        let start = self.ledger.next_call()[0];
        Child::start(self.context, role, &self.place, argument(self.seed, start))
    }

    pub(super) async fn close(&mut self) -> Checked {
        match self.store.take() {
            Some(store) => Ok(store.close().await?),
            None => Ok(()),
        }
    }

    /// Takes down what a line says of the next call.
    pub(super) fn take_down(&mut self, line: &str) -> Checked<Heard> {
        let words = [DID, REFUSED, UNKNOWN].into_iter().find_map(|word| Some((word, line.strip_prefix(word)?)));
        let Some((word, numbers)) = words else { return Ok(Heard::Else) };
        let numbers = numbers.split(' ').map(|number| number.parse().map_err(|_| Failure::new(line)));
        let numbers: Vec<u64> = numbers.collect::<Checked<_>>()?;
        let call = self.ledger.next_call();
        ensure_eq!(Some(&u64::from(call[0])), numbers.first(), "the call that the child made");
        match word {
            DID => {
                let revisions: Vec<_> = numbers[1..].iter().copied().map(Revision).collect();
                self.ledger.acknowledged(&call, &revisions)?;
                self.context.count("acknowledged", revisions.len() as u64);
                return Ok(Heard::Acknowledged);
            }
            REFUSED => self.ledger.refused(&call),
            _ => self.ledger.unknown(call),
        }
        Ok(Heard::Failed)
    }

    /// Listens until the child has acknowledged so many calls; gives what one took.
    pub(super) fn listen(&mut self, child: &mut Child, calls: u64) -> Checked<Duration> {
        let mut began = None;
        for _ in 0..calls {
            while self.take_down(&heard(child)?)? != Heard::Acknowledged {}
            began.get_or_insert_with(Instant::now);
        }
        let between = began.filter(|_| calls > 1).map(|began| began.elapsed() / (calls - 1) as u32);
        Ok(between.unwrap_or(USUAL))
    }

    /// Listens until the child says this word.
    pub(super) fn hear(&mut self, child: &mut Child, word: &str) -> Checked {
        loop {
            let line = heard(child)?;
            if self.take_down(&line)? == Heard::Else && line == word {
                return Ok(());
            }
        }
    }

    /// Strikes the child, of which the next call may be under way; gives what it said that acknowledges nothing.
    pub(super) async fn strike(&mut self, child: &mut Child) -> Checked<Vec<String>> {
        let (_, rest) = self.blow.strike(self.context, &self.place, child, &mut self.random).await?;
        self.take_down_rest(rest)
    }

    /// Ends a child that was only to show how long something takes: that is no blow.
    pub(super) fn let_go(&mut self, child: &mut Child) -> Checked {
        let (_, rest) = end(child)?;
        self.take_down_rest(rest).map(drop)
    }

    fn take_down_rest(&mut self, rest: Vec<String>) -> Checked<Vec<String>> {
        let mut others = Vec::new();
        for line in rest {
            if self.take_down(&line)? == Heard::Else {
                others.push(line);
            }
        }
        self.ledger.unknown(self.ledger.next_call());
        Ok(others)
    }

    /// Opens the store again and checks what is left.
    pub(super) async fn check(&mut self) -> Checked {
        let store = self.context.factory().reopen(&self.place, &self.settings).await?;
        self.check_in(store).await
    }

    /// As [`check`](Self::check), of a store that has been opened.
    pub(super) async fn check_in(&mut self, store: Arc<dyn Store>) -> Checked {
        let kept = self.blow.kept(&*store);
        self.ledger.check(&*store, kept).await?;
        if kept == Kept::All {
            self.context.count("lost", 0);
        }
        self.store = Some(store);
        Ok(())
    }
}

/// Goes through the rounds of a case, on a new store now and then.
pub(super) async fn rounds(
    context: &Context,
    blow: Blow,
    style: Style,
    mut round: impl AsyncFnMut(&mut Struck<'_>) -> Checked,
) -> Checked {
    let count = blow.rounds(context);
    for first in (0..count).step_by(ROUNDS_A_STORE) {
        let mut struck = Struck::new(context, blow, style, first).await?;
        for number in first..count.min(first + ROUNDS_A_STORE) {
            round(&mut struck).await.map_err(|failure| struck.ledger.in_round(number, &failure))?;
        }
        struck.close().await?;
    }
    Ok(())
}

/// Strikes a child of this role after some acknowledgements, again and again.
pub(super) async fn struck_at_work(context: &Context, blow: Blow, role: &str, style: Style) -> Checked {
    rounds(context, blow, style, async |struck| {
        let mut child = struck.start(role).await?;
        let calls = 1 + struck.random.below(8);
        let usual = struck.listen(&mut child, calls)?;
        pause(usual, &mut struck.random);
        struck.strike(&mut child).await?;
        struck.check().await
    })
    .await
}
