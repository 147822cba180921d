//! The work of the actions.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::actions::IgdService;
use super::http::HttpRequest;
use super::soap::{SoapCall, UpnpError};
use crate::nat::NatProtocol;
use crate::portmap::book::LeaseWish;
use crate::portmap::engine::LeaseRefusal;
use crate::portmap::lease::{LeaseOrigin, PortLease};
use crate::portmap::server::MappingServer;

/// The errors of UPnP Device Architecture 1.1, section 3.2.2, and of WANIPConnection:2, section
/// 2.5.
mod error {
    use super::UpnpError;

    pub(super) const INVALID_ACTION: UpnpError = UpnpError(401, "Invalid Action");
    pub(super) const INVALID_ARGS: UpnpError = UpnpError(402, "Invalid Args");
    pub(super) const ACTION_FAILED: UpnpError = UpnpError(501, "Action Failed");
    pub(super) const NOT_AUTHORIZED: UpnpError = UpnpError(606, "Action not authorized");
    pub(super) const INDEX_INVALID: UpnpError = UpnpError(713, "SpecifiedArrayIndexInvalid");
    pub(super) const NO_SUCH_ENTRY: UpnpError = UpnpError(714, "NoSuchEntryInArray");
    pub(super) const NO_WILDCARD_OUTSIDE: UpnpError =
        UpnpError(716, "WildCardNotPermittedInExtPort");
    pub(super) const CONFLICT: UpnpError = UpnpError(718, "ConflictInMappingEntry");
    pub(super) const REMOTE_HOST_ONLY_WILDCARD: UpnpError =
        UpnpError(726, "RemoteHostOnlySupportsWildcard");
    pub(super) const NO_PORTS: UpnpError = UpnpError(728, "NoPortMapsAvailable");
    pub(super) const OTHER_MECHANISM: UpnpError = UpnpError(729, "ConflictWithOtherMechanisms");
    pub(super) const NO_WILDCARD_INSIDE: UpnpError =
        UpnpError(732, "WildCardNotPermittedInIntPort");
}

/// The longest lease of the second version, and the one that a host gets there which asks for a
/// lease without end (WANIPConnection:2, section 2.3.16).
const WEEK: Duration = Duration::from_secs(604_800);

/// The most characters of a description that are kept.
const DESCRIPTION: usize = 256;

impl From<LeaseRefusal> for UpnpError {
    fn from(refusal: LeaseRefusal) -> Self {
        match refusal {
            LeaseRefusal::NotAuthorized => error::OTHER_MECHANISM,
            LeaseRefusal::Taken => error::CONFLICT,
            LeaseRefusal::Exhausted => error::NO_PORTS,
            LeaseRefusal::NoAddress => error::ACTION_FAILED,
        }
    }
}

/// Carries out the call of a request, and returns the response.
pub(super) fn call(
    service: IgdService,
    server: &mut MappingServer<'_>,
    request: &HttpRequest,
) -> Vec<u8> {
    let Some(call) = SoapCall::of(request) else {
        return error::INVALID_ACTION.answer();
    };
    // The service of an earlier version is the same one.
    let of_service = call.service.rsplit_once(':').is_some_and(|(urn, version)| {
        let version: Result<u32, _> = version.parse();
        urn == service.urn() && version.is_ok_and(|it| (1..=service.version()).contains(&it))
    });
    let done = match of_service {
        true => act(service, server, &call),
        false => Err(error::INVALID_ACTION),
    };
    match done {
        Ok(results) => call.answer(&results),
        Err(error) => error.answer(),
    }
}

