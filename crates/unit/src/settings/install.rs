//! `[Install]` (semantics 5.8).

use super::{Applied, Fault, Outcome};
use crate::model::InstallSection;
use crate::name::UnitName;
use crate::value::split_words;

pub(super) fn apply(install: &mut InstallSection, key: &str, value: &str) -> Outcome {
    let list = match key {
        "WantedBy" => &mut install.wanted_by,
        "RequiredBy" => &mut install.required_by,
        "UpheldBy" => &mut install.upheld_by,
        "Alias" => &mut install.alias,
        "Also" => &mut install.also,
        "DefaultInstance" => {
            let valid = value.is_empty() || UnitName::new(&format!("x@{value}.service")).is_ok();
            if !valid || value.contains('@') {
                return Err(Fault::at(
                    value,
                    format!("{} is no instance name", crate::syntax::shown(value)),
                ));
            }
            install.default_instance = (!value.is_empty()).then(|| value.to_owned());
            return Ok(Applied::Done);
        }
        _ => return Ok(Applied::Unknown),
    };
    if value.is_empty() {
        list.clear();
    }
    for word in split_words(value)? {
        list.push(UnitName::new(&word).map_err(|error| Fault::at(&word, error.to_string()))?);
    }
    Ok(Applied::Done)
}
