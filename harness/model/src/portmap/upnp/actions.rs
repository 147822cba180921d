//! Which actions there are, with their arguments, and their descriptions in XML.

use super::device::IgdPart;

/// A service of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IgdService {
    IpConnection,
    CommonInterface,
}

/// An action: its name, the names of its arguments and of its results.
pub(super) struct UpnpAction {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [&'static str],
    pub(super) results: &'static [&'static str],
}

const fn action(
    name: &'static str,
    arguments: &'static [&'static str],
    results: &'static [&'static str],
) -> UpnpAction {
    UpnpAction {
        name,
        arguments,
        results,
    }
}

/// The arguments of a new mapping (WANIPConnection:2, section 2.5.16).
const MAPPING: &[&str] = &[
    "NewRemoteHost",
    "NewExternalPort",
    "NewProtocol",
    "NewInternalPort",
    "NewInternalClient",
    "NewEnabled",
    "NewPortMappingDescription",
    "NewLeaseDuration",
];
/// The arguments by which a mapping is found.
const KEY: &[&str] = &["NewRemoteHost", "NewExternalPort", "NewProtocol"];
/// The results that tell of a mapping which was found.
const ENTRY: &[&str] = &[
    "NewInternalPort",
    "NewInternalClient",
    "NewEnabled",
    "NewPortMappingDescription",
    "NewLeaseDuration",
];

const IP_CONNECTION: &[UpnpAction] = &[
    action("AddPortMapping", MAPPING, &[]),
    action("AddAnyPortMapping", MAPPING, &["NewReservedPort"]),
    action("DeletePortMapping", KEY, &[]),
    action("GetExternalIPAddress", &[], &["NewExternalIPAddress"]),
    action("GetSpecificPortMappingEntry", KEY, ENTRY),
    action(
        "GetGenericPortMappingEntry",
        &["NewPortMappingIndex"],
        MAPPING,
    ),
    action(
        "GetStatusInfo",
        &[],
        &["NewConnectionStatus", "NewLastConnectionError", "NewUptime"],
    ),
    action(
        "GetConnectionTypeInfo",
        &[],
        &["NewConnectionType", "NewPossibleConnectionTypes"],
    ),
    action(
        "GetNATRSIPStatus",
        &[],
        &["NewRSIPAvailable", "NewNATEnabled"],
    ),
];

const COMMON_INTERFACE: &[UpnpAction] = &[action(
    "GetCommonLinkProperties",
    &[],
    &[
        "NewWANAccessType",
        "NewLayer1UpstreamMaxBitRate",
        "NewLayer1DownstreamMaxBitRate",
        "NewPhysicalLinkStatus",
    ],
)];

impl IgdService {
    pub(super) const ALL: [IgdService; 2] = [IgdService::IpConnection, IgdService::CommonInterface];

    /// Returns the type without its version.
    pub(super) fn urn(self) -> &'static str {
        match self {
            IgdService::IpConnection => "urn:schemas-upnp-org:service:WANIPConnection",
            IgdService::CommonInterface => "urn:schemas-upnp-org:service:WANCommonInterfaceConfig",
        }
    }

    /// Returns the version of the type.
    pub(super) fn version(self) -> u32 {
        match self {
            IgdService::IpConnection => 2,
            IgdService::CommonInterface => 1,
        }
    }

    /// Returns the device that has the service.
    pub(super) fn device(self) -> IgdPart {
        match self {
            IgdService::IpConnection => IgdPart::Connection,
            IgdService::CommonInterface => IgdPart::Wan,
        }
    }

    /// Returns the identifier, the path of the description, and the path of control.
    pub(super) fn places(self) -> [&'static str; 3] {
        match self {
            IgdService::IpConnection => [
                "urn:upnp-org:serviceId:WANIPConn1",
                "/WANIPCn.xml",
                "/ctl/IPConn",
            ],
            IgdService::CommonInterface => [
                "urn:upnp-org:serviceId:WANCommonIFC1",
                "/WANCfg.xml",
                "/ctl/CmnIfCfg",
            ],
        }
    }

    pub(super) fn at_description(path: &str) -> Option<IgdService> {
        let mut all = IgdService::ALL.into_iter();
        all.find(|service| service.places()[1] == path)
    }

    pub(super) fn at_control(path: &str) -> Option<IgdService> {
        let mut all = IgdService::ALL.into_iter();
        all.find(|service| service.places()[2] == path)
    }

    fn actions(self) -> &'static [UpnpAction] {
        match self {
            IgdService::IpConnection => IP_CONNECTION,
            IgdService::CommonInterface => COMMON_INTERFACE,
        }
    }

    /// Returns the action with a name.
    pub(super) fn action(self, name: &str) -> Option<&'static UpnpAction> {
        self.actions().iter().find(|action| action.name == name)
    }
}

/// Returns the state variable and its type that stand behind an argument. Arguments need one each
/// (UPnP Device Architecture 1.1, section 2.5).
fn variable(argument: &str) -> (&str, &'static str) {
    let kind = match argument {
        "NewExternalPort" | "NewInternalPort" | "NewReservedPort" | "NewPortMappingIndex" => "ui2",
        "NewLeaseDuration"
        | "NewUptime"
        | "NewLayer1UpstreamMaxBitRate"
        | "NewLayer1DownstreamMaxBitRate" => "ui4",
        "NewEnabled" | "NewRSIPAvailable" | "NewNATEnabled" => "boolean",
        _ => "string",
    };
    let name = match argument {
        "NewProtocol" => "PortMappingProtocol",
        "NewEnabled" => "PortMappingEnabled",
        "NewLeaseDuration" => "PortMappingLeaseDuration",
        "NewReservedPort" => "ExternalPort",
        "NewPortMappingIndex" => "PortMappingNumberOfEntries",
        _ => argument.strip_prefix("New").unwrap_or(argument),
    };
    (name, kind)
}

/// Returns the description of a service in XML.
pub(super) fn description(service: IgdService) -> String {
    let mut variables: Vec<(&str, &str)> = Vec::new();
    let mut list = String::new();
    for action in service.actions() {
        let arguments = action.arguments.iter().map(|it| (*it, "in"));
        let results = action.results.iter().map(|it| (*it, "out"));
        let mut both = String::new();
        for (argument, direction) in arguments.chain(results) {
            let (name, kind) = variable(argument);
            if !variables.contains(&(name, kind)) {
                variables.push((name, kind));
            }
            both.push_str(&format!(
                "<argument><name>{argument}</name><direction>{direction}</direction><relatedStateVariable>{name}</relatedStateVariable></argument>"
            ));
        }
        let name = action.name;
        list.push_str(&format!(
            "<action><name>{name}</name><argumentList>{both}</argumentList></action>"
        ));
    }
    let variable = |(name, kind): &(&str, &str)| {
        format!(
            "<stateVariable sendEvents=\"no\"><name>{name}</name><dataType>{kind}</dataType></stateVariable>"
        )
    };
    let table: String = variables.iter().map(variable).collect();
    format!(
        "<?xml version=\"1.0\"?>\n<scpd xmlns=\"urn:schemas-upnp-org:service-1-0\"><specVersion><major>1</major><minor>1</minor></specVersion><actionList>{list}</actionList><serviceStateTable>{table}</serviceStateTable></scpd>\n"
    )
}
