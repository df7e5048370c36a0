//! Encrypted objects from outside: what an object store must do, what is refused, and what is asked of the store below.

mod attacks;
mod belonging;
mod copies;
mod golden;
mod listings;
mod over;
mod plain;
mod requests;
mod streams;
mod suite;
mod support;
mod uploads;
mod watched;
