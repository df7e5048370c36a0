//! How a message is shown to a person: one line.

use serde_json::Value;
use strongroom::matrix::{Message, relation};

use crate::{moment, text};

/// The columns of a list of messages.
pub(super) const HEADER: [&str; 4] = ["TIME", "SENDER", "MESSAGE", "EVENT"];

/// Characters of a message that are shown.
const SUMMARY_MAX: usize = 100;

/// One message in these columns.
pub(super) fn row(message: &Message) -> [String; 4] {
    [
        moment::show(message.timestamp),
        message.sender_key.to_string(),
        text::shorten(&summary(message), SUMMARY_MAX),
        message.message_id.to_string(),
    ]
}

fn summary(message: &Message) -> String {
    if message.redacted {
        return match &message.redaction_reason {
            Some(reason) => format!("(redacted: {reason})"),
            None => "(redacted)".to_owned(),
        };
    }
    let content: Value = message.content.parse().unwrap_or_default();
    let body = |content: &Value| content["body"].as_str().map(str::to_owned);
    let related = |how: &str| message.relates_to_type.as_deref() == Some(how);
    if related(relation::ANNOTATION) {
        return format!("({})", message.relation_key.as_deref().unwrap_or("reaction"));
    }
    if related(relation::REPLACE) {
        let new = body(&content["m.new_content"]).or_else(|| body(&content)).unwrap_or_default();
        return format!("(edit) {new}");
    }
    if let Some(body) = body(&content) {
        return body;
    }
    let detail = ["membership", "name", "topic", "alias", "reason"].iter().find_map(|key| content[key].as_str());
    match detail {
        Some(detail) => format!("({}) {detail}", message.event_type),
        None => format!("({})", message.event_type),
    }
}
