//! The interface `io.softboot.Manager`: calls, replies, errors, description.
//!
//! Names are the interface's own: a method is a variant of [`Request`], its parameters are the variant's fields in
//! camel case. Unknown parameters are ignored, so a newer client can talk to an older manager.

mod cycle;
mod description;
mod error;
mod graph;
mod parameters;
mod plan;
mod reply;
mod request;
mod suggest;

pub use cycle::*;
pub use description::{DESCRIPTION, introspect};
pub use error::{ApiError, MethodError};
pub use graph::*;
pub use parameters::*;
pub use plan::*;
pub use reply::*;
pub(crate) use request::parameter_of;
pub use request::{INTERFACE, Request};
pub use suggest::{glob_match, suggest};
