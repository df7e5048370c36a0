//! The documentation of what the derive writes.

use syn::ext::IdentExt;

use crate::model::{Component, Index, Values};

/// Of the function `key`.
pub(crate) fn key(name: &str) -> String {
    format!("The key of the record of `{name}` with these components.")
}

/// Of the constant `PRIMARY`.
pub(crate) fn primary(name: &str, key: &[Component<'_>]) -> String {
    format!("All records of `{name}`, by {}.", listed(key))
}

/// Of the constant `EXPIRY`.
pub(crate) fn expiry(name: &str, field: &str) -> String {
    format!("The records of `{name}` that expire, by `{field}` (ordered).")
}

/// Of an index's constant.
pub(crate) fn index(index: &Index<'_>) -> String {
    let mut text = format!("The index `{}`: by {}", index.name.value(), listed(&index.components));
    if index.unique {
        text.push_str("; unique");
    }
    if let Some(field) = index.while_absent {
        text.push_str(&format!("; only while `{}` is absent", field.unraw()));
    }
    text.push('.');
    text
}

fn listed(components: &[Component<'_>]) -> String {
    components.iter().map(described).collect::<Vec<_>>().join(", then ")
}

fn described(component: &Component<'_>) -> String {
    let each = if matches!(component.values, Values::Many { .. }) { "each of " } else { "" };
    let ordered = if component.ordered { " (ordered)" } else { "" };
    format!("{each}`{}`{ordered}", component.field.unraw())
}
