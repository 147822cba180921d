//! QUIC does in a test's own process what TCP does in the kernel.

use std::sync::Arc;

use quinn::rustls::pki_types::pem::PemObject;
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quinn::rustls::{RootCertStore, crypto};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use snowglobe::impair::Reorder;
use snowglobe::prelude::*;

use crate::{MS, Pair};

const LENGTH: usize = 10_000_000;

/// Returns data of which no two parts are alike.
fn data() -> Vec<u8> {
    let word = |number: usize| (number as u32).wrapping_mul(2_654_435_761).to_le_bytes();
    (0..LENGTH / 4).flat_map(word).collect()
}

fn server() -> TestResult<ServerConfig> {
    let files = Fixture::find("certificates")?.certificate("web")?;
    let chain = CertificateDer::pem_file_iter(files.chain)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(files.key)?;
    Ok(ServerConfig::with_single_cert(chain, key)?)
}

fn client() -> TestResult<ClientConfig> {
    let files = Fixture::find("certificates")?.certificate("web")?;
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(files.authority)? {
        roots.add(authority?)?;
    }
    Ok(ClientConfig::with_root_certificates(Arc::new(roots))?)
}

#[snowglobe::test(fixtures("certificates"), timeout = "120s")]
async fn ten_megabytes_arrive_whole_over_loss_and_reordering() -> TestResult {
    let _ = crypto::ring::default_provider().install_default();
    let pair = Pair::new(Impairment {
        loss: Percent(5.0),
        reorder: Reorder::independent(Percent(10.0)),
        ..Impairment::delayed(5 * MS)
    })?;
    let (alice, bob) = (&pair.lab[pair.alice], &pair.lab[pair.bob]);
    let (there, here) = (
        SocketAddr::from((bob.ip(), 443)),
        SocketAddr::from((alice.ip(), 0)),
    );
    let (server, client) = (server()?, client()?);

    let socket = bob.run(|| UdpSocket::bind(there))?;
    let serve = bob.spawn(async move {
        let endpoint = Endpoint::new(
            EndpointConfig::default(),
            Some(server),
            socket,
            Arc::new(TokioRuntime),
        )?;
        let connection = endpoint.accept().await.ok_or("nobody came")?.await?;
        let mut stream = connection.open_uni().await?;
        stream.write_all(&data()).await?;
        stream.finish()?;
        connection.closed().await;
        TestResult::Ok(())
    });
    let fetch = alice.spawn(async move {
        let mut endpoint = Endpoint::client(here)?;
        endpoint.set_default_client_config(client);
        let connection = endpoint.connect(there, "web.test")?.await?;
        let heard = connection.accept_uni().await?.read_to_end(LENGTH).await?;
        connection.close(0_u32.into(), b"thank you");
        endpoint.wait_idle().await;
        TestResult::Ok(heard)
    });
    let heard = fetch.await??;
    assert!(heard == data(), "{} bytes, or others", heard.len());
    serve.await??;
    let counters = pair.link().counters(Direction::BToA)?;
    assert!(counters.lost.total().packets > 100, "{counters:?}");
    assert!(counters.reordered.packets > 100, "{counters:?}");
    Ok(())
}
