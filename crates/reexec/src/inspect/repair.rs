//! What can be read of a JSON text that ends too early.

use serde_json::Value;

/// The value that the text begins with, up to the last member or element that is whole. `None` if not even an opening
/// bracket is there.
pub(super) fn longest(text: &[u8]) -> Option<Value> {
    let end = last_safe(text)?;
    let mut whole = text.get(..end)?.to_vec();
    whole.extend(open(&whole).iter().rev());
    serde_json::from_slice(&whole).ok()
}

/// The end of the longest beginning to which only closing brackets are missing.
fn last_safe(text: &[u8]) -> Option<usize> {
    let mut safe = None;
    scan(text, |at, byte| match byte {
        // Before it a member or an element ends.
        b',' => safe = Some(at),
        b'{' | b'[' | b'}' | b']' => safe = Some(at.saturating_add(1)),
        _ => {}
    });
    safe
}

/// The brackets that would close the open ones, in the order in which those were opened.
fn open(text: &[u8]) -> Vec<u8> {
    let mut open = Vec::new();
    scan(text, |_, byte| match byte {
        b'{' => open.push(b'}'),
        b'[' => open.push(b']'),
        b'}' | b']' => {
            open.pop();
        }
        _ => {}
    });
    open
}

/// Every byte that is in no string, with its place.
fn scan(text: &[u8], mut see: impl FnMut(usize, u8)) {
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in text.iter().copied().enumerate() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, byte) => see(at, byte),
            (true, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z\\\\\"{}\\[\\],:é]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\",{]{0,4}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Everything in `part` is in `whole`, at the same place.
    fn within(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Object(part), Value::Object(whole)) => part
                .iter()
                .all(|(key, value)| whole.get(key).is_some_and(|other| within(value, other))),
            (Value::Array(part), Value::Array(whole)) => {
                part.len() <= whole.len() && part.iter().zip(whole).all(|(a, b)| within(a, b))
            }
            (part, whole) => part == whole,
        }
    }

    proptest! {
        #[test]
        fn whatever_is_cut_off_the_rest_is_read_and_nothing_is_made_up(value in any_value()) {
            let text = value.to_string();
            for cut in 0..=text.len() {
                if let Some(read) = longest(&text.as_bytes()[..cut]) {
                    prop_assert!(within(&read, &value), "{read} of {value}");
                } else {
                    prop_assert!(!matches!(text.as_bytes().first(), Some(b'{' | b'[')) || cut == 0, "{}", &text);
                }
            }
        }
    }

    #[test]
    fn the_elements_before_the_cut_are_there() {
        assert_eq!(
            longest(br#"{"a":[1,{"b":"x"},{"c":"y,"#),
            Some(json!({"a": [1, {"b": "x"}, {}]}))
        );
        assert_eq!(longest(br#"{"a":1,"b":2"#), Some(json!({"a": 1})));
        assert_eq!(longest(b"12"), None);
    }
}
