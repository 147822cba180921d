//! Questions for devices, and the answers (UPnP Device Architecture 1.1, section 1).

use std::net::Ipv4Addr;

use super::actions::IgdService;
use super::device::{DEVICE_VERSION, Igd, IgdPart};
use super::http::HttpHead;

/// The group and port of questions (section 1.3.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The port of questions.
pub const PORT: u16 = 1900;

/// Seconds for which an answer holds (section 1.2.2: at least 1800).
const MAX_AGE: u32 = 1800;

/// The name of the software, as section 1.2.2 wants it.
pub(super) const SERVER: &str = "Linux/6 UPnP/1.1 snowglobe/1";

/// A thing that a question may be for, and the unique name under which it answers.
struct Target {
    kind: String,
    /// The version, where kinds have one: a device answers for earlier versions too (section
    /// 1.3.2).
    version: Option<u32>,
    udn: String,
}

impl Target {
    fn shown(&self, version: Option<u32>) -> String {
        match version {
            Some(version) => format!("{}:{version}", self.kind),
            None => self.kind.clone(),
        }
    }

    fn usn(&self, shown: &str) -> String {
        match self.kind == self.udn {
            true => self.udn.clone(),
            false => format!("{}::{shown}", self.udn),
        }
    }

    /// Returns the kind as a question has it, if the question is for this.
    fn asked(&self, wanted: &str) -> Option<String> {
        if wanted == "ssdp:all" {
            return Some(self.shown(self.version));
        }
        let Some(own) = self.version else {
            return (wanted == self.kind).then(|| self.kind.clone());
        };
        let (kind, version) = wanted.rsplit_once(':')?;
        let version: u32 = version.parse().ok()?;
        let fits = kind == self.kind && (1..=own).contains(&version);
        fits.then(|| self.shown(Some(version)))
    }
}

fn targets(igd: &Igd) -> Vec<Target> {
    let target = |kind: &str, version, device| Target {
        kind: kind.into(),
        version,
        udn: igd.udn(device),
    };
    let mut targets = vec![target("upnp:rootdevice", None, IgdPart::Gateway)];
    for device in IgdPart::ALL {
        let udn = igd.udn(device);
        targets.push(target(&udn, None, device));
        targets.push(target(device.urn(), Some(DEVICE_VERSION), device));
    }
    for service in IgdService::ALL {
        targets.push(target(
            service.urn(),
            Some(service.version()),
            service.device(),
        ));
    }
    targets
}

/// Answers a datagram: one message for each device and service that a question is for.
pub fn hear(igd: &Igd, datagram: &[u8]) -> Vec<Vec<u8>> {
    let Some(head) = HttpHead::read(datagram) else {
        return Vec::new();
    };
    let is_search = (head.method, head.path) == ("M-SEARCH", "*")
        && head.field("MAN") == Some("\"ssdp:discover\"");
    let Some(wanted) = head.field("ST").filter(|_| is_search) else {
        return Vec::new();
    };
    let answer = |target: Target| {
        let shown = target.asked(wanted)?;
        let usn = target.usn(&shown);
        let location = igd.location();
        let text = format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age={MAX_AGE}\r\nST: {shown}\r\nUSN: {usn}\r\nEXT:\r\nSERVER: {SERVER}\r\nLOCATION: {location}\r\nCONTENT-LENGTH: 0\r\n\r\n"
        );
        Some(text.into_bytes())
    };
    targets(igd).into_iter().filter_map(answer).collect()
}

/// Returns what a device tells all hosts when it appears: to [`PORT`] of [`GROUP`] (section 1.2.2).
pub fn alive(igd: &Igd) -> Vec<Vec<u8>> {
    let message = |target: Target| {
        let shown = target.shown(target.version);
        let usn = target.usn(&shown);
        let location = igd.location();
        let text = format!(
            "NOTIFY * HTTP/1.1\r\nHOST: {GROUP}:{PORT}\r\nCACHE-CONTROL: max-age={MAX_AGE}\r\nLOCATION: {location}\r\nNT: {shown}\r\nNTS: ssdp:alive\r\nSERVER: {SERVER}\r\nUSN: {usn}\r\n\r\n"
        );
        text.into_bytes()
    };
    targets(igd).into_iter().map(message).collect()
}
