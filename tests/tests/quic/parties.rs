//! A server and a client of QUIC, each on the runtime of its node.

use std::sync::Arc;

use quinn::rustls::pki_types::pem::PemObject;
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quinn::rustls::{RootCertStore, crypto};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, IdleTimeout, ServerConfig,
    TokioRuntime, TransportConfig,
};
use snowglobe::lab::Node;
use snowglobe::prelude::*;

const PORT: u16 = 443;
/// The question to which the server answers with the address that it sees.
const WHO_AM_I: &[u8] = b"who am I?";
/// The question to which the server answers with [`data`].
const DATA: &[u8] = b"data";
/// The length of what is downloaded, in bytes.
pub(crate) const LENGTH: usize = 3_000_000;

/// Long enough for a packet on a busy machine; quinn's own default.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the server lets clients change their address.
#[derive(Clone, Copy)]
pub(crate) enum Migration {
    Allowed,
    Off,
}

/// Returns data of which no two parts are alike.
pub(crate) fn data() -> Vec<u8> {
    let word = |number: usize| (number as u32).wrapping_mul(2_654_435_761).to_le_bytes();
    (0..LENGTH / 4).flat_map(word).collect()
}

/// Returns the settings of both: a connection from which nothing is heard for the time `idle` is
/// lost.
fn transport(idle: Duration) -> TestResult<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(IdleTimeout::try_from(idle)?));
    Ok(transport)
}

/// Serves QUIC at port 443 of a node, until the lab ends.
pub(crate) fn serve(node: &Node, migration: Migration, idle: Duration) -> TestResult {
    // A second lab of the trial finds it installed.
    let _ = crypto::ring::default_provider().install_default();
    let files = Fixture::find("certificates")?.certificate("web")?;
    let chain = CertificateDer::pem_file_iter(files.chain)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(files.key)?;
    let mut config = ServerConfig::with_single_cert(chain, key)?;
    config.migration(matches!(migration, Migration::Allowed));
    config.transport_config(Arc::new(transport(idle)?));
    let socket = node.run(|| UdpSocket::bind(("0.0.0.0", PORT)))?;
    node.spawn(async move {
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime)
            .expect("an endpoint");
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                // What becomes of a connection is seen, and judged, by its client.
                if let Ok(connection) = incoming.await {
                    let _ = answer(connection).await;
                }
            });
        }
    });
    Ok(())
}

/// Answers the questions of one connection, until it ends.
async fn answer(connection: Connection) -> TestResult {
    loop {
        let (mut stream, mut asked) = connection.accept_bi().await?;
        let connection = connection.clone();
        tokio::spawn(async move {
            let text = match &*asked.read_to_end(100).await? {
                DATA => data(),
                _ => connection.remote_address().to_string().into_bytes(),
            };
            stream.write_all(&text).await?;
            stream.finish()?;
            TestResult::Ok(())
        });
    }
}

/// A client with one connection.
pub(crate) struct Client {
    pub(crate) endpoint: Endpoint,
    pub(crate) connection: Connection,
}

impl Client {
    /// Connects from an address of a node to the server.
    pub(crate) async fn connect(
        node: &Node,
        from: Ipv4Addr,
        server: Ipv4Addr,
        idle: Duration,
    ) -> TestResult<Client> {
        let files = Fixture::find("certificates")?.certificate("web")?;
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_file_iter(files.authority)? {
            roots.add(authority?)?;
        }
        let mut config = ClientConfig::with_root_certificates(Arc::new(roots))?;
        let mut transport = transport(idle)?;
        // Who only listens says now and then that it is there, for nobody else can tell a NAT that
        // has forgotten the connection (RFC 9000, section 10.1.2).
        transport.keep_alive_interval(Some(Duration::from_millis(200)));
        config.transport_config(Arc::new(transport));
        // The tasks of the endpoint and of the connection run in the node; what the test does with
        // the connection is done anywhere.
        let connecting = node.spawn(async move {
            let mut endpoint = Endpoint::client((from, 0).into())?;
            endpoint.set_default_client_config(config);
            let to = SocketAddr::from((server, PORT));
            let connection = endpoint.connect(to, "web.test")?.await?;
            TestResult::Ok(Client {
                endpoint,
                connection,
            })
        });
        connecting.await?
    }

    /// Returns the address that the server sees.
    pub(crate) async fn seen_as(&self) -> TestResult<SocketAddr> {
        let (mut stream, mut answer) = self.connection.open_bi().await?;
        stream.write_all(WHO_AM_I).await?;
        stream.finish()?;
        let text = answer.read_to_end(100).await?;
        Ok(String::from_utf8(text)?.parse()?)
    }

    /// Asks until the server sees another address: a packet that was sent from the old one may be
    /// the last that the server has heard of.
    pub(crate) async fn seen_elsewhere(&self, before: SocketAddr) -> TestResult<SocketAddr> {
        loop {
            let now = self.seen_as().await?;
            if now != before {
                return Ok(now);
            }
        }
    }

    /// Waits for the end of the connection, and fails the test unless silence has ended it.
    ///
    /// A server that has waited as long already, and has forgotten the connection, says so by a
    /// stateless reset (RFC 9000, section 10.3).
    pub(crate) async fn is_lost(&self) {
        let why = self.connection.closed().await;
        let is_lost = matches!(why, ConnectionError::TimedOut | ConnectionError::Reset);
        assert!(is_lost, "{why}");
    }

    /// Downloads the data, and calls `meanwhile` with the number of each third that has come.
    pub(crate) async fn download(
        &self,
        mut meanwhile: impl FnMut(usize) -> TestResult,
    ) -> TestResult<Vec<u8>> {
        let (mut stream, mut answer) = self.connection.open_bi().await?;
        stream.write_all(DATA).await?;
        stream.finish()?;
        let mut data = vec![0; LENGTH];
        for third in 0..3 {
            let part = third * LENGTH / 3..(third + 1) * LENGTH / 3;
            answer.read_exact(&mut data[part]).await?;
            meanwhile(third)?;
        }
        Ok(data)
    }
}
