use crate::case::cases;
cases! { Model; }
