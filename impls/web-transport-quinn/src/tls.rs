//! The TLS of both roles: rustls on ring, checked against the runner's own root.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    ClientConfig, KeyLogFile, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use web_transport_quinn::ALPN;

use crate::contract::{CERTIFICATE, PRIVATE_KEY, ROOT, Result};

pub fn client() -> Result<QuicClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ROOT)?)?;
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.into()];
    config.key_log = Arc::new(KeyLogFile::new());
    Ok(config.try_into()?)
}

pub fn server() -> Result<QuicServerConfig> {
    let chain =
        CertificateDer::pem_file_iter(CERTIFICATE)?.collect::<std::result::Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(PRIVATE_KEY)?)?;
    config.alpn_protocols = vec![ALPN.into()];
    config.key_log = Arc::new(KeyLogFile::new());
    Ok(config.try_into()?)
}
