//! The Internet Gateway Device of UPnP: discovery, descriptions, and the actions by which hosts get
//! ports (UPnP Device Architecture 1.1; InternetGatewayDevice:2, WANIPConnection:2).
//!
//! | file | role |
//! |---|---|
//! | `device` | which device this is, and its address |
//! | `ssdp` | questions for devices, and the answers |
//! | `http` | requests of HTTP, as they come in pieces |
//! | `soap` | the call that a request carries, and its answer |
//! | `actions` | which actions there are, with their arguments, and their descriptions in XML |
//! | `control` | what the actions do |

mod actions;
mod control;
pub mod device;
pub mod http;
mod soap;
pub mod ssdp;

use super::server::MappingServer;
use device::Igd;
use http::{HttpRequest, response};

/// Answers a request of HTTP.
pub fn serve(device: &Igd, server: &mut MappingServer<'_>, request: &HttpRequest) -> Vec<u8> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", device::ROOT) => response("200 OK", &device.description()),
        ("GET", path) => match actions::IgdService::at_description(path) {
            Some(service) => response("200 OK", &actions::description(service)),
            None => response("404 Not Found", ""),
        },
        ("POST", path) => match actions::IgdService::at_control(path) {
            Some(service) => control::call(service, server, request),
            None => response("404 Not Found", ""),
        },
        // There are no events to subscribe to.
        _ => response("405 Method Not Allowed", ""),
    }
}
