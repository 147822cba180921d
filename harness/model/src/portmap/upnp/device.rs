//! Which device a router is, and where it is found.

use std::net::SocketAddrV4;

use super::actions::IgdService;

/// The path of the description of the device.
pub(super) const ROOT: &str = "/rootDesc.xml";

/// The port at which a router serves descriptions and control. Devices choose it; the address of
/// the description tells hosts.
pub const UPNP_PORT: u16 = 5000;

/// The Internet Gateway Device that a router is, on one of the networks behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Igd {
    /// The name of the router.
    pub name: String,
    /// A hardware address of the router, which makes it unique.
    pub mac: [u8; 6],
    /// The address and port at which the device is served.
    pub at: SocketAddrV4,
}

/// The three devices within each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IgdPart {
    Gateway,
    Wan,
    Connection,
}

impl IgdPart {
    pub(super) const ALL: [IgdPart; 3] = [IgdPart::Gateway, IgdPart::Wan, IgdPart::Connection];

    /// Returns the type without its version, which is 2.
    pub(super) fn urn(self) -> &'static str {
        match self {
            IgdPart::Gateway => "urn:schemas-upnp-org:device:InternetGatewayDevice",
            IgdPart::Wan => "urn:schemas-upnp-org:device:WANDevice",
            IgdPart::Connection => "urn:schemas-upnp-org:device:WANConnectionDevice",
        }
    }
}

/// The version of all devices.
pub(super) const DEVICE_VERSION: u32 = 2;

impl Igd {
    /// Returns the address of the description.
    pub(super) fn location(&self) -> String {
        format!("http://{}{ROOT}", self.at)
    }

    /// Returns the name of a device that no other has: `uuid:…`.
    pub(super) fn udn(&self, device: IgdPart) -> String {
        let [a, b, c, d, e, f] = self.mac;
        // "snowglob" in ASCII, and the hardware address as in the first version of UUIDs (RFC 9562,
        // section 5.1).
        let number = device as u16;
        format!("uuid:736e6f77-676c-6f62-{number:04x}-{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}")
    }

    /// Returns the description of the device in XML.
    pub(super) fn description(&self) -> String {
        let connection = self.device(IgdPart::Connection, &[IgdService::IpConnection], "");
        let wan = self.device(IgdPart::Wan, &[IgdService::CommonInterface], &connection);
        let root = self.device(IgdPart::Gateway, &[], &wan);
        format!(
            "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\"><specVersion><major>1</major><minor>1</minor></specVersion>{root}</root>\n"
        )
    }

    fn device(&self, device: IgdPart, services: &[IgdService], within: &str) -> String {
        let (urn, udn) = (device.urn(), self.udn(device));
        let service = |service: &IgdService| {
            let urn = service.urn();
            let version = service.version();
            let [id, description, control] = service.places();
            format!(
                "<service><serviceType>{urn}:{version}</serviceType><serviceId>{id}</serviceId><SCPDURL>{description}</SCPDURL><controlURL>{control}</controlURL><eventSubURL>/evt</eventSubURL></service>"
            )
        };
        let list = |name: &str, inside: String| match inside.as_str() {
            "" => inside,
            _ => format!("<{name}>{inside}</{name}>"),
        };
        let services = list("serviceList", services.iter().map(service).collect());
        let devices = list("deviceList", within.to_owned());
        let name = escape(&self.name);
        format!(
            "<device><deviceType>{urn}:{DEVICE_VERSION}</deviceType><friendlyName>{name}</friendlyName><manufacturer>snowglobe</manufacturer><modelName>snowglobe router</modelName><UDN>{udn}</UDN>{services}{devices}</device>"
        )
    }
}

/// Returns a text as it stands in XML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // XML 1.0, section 2.2: no other control character may stand in a document.
            c if c.is_control() && !matches!(c, '\n' | '\r' | '\t') => escaped.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
