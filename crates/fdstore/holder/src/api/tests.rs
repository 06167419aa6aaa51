use super::request::METHODS;
use super::*;
use serde_json::{Value, json};

#[test]
fn owners_are_users_in_one_form_only() {
    assert_eq!(uid_of(&owner_of(1000)), Some(1000));
    for bad in [
        "",
        "uid:",
        "uid:+1",
        "uid:01",
        "uid:-1",
        "root",
        "uid:4294967296",
        "*",
    ] {
        assert_eq!(uid_of(bad), None, "{bad:?}");
    }
}

#[test]
fn the_descriptions_have_every_method_and_no_other() {
    let mut described: Vec<String> = [(SERVICE, SERVICE_DESCRIPTION), (INTERFACE, DESCRIPTION)]
        .iter()
        .flat_map(|(interface, text)| {
            text.lines()
                .filter_map(|line| line.strip_prefix("method "))
                .map(move |line| format!("{interface}.{}", line.split('(').next().unwrap()))
        })
        .collect();
    let mut known: Vec<String> = METHODS.iter().map(|method| (*method).to_owned()).collect();
    described.sort();
    known.sort();
    assert_eq!(described, known);
}

#[test]
fn calls_survive_the_wire() {
    let calls = [
        Request::GetInfo {},
        Request::Put {
            entries: vec![NewEntry {
                name: "x".to_owned(),
                expires_in_usec: Some(5),
                ..NewEntry::default()
            }],
            owner: None,
        },
        Request::Get {
            names: Some(vec!["a".to_owned()]),
            ids: None,
            take: Some(true),
            owner: Some("uid:7".to_owned()),
        },
        Request::Watch {
            patterns: None,
            owner: None,
        },
        Request::Upgrade {},
    ];
    for call in calls {
        let (method, parameters) = call.to_call();
        assert_eq!(Request::decode(&method, parameters), Ok(call));
    }
}

#[test]
fn wrong_calls_are_told_apart() {
    let decode = |method: &str, parameters| Request::decode(method, parameters).unwrap_err().to_wire().0;
    assert_eq!(
        decode("io.softboot.FdStore.Fetch", json!({})),
        "org.varlink.service.MethodNotFound"
    );
    assert_eq!(
        decode("a.b.C", json!({})),
        "org.varlink.service.InterfaceNotFound"
    );
    assert_eq!(decode("", json!({})), "org.varlink.service.InterfaceNotFound");
    for parameters in [json!({"owner": 7}), json!([]), json!("x"), json!({"nmaes": []})] {
        assert_eq!(
            decode("io.softboot.FdStore.List", parameters),
            "org.varlink.service.InvalidParameter"
        );
    }
    assert!(Request::decode("io.softboot.FdStore.List", Value::Null).is_ok());
}

#[test]
fn errors_survive_the_wire() {
    let errors = [
        ApiError::NoSuchEntry { name: "x".to_owned() },
        ApiError::ExpectedMore {},
        ApiError::parameter("a", "b"),
    ];
    for error in errors {
        let (name, parameters) = error.to_wire();
        assert!(name.contains('.'), "{name}");
        assert_eq!(ApiError::from_wire(&name, &parameters), Some(error));
    }
    assert_eq!(ApiError::from_wire("a.b.C", &Value::Null), None);
}
