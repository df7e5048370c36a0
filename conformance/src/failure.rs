//! Why a case failed, and the checks that say so.

use std::fmt;
use std::panic::Location;

use strongroom_core::Error;

/// What a case comes to.
pub type Checked<T = ()> = Result<T, Failure>;

/// Why a case failed, and where in the suite.
#[derive(Debug)]
pub struct Failure {
    message: String,
    place: &'static Location<'static>,
}

impl Failure {
    /// A failure at the caller's place.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), place: Location::caller() }
    }
}

/// A call that had to succeed did not.
impl From<Error> for Failure {
    #[track_caller]
    fn from(error: Error) -> Self {
        Failure::new(format!("{:?}: {error}", error.kind()))
    }
}

impl From<std::io::Error> for Failure {
    #[track_caller]
    fn from(error: std::io::Error) -> Self {
        Failure::new(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.message, self.place.file(), self.place.line())
    }
}

impl std::error::Error for Failure {}

/// Ends the case unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        $crate::ensure!($condition, "{}", stringify!($condition))
    };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($message)+)).into());
        }
    };
}

/// Ends the case unless both are equal; shows them.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr $(,)?) => {
        $crate::ensure_eq!($left, $right, "{}", stringify!($left))
    };
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => if !(*left == *right) {
                let message = format!($($message)+);
                return Err($crate::Failure::new(format!("{message}: {left:?}, expected {right:?}")).into());
            }
        }
    };
}

/// Ends the case unless the result is an error of this kind; gives the error.
#[macro_export]
macro_rules! ensure_kind {
    ($result:expr, $kind:pat $(,)?) => {
        match $result {
            Err(error) if matches!(error.kind(), $kind) => error,
            Err(error) => {
                let message = format!("{:?} instead of {}: {error}", error.kind(), stringify!($kind));
                return Err($crate::Failure::new(message).into());
            }
            Ok(_) => {
                let message = format!("{} succeeded instead of {}", stringify!($result), stringify!($kind));
                return Err($crate::Failure::new(message).into());
            }
        }
    };
}
