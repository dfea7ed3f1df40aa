//! The TLS of both roles: rustls on ring, checked against the runner's own root.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    ClientConfig, KeyLogFile, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    quic::Suite,
    version::TLS13,
};

use crate::{
    contract::{CERTIFICATE, PRIVATE_KEY, ROOT, Result},
    hq,
    tickets::Tickets,
    verifier::ChainVerifier,
};

/// A client keeps tickets only where the test case is about them; elsewhere each of its handshakes is a full one.
pub fn client(testcase: &str, tickets: Option<Arc<Tickets>>) -> Result<Arc<ClientConfig>> {
    let provider = provider(testcase);
    let verifier = ChainVerifier::new(CertificateDer::from_pem_file(ROOT)?, provider.clone())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = alpn(testcase);
    config.key_log = Arc::new(KeyLogFile::new());
    config.enable_early_data = testcase == "zerortt";
    config.resumption = match tickets {
        Some(tickets) => Resumption::store(tickets),
        None => Resumption::disabled(),
    };
    Ok(Arc::new(config))
}

pub fn quic_client(config: Arc<ClientConfig>) -> QuicClientConfig {
    QuicClientConfig::with_initial(config, initial()).expect("this is the suite of Initials")
}

pub fn server(testcase: &str) -> Result<Arc<QuicServerConfig>> {
    let chain =
        CertificateDer::pem_file_iter(CERTIFICATE)?.collect::<std::result::Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(provider(testcase))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(PRIVATE_KEY)?)?;
    config.alpn_protocols = alpn(testcase);
    config.key_log = Arc::new(KeyLogFile::new());
    if testcase == "zerortt" {
        // QUIC knows no other value (RFC 9001, section 4.6.1).
        config.max_early_data_size = u32::MAX;
    }
    let config = QuicServerConfig::with_initial(Arc::new(config), initial())
        .expect("this is the suite of Initials");
    Ok(Arc::new(config))
}

/// The most wanted first. Where HTTP/3 is not the point, it is there for peers that speak nothing else.
fn alpn(testcase: &str) -> Vec<Vec<u8>> {
    let names: &[&str] = match testcase {
        "http3" => &["h3"],
        _ => &[hq::ALPN, "h3"],
    };
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn provider(testcase: &str) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    if testcase == "chacha20" {
        provider.cipher_suites = vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
    }
    Arc::new(provider)
}

/// Initials are protected with AES-128-GCM whatever is negotiated, so quinn has to be given it
/// where the provider does not have it.
fn initial() -> Suite {
    ring::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .and_then(rustls::Tls13CipherSuite::quic_suite)
        .expect("ring can do QUIC")
}
