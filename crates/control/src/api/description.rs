//! The interface as Varlink describes it, and the methods of `org.varlink.service`.

use serde_json::{Value, json};

use super::request::SERVICE;
use super::{INTERFACE, MethodError, Request};
use crate::systemd;

/// The description of `io.softboot.Manager`.
pub const DESCRIPTION: &str = include_str!("io.softboot.Manager.varlink");

/// The description of the interface every Varlink service has.
const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");

/// Answers `GetInfo` and `GetInterfaceDescription`.
pub fn introspect(request: &Request) -> Result<Value, MethodError> {
    match request {
        Request::GetInfo => {
            let mut interfaces = vec![SERVICE, INTERFACE];
            interfaces.extend(systemd::names());
            Ok(json!({
                "vendor": "softboot",
                "product": "softbootd",
                "version": env!("CARGO_PKG_VERSION"),
                "url": "",
                "interfaces": interfaces,
            }))
        }
        Request::GetInterfaceDescription { interface } if interface == INTERFACE => {
            Ok(json!({ "description": DESCRIPTION }))
        }
        Request::GetInterfaceDescription { interface } if interface == SERVICE => {
            Ok(json!({ "description": SERVICE_DESCRIPTION }))
        }
        Request::GetInterfaceDescription { interface } => match systemd::description(interface) {
            Some(description) => Ok(json!({ "description": description })),
            None => Err(MethodError::InterfaceNotFound {
                interface: interface.clone(),
            }),
        },
        other => Err(MethodError::MethodNotFound {
            method: other.to_call().0,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::METHODS;
    use super::super::{
        ChainLink, Cycle, CyclePhase, DroppedJob, EventReply, ExplainReply, InstalledJob, JobEvent,
        ManagerInfo, PlannedJob, Refusal, Setting, TimelineReply, TransientReply, TransientRequest,
        UnitCycle, UnitDetail, UnitInfo, UnitNode, UnitTimeline, UnitTimes,
    };
    use super::*;

    /// The text between the parentheses after `start`.
    fn fields(start: &str) -> Vec<String> {
        let after = DESCRIPTION.split_once(start).unwrap().1;
        let body = after.split_once('(').unwrap().1.split_once(')').unwrap().0;
        body.split(',')
            .map(|field| field.split(':').next().unwrap().trim().to_owned())
            .collect()
    }

    fn keys(value: &impl serde::Serialize) -> Vec<String> {
        serde_json::to_value(value)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    fn sorted(mut list: Vec<String>) -> Vec<String> {
        list.sort();
        list
    }

    #[test]
    fn the_description_has_every_method_and_no_other() {
        let described: Vec<String> = DESCRIPTION
            .lines()
            .filter_map(|line| line.strip_prefix("method "))
            .map(|line| line.split('(').next().unwrap().to_owned())
            .collect();
        assert_eq!(
            sorted(described),
            sorted(METHODS.iter().map(|m| (*m).to_owned()).collect())
        );
    }

    #[test]
    fn the_described_types_have_the_fields_of_the_real_ones() {
        assert_eq!(
            sorted(fields("type UnitInfo")),
            sorted(keys(&UnitInfo::default()))
        );
        assert_eq!(
            sorted(fields("type UnitDetail")),
            sorted(keys(&UnitDetail::default()))
        );
        assert_eq!(
            sorted(fields("method Describe() ->")),
            sorted(keys(&ManagerInfo::default()))
        );
        for (text, real) in [
            ("type UnitNode", keys(&UnitNode::default())),
            ("type ChainLink", keys(&ChainLink::default())),
            ("type InstalledJob", keys(&InstalledJob::default())),
            ("type PlannedJob", keys(&PlannedJob::default())),
            ("type DroppedJob", keys(&DroppedJob::default())),
            ("type Refusal", keys(&Refusal::default())),
            (
                "method Explain(name: string, job: string, mode: ?string) ->",
                keys(&ExplainReply::default()),
            ),
            ("type UnitTimes", keys(&UnitTimes::default())),
            ("type UnitTimeline", keys(&UnitTimeline::default())),
            ("type Cycle ", keys(&Cycle::default())),
            ("type CyclePhase", keys(&CyclePhase::default())),
            ("type UnitCycle", keys(&UnitCycle::default())),
            ("type Setting", keys(&Setting::default())),
            ("type JobEvent", keys(&JobEvent::default())),
            ("method Timeline() ->", keys(&TimelineReply::default())),
            ("method StartTransient", keys(&TransientRequest::default())),
            (
                "method Subscribe(units: ?[]string) ->",
                keys(&EventReply::default()),
            ),
        ] {
            assert_eq!(sorted(fields(text)), sorted(real), "{text}");
        }
        let transient = DESCRIPTION.split_once("method StartTransient").unwrap().1;
        let reply = transient
            .split_once(") -> (")
            .unwrap()
            .1
            .split_once(')')
            .unwrap()
            .0;
        let names: Vec<String> = reply
            .split(',')
            .map(|field| field.split(':').next().unwrap().trim().to_owned())
            .collect();
        assert_eq!(sorted(names), sorted(keys(&TransientReply::default())));
    }

    #[test]
    fn every_interface_that_is_named_is_described() {
        let info = introspect(&Request::GetInfo).unwrap();
        let interfaces = info["interfaces"].as_array().unwrap();
        assert_eq!(interfaces.len(), 5);
        for interface in interfaces {
            let interface = interface.as_str().unwrap().to_owned();
            let request = Request::GetInterfaceDescription {
                interface: interface.clone(),
            };
            let reply = introspect(&request).unwrap();
            let text = reply["description"].as_str().unwrap();
            assert!(text.contains(&format!("interface {interface}\n")), "{interface}");
        }
    }

    #[test]
    fn an_unknown_interface_is_not_described() {
        let request = Request::GetInterfaceDescription {
            interface: "x.y".to_owned(),
        };
        assert!(matches!(
            introspect(&request),
            Err(MethodError::InterfaceNotFound { .. })
        ));
    }
}
