use crate::case::cases;
cases! { Isolation; }