type Results = Vec<(&'static str, String)>;

fn act(
    service: IgdService,
    server: &mut MappingServer<'_>,
    call: &SoapCall,
) -> Result<Results, UpnpError> {
    let now = server.now;
    let action = service.action(&call.action).ok_or(error::INVALID_ACTION)?;
    let is_there = |name: &&str| call.argument(name).is_some();
    if !action.arguments.iter().all(is_there) {
        return Err(error::INVALID_ARGS);
    }
    let values = match action.name {
        "AddPortMapping" => {
            add(server, call, true)?;
            Vec::new()
        }
        "AddAnyPortMapping" => vec![add(server, call, false)?.port.to_string()],
        "DeletePortMapping" => {
            delete(server, call)?;
            Vec::new()
        }
        "GetExternalIPAddress" => {
            let address = server.engine.external().ok_or(error::ACTION_FAILED)?;
            vec![address.to_string()]
        }
        "GetSpecificPortMappingEntry" => {
            let (port, protocol) = key(call)?;
            let lease = server.book.of_port(protocol, port, now);
            entry(&lease.ok_or(error::NO_SUCH_ENTRY)?, now)[3..].to_vec()
        }
        "GetGenericPortMappingEntry" => {
            let index: usize = parsed(call, "NewPortMappingIndex")?;
            let lease = server.book.leases(now).nth(index);
            entry(lease.ok_or(error::INDEX_INVALID)?, now)
        }
        "GetStatusInfo" => {
            let status = match server.engine.external() {
                Some(_) => "Connected",
                None => "Disconnected",
            };
            let uptime = server.book.epoch(now).to_string();
            vec![status.into(), "ERROR_NONE".into(), uptime]
        }
        "GetConnectionTypeInfo" => vec!["IP_Routed".into(), "IP_Routed".into()],
        "GetNATRSIPStatus" => vec!["0".into(), "1".into()],
        "GetCommonLinkProperties" => {
            let rate = "1000000000".to_owned();
            vec!["Ethernet".into(), rate.clone(), rate, "Up".into()]
        }
        _ => return Err(error::INVALID_ACTION),
    };
    Ok(action.results.iter().copied().zip(values).collect())
}

/// Reads an argument that is a number.
fn parsed<T: std::str::FromStr>(call: &SoapCall, name: &str) -> Result<T, UpnpError> {
    let text = call.argument(name).ok_or(error::INVALID_ARGS)?;
    text.trim().parse().map_err(|_| error::INVALID_ARGS)
}

fn protocol(call: &SoapCall) -> Result<NatProtocol, UpnpError> {
    match call.argument("NewProtocol").map(str::trim) {
        Some("TCP") => Ok(NatProtocol::Tcp),
        Some("UDP") => Ok(NatProtocol::Udp),
        Some(_) | None => Err(error::INVALID_ARGS),
    }
}

/// Reads what a mapping is found by: the external port, and the protocol.
fn key(call: &SoapCall) -> Result<(u16, NatProtocol), UpnpError> {
    any_remote_host(call)?;
    Ok((parsed(call, "NewExternalPort")?, protocol(call)?))
}

/// Refuses a mapping for one remote host alone.
fn any_remote_host(call: &SoapCall) -> Result<(), UpnpError> {
    match call.argument("NewRemoteHost").map(str::trim) {
        // Some clients write the address of everybody.
        None | Some("" | "*" | "0.0.0.0") => Ok(()),
        Some(_) => Err(error::REMOTE_HOST_ONLY_WILDCARD),
    }
}

fn add(
    server: &mut MappingServer<'_>,
    call: &SoapCall,
    exact: bool,
) -> Result<PortLease, UpnpError> {
    any_remote_host(call)?;
    let port: u16 = parsed(call, "NewExternalPort")?;
    let internal: u16 = parsed(call, "NewInternalPort")?;
    let protocol = protocol(call)?;
    let client: Ipv4Addr = parsed(call, "NewInternalClient")?;
    let asked: u32 = parsed(call, "NewLeaseDuration")?;
    match call.argument("NewEnabled").map(str::trim) {
        Some("1" | "true" | "yes") => {}
        // A mapping that leads nowhere is none.
        Some(_) | None => return Err(error::INVALID_ARGS),
    }
    if internal == 0 {
        return Err(error::NO_WILDCARD_INSIDE);
    }
    if port == 0 && exact {
        return Err(error::NO_WILDCARD_OUTSIDE);
    }
    // A host may open ports to itself only (WANIPConnection:2, section 2.5.16).
    if client != server.client {
        return Err(error::NOT_AUTHORIZED);
    }
    let inside = SocketAddrV4::new(client, internal);
    match server.book.of_port(protocol, port, server.now) {
        Some(before) if exact && before.origin != LeaseOrigin::Upnp => {
            return Err(error::OTHER_MECHANISM);
        }
        Some(before) if exact && before.inside.ip() != inside.ip() => return Err(error::CONFLICT),
        // The same host may lead its port elsewhere.
        Some(before) if exact && before.inside != inside => {
            let same = |it: &PortLease| (it.protocol, it.inside) == (protocol, before.inside);
            let origin = LeaseOrigin::Upnp;
            server.book.end(server.engine, client, origin, same)?;
        }
        Some(_) | None => {}
    }
    let lifetime = match (asked, call.service.ends_with(":1")) {
        (0, true) => None,
        (0, false) => Some(WEEK.min(server.book.spec().longest)),
        (asked, _) => Some(server.book.spec().lifetime(asked)),
    };
    let wish = LeaseWish {
        protocol,
        inside,
        port,
        exact,
        lifetime,
        origin: LeaseOrigin::Upnp,
        description: call
            .argument("NewPortMappingDescription")
            .unwrap_or_default()
            .chars()
            .take(DESCRIPTION)
            .collect(),
    };
    Ok(server.book.lease(server.engine, &wish, server.now)?)
}

fn delete(server: &mut MappingServer<'_>, call: &SoapCall) -> Result<(), UpnpError> {
    let (port, protocol) = key(call)?;
    let lease = server.book.of_port(protocol, port, server.now);
    let lease = lease.ok_or(error::NO_SUCH_ENTRY)?;
    if *lease.inside.ip() != server.client || lease.origin != LeaseOrigin::Upnp {
        return Err(error::NOT_AUTHORIZED);
    }
    let same = |it: &PortLease| (it.port, it.protocol) == (port, protocol);
    let origin = LeaseOrigin::Upnp;
    server
        .book
        .end(server.engine, server.client, origin, same)?;
    Ok(())
}

/// Returns the values of a mapping, in the order of the arguments of a new one.
fn entry(lease: &PortLease, now: u64) -> Vec<String> {
    let protocol = match lease.protocol {
        NatProtocol::Tcp => "TCP",
        NatProtocol::Udp | NatProtocol::Icmp => "UDP",
    };
    let left = lease.seconds_left(now).unwrap_or(0);
    vec![
        String::new(),
        lease.port.to_string(),
        protocol.into(),
        lease.inside.port().to_string(),
        lease.inside.ip().to_string(),
        "1".into(),
        lease.description.clone(),
        left.to_string(),
    ]
}
