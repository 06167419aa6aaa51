//! `[Socket]`: options of the sockets themselves (semantics 1.5).

use super::unit::from_word;
use super::{Applied, Fault, Outcome};
use crate::model::{SocketOptions, Timestamping};
use crate::value::{boolean, integer, time};

pub(super) fn apply(options: &mut SocketOptions, key: &str, value: &str) -> Outcome {
    match key {
        "SocketProtocol" => {
            options.protocol = match value {
                "" => None,
                value => Some(from_word(value, "protocol; expected udplite, sctp or mptcp")?),
            }
        }
        "BindToDevice" => {
            // IFNAMSIZ has 16 bytes with its NUL.
            let valid = value.len() < 16 && !value.contains(['/', ' ', '\t']);
            if !valid {
                return Err(Fault::at(
                    value,
                    "expected an interface's name of at most 15 bytes",
                ));
            }
            options.bind_to_device = (!value.is_empty()).then(|| value.to_owned());
        }
        "Transparent" => options.transparent = boolean(value)?,
        "Broadcast" => options.broadcast = boolean(value)?,
        "KeepAliveTimeSec" => options.keep_alive_time = Some(time(value)?),
        "KeepAliveIntervalSec" => options.keep_alive_interval = Some(time(value)?),
        "KeepAliveProbes" => options.keep_alive_probes = Some(integer(value)?),
        "DeferAcceptSec" => options.defer_accept = time(value)?,
        "Priority" => options.priority = Some(integer(value)?),
        "IPTOS" => {
            options.ip_tos = match value {
                "" => None,
                "low-delay" => Some(0x10),
                "throughput" => Some(0x08),
                "reliability" => Some(0x04),
                "low-cost" => Some(0x02),
                number => Some(integer(number).map_err(|_| {
                    Fault::at(
                        number,
                        "expected low-delay, throughput, reliability, low-cost or 0 to 255",
                    )
                })?),
            }
        }
        "IPTTL" => match integer::<u8>(value) {
            Ok(hops) if hops > 0 => options.ip_ttl = Some(hops),
            _ => return Err(Fault::at(value, "expected 1 to 255")),
        },
        "Mark" => options.mark = Some(integer(value)?),
        "TCPCongestion" => options.tcp_congestion = (!value.is_empty()).then(|| value.to_owned()),
        "PassPIDFD" => options.pass_pidfd = boolean(value)?,
        "PassSecurity" => options.pass_security = boolean(value)?,
        "PassPacketInfo" => options.pass_packet_info = boolean(value)?,
        "AcceptFileDescriptors" => options.accept_fds = boolean(value)?,
        "Timestamping" => {
            options.timestamping = match value {
                "us" | "usec" | "µs" | "μs" => Timestamping::Us,
                "ns" | "nsec" => Timestamping::Ns,
                value => from_word(value, "choice; expected off, us or ns")?,
            }
        }
        _ => return Ok(Applied::Unknown),
    }
    Ok(Applied::Done)
}
