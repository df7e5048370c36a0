use proptest::prelude::*;

use super::*;

/// Gives at most a few bytes at a time, so that every value crosses the edge of a buffer somewhere.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.1);
        self.0.read(&mut buffer[..count])
    }
}

fn read_all(text: impl Into<Vec<u8>>, step: usize) -> (Batch, Result<(), ReadError>) {
    let (sender, mut receiver) = mpsc::channel(1);
    let input = Trickle(Cursor::new(text.into()), step);
    let reading = thread::spawn(move || read(input, sender));
    let mut items = Batch::new();
    let mut end = None;
    while let Some(message) = receiver.blocking_recv() {
        match message {
            Message::Batch(batch) => items.extend(batch),
            Message::End(result) => end = Some(result),
        }
    }
    reading.join().unwrap();
    (items, end.expect("the reader says how it ended"))
}

fn events(text: &str) -> Vec<(u64, String)> {
    let (items, end) = read_all(text, 7);
    end.unwrap();
    items.into_iter().map(|item| (item.position, item.json.unwrap())).collect()
}

fn syntax_error(text: &str) -> (usize, u64, u64, String) {
    let (items, end) = read_all(text, 7);
    match end {
        Err(ReadError::Syntax { line, byte, what }) => (items.len(), line, byte, what),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_of_an_export_keep_their_text() {
    let text = "\u{feff}{\n \"room_name\": \"a\\\"]}\",\n \"messages\": [\n  {\"type\": \"a\", \"x\": \"}],\\\\\"},\n  {\"b\":[{}]}\n ], \"end\": 1.5 }\n";
    let expected = [(1, r#"{"type": "a", "x": "}],\\"}"#.to_owned()), (2, r#"{"b":[{}]}"#.to_owned())];
    assert_eq!(events(text), expected);
}

#[test]
fn an_export_without_events_has_none() {
    assert_eq!(events("{\"messages\": [ ], \"a\": null}"), []);
    assert_eq!(events(""), []);
    assert_eq!(events(" \n\n"), []);
}

#[test]
fn lines_keep_their_numbers_and_blank_ones_are_passed() {
    let text = "\u{feff}{\"type\":\"a\"}\r\n\n  \n{\"type\":\"b\"\n{\"type\":\"c\"}";
    let expected = [(1, r#"{"type":"a"}"#), (4, r#"{"type":"b""#), (5, r#"{"type":"c"}"#)];
    assert_eq!(events(text), expected.map(|(position, json)| (position, json.to_owned())));
}

#[test]
fn a_malformed_element_is_one_item() {
    let text = r#"{"messages":[{"a":tru}, nonsense, "text", 12, {"b":1}]}"#;
    let found: Vec<String> = events(text).into_iter().map(|(_, json)| json).collect();
    assert_eq!(found, [r#"{"a":tru}"#, "nonsense", "\"text\"", "12", r#"{"b":1}"#]);
}

#[test]
fn a_truncated_export_gives_what_is_whole_and_says_where_it_broke() {
    let (events, line, byte, what) = syntax_error("{\"messages\":[\n{\"a\":1},\n{\"b\":\"x");
    assert_eq!((events, line, byte), (1, 3, 23));
    assert!(what.contains("never ends"), "{what}");
    let (events, line, _, what) = syntax_error("{\"messages\":[\n{\"a\":1}");
    assert_eq!((events, line), (1, 2));
    assert!(what.contains("it ends where"), "{what}");
}

#[test]
fn syntax_errors_name_their_place() {
    assert_eq!(syntax_error("{\"messages\":[{} {}]}").2, 16);
    assert_eq!(syntax_error("{\"messages\":[,]}").2, 13);
    assert_eq!(syntax_error("{\"messages\":[{},]}").2, 16);
    assert_eq!(syntax_error("{\"messages\":[]}\n{}").1, 2);
    assert_eq!(syntax_error("{\n\"room_name\"").2, 13);
    assert_eq!(syntax_error("{\n\"a\":1, b:2}").2, 9);
}

#[test]
fn another_object_is_neither_form() {
    for text in ["{\n\"rooms\":{}\n}", "{\n\"messages\":{}\n}"] {
        assert!(matches!(read_all(text, 7).1, Err(ReadError::NoEvents)), "{text}");
    }
}

#[test]
fn an_event_past_the_limit_fails_alone() {
    let long = "x".repeat(EVENT_BYTES_MAX);
    let in_export = format!("{{\"messages\":[{{\"a\":1}},{{\"a\":\"{long}\"}},{{\"a\":3}}]}}");
    let in_lines = format!("{{\"type\":1}}\n{{\"type\":\"{long}\"}}\n{{\"type\":3}}");
    for text in [in_export, in_lines] {
        let (items, end) = read_all(text, 50_000);
        end.unwrap();
        assert_eq!(items.iter().map(|item| item.position).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(items[1].json.as_ref().unwrap_err().contains("the limit is"), "{:?}", items[1].json);
        assert!(items[0].json.is_ok() && items[2].json.is_ok());
    }
}

#[test]
fn text_that_is_no_utf_8_fails_alone() {
    let (items, end) = read_all(b"{\"type\":\"\xFF\"}\n{\"type\":\"b\"}\n".as_slice(), 3);
    end.unwrap();
    assert_eq!(items[0].json, Err("is not UTF-8".to_owned()));
    assert!(items[1].json.is_ok());
}

#[test]
fn a_reader_whose_batches_nobody_takes_stops() {
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    read(Cursor::new("{\"type\":1}\n".repeat(5_000)), sender);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_element_comes_out_text_for_text(
        values in prop::collection::vec(json(), 0..8), pretty in any::<bool>(), step in 1_usize..40,
    ) {
        let write = |value: &serde_json::Value| {
            if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap()
        };
        let texts: Vec<String> = values.iter().map(write).collect();
        let export = format!("{{\"x\": [[]], \"messages\": [{}]}}", texts.join(" , "));
        let (items, end) = read_all(export, step);
        end.unwrap();
        let found: Vec<String> = items.into_iter().map(|item| item.json.unwrap()).collect();
        prop_assert_eq!(found, texts);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1_usize..40) {
        let _ = read_all(bytes, step);
    }

    #[test]
    fn no_brackets_make_it_panic(text in r#"[\{\}\[\],:"\\a \n]{0,40}"#, step in 1_usize..40) {
        let _ = read_all(format!("{{\"messages\":[{text}"), step);
    }
}
