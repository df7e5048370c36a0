//! Runs the real command, as a user does.

mod deleting;
mod demo;
mod importing;
mod interrupting;
mod place;
mod reading;
mod wrong_use;
