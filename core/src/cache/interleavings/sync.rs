//! The primitives that the rule is built on here: at each use, the scheduler may let another thread go on.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
pub(super) use std::sync::atomic::Ordering;
use std::sync::{LockResult, PoisonError, atomic};

use shuttle::sync::atomic::AtomicBool;

thread_local! {
    /// Whether a use of an atomic is a step. It need not be one where no thread changes what another one looks at.
    static ATOMICS: Cell<bool> = const { Cell::new(true) };
}

/// Runs an exploration in which the uses of locks alone are steps.
pub(super) fn locks_alone(explore: impl FnOnce()) {
    ATOMICS.set(false);
    let explored = std::panic::catch_unwind(std::panic::AssertUnwindSafe(explore));
    ATOMICS.set(true);
    if let Err(panic) = explored {
        std::panic::resume_unwind(panic);
    }
}

/// Another thread may go on here. (`yield_now` would say that it should.)
fn switch() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

pub(super) fn step() {
    if ATOMICS.get() {
        switch();
    }
}

/// The scheduler's own is a step when it is let go, not before it is taken; and where locks alone are steps, what happens
/// under one is one step.
#[derive(Default)]
pub(super) struct Mutex<T> {
    turn: shuttle::sync::Mutex<()>,
    value: std::sync::Mutex<T>,
}

/// Fields are dropped in this order.
pub(super) struct MutexGuard<'m, T> {
    value: std::sync::MutexGuard<'m, T>,
    _turn: Option<shuttle::sync::MutexGuard<'m, ()>>,
}

impl<T> Mutex<T> {
    pub(super) fn new(value: T) -> Self {
        Mutex { turn: shuttle::sync::Mutex::new(()), value: std::sync::Mutex::new(value) }
    }

    pub(super) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        switch();
        let turn = ATOMICS.get().then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard { value, _turn: turn })
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

macro_rules! atomic {
    ($name:ident($value:ty): $($method:ident)*) => {
        pub(super) struct $name(atomic::$name);

        impl $name {
            pub(super) const fn new(value: $value) -> Self {
                $name(atomic::$name::new(value))
            }

            pub(super) fn load(&self, ordering: Ordering) -> $value {
                step();
                self.0.load(ordering)
            }

            $(pub(super) fn $method(&self, value: $value, ordering: Ordering) -> $value {
                step();
                self.0.$method(value, ordering)
            })*
        }
    };
}

atomic!(AtomicU64(u64): fetch_add fetch_max);
atomic!(AtomicUsize(usize): fetch_add fetch_sub);
