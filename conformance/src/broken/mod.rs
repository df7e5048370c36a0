//! Stores that are wrong on purpose: the suite must catch each.
