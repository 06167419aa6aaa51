//! What a newer program wrote and this one does not know: kept, and passed on to the next.
//!
//! A program that reads a snapshot of another version takes what it knows. What is left over ([`residue`]) it keeps as it
//! is, and puts it back into the snapshot that it writes itself ([`graft`]). So state survives a downgrade and the way
//! back. Lists are matched by the member `name` of their elements; what belonged to an element that is gone goes with it.

use serde_json::{Map, Value};

/// The member by which elements of a list are the same.
const KEY: &str = "name";

/// What `original` has and `known` has not; `None` when that is nothing.
pub fn residue(original: &Value, known: &Value) -> Option<Value> {
    match (original, known) {
        (Value::Object(original), Value::Object(known)) => {
            let left: Map<String, Value> = original
                .iter()
                .filter_map(|(name, value)| {
                    let left = match known.get(name) {
                        Some(known) => residue(value, known)?,
                        None => value.clone(),
                    };
                    Some((name.clone(), left))
                })
                .collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        (Value::Array(original), Value::Array(known)) => {
            let left: Vec<Value> = original
                .iter()
                .filter_map(|element| {
                    let name = element.get(KEY)?;
                    let same = known.iter().find(|known| known.get(KEY) == Some(name))?;
                    let Some(Value::Object(mut left)) = residue(element, same) else {
                        return None;
                    };
                    left.insert(KEY.to_owned(), name.clone());
                    Some(Value::Object(left))
                })
                .collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        _ => None,
    }
}

/// Puts a residue back. What `known` has wins.
pub fn graft(known: &mut Value, residue: &Value) {
    match (known, residue) {
        (Value::Object(known), Value::Object(residue)) => {
            for (name, left) in residue {
                match known.get_mut(name) {
                    Some(value) => graft(value, left),
                    None => drop(known.insert(name.clone(), left.clone())),
                }
            }
        }
        (Value::Array(known), Value::Array(residue)) => {
            for left in residue {
                let name = left.get(KEY);
                let same = known
                    .iter_mut()
                    .find(|known| name.is_some() && known.get(KEY) == name);
                if let Some(same) = same {
                    graft(same, left);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_comes_back_where_it_was() {
        let newer = json!({
            "engine": {"units": [
                {"name": "a", "on": true, "mood": "good"},
                {"name": "b", "on": false},
                {"name": "c", "mood": "bad"},
            ], "weather": [1, 2]},
            "manager": {"clients": 3},
        });
        let known = json!({
            "engine": {"units": [{"name": "a", "on": true}, {"name": "b", "on": false}, {"name": "c"}]},
            "manager": {"clients": 3},
        });
        let left = residue(&newer, &known).unwrap();
        assert_eq!(
            left,
            json!({"engine": {"units": [{"name": "a", "mood": "good"}, {"name": "c", "mood": "bad"}],
                              "weather": [1, 2]}})
        );
        // Time goes by: b is new in another way, c is gone, d is there.
        let mut later = json!({
            "engine": {"units": [{"name": "d"}, {"name": "b", "on": true}, {"name": "a"}]},
            "manager": {"clients": 4},
        });
        graft(&mut later, &left);
        assert_eq!(
            later,
            json!({
                "engine": {"units": [{"name": "d"}, {"name": "b", "on": true}, {"name": "a", "mood": "good"}],
                           "weather": [1, 2]},
                "manager": {"clients": 4},
            })
        );
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::btree_map("[a-d]", inner.clone(), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
                proptest::collection::vec(inner, 0..3).prop_map(Value::from),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_is_left_of_what_is_known(value in tree()) {
            prop_assert_eq!(residue(&value, &value), None);
        }

        #[test]
        fn what_is_known_is_never_changed(value in tree(), left in tree()) {
            let mut grafted = value.clone();
            graft(&mut grafted, &left);
            if let (Value::Object(before), Value::Object(after)) = (&value, &grafted) {
                for (name, member) in before {
                    if !member.is_object() && !member.is_array() {
                        prop_assert_eq!(after.get(name), Some(member));
                    }
                }
            } else {
                prop_assert!(value.is_object() || value.is_array() || grafted == value);
            }
        }
    }
}
