//! Certificate chains of any length.
//!
//! webpki follows six intermediates at most, and quinn has no other verifier. The longest chain of the runner
//! (`amplificationlimit`) has eight. Such a chain is followed here, link by link from the root; what is left to webpki
//! is then the leaf, its name included, and a shorter chain altogether.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use x509_parser::{certificate::X509Certificate, parse_x509_certificate, time::ASN1Time};

use crate::contract::Result;

/// webpki's own limit, which it does not export.
const MOST_INTERMEDIATES: usize = 6;

#[derive(Debug)]
pub struct ChainVerifier {
    root: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
}

impl ChainVerifier {
    pub fn new(root: CertificateDer<'static>, provider: Arc<CryptoProvider>) -> Result<Self> {
        Ok(Self {
            webpki: trusting(&root, &provider)?,
            root,
            provider,
        })
    }
}

impl ServerCertVerifier for ChainVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        if intermediates.len() <= MOST_INTERMEDIATES {
            return self
                .webpki
                .verify_server_cert(leaf, intermediates, name, ocsp, now);
        }
        let mut issuer = &self.root;
        for (below, certificate) in intermediates.iter().enumerate().rev() {
            follow(&parse(issuer)?, &parse(certificate)?, below, now)?;
            issuer = certificate;
        }
        trusting(issuer, &self.provider)?.verify_server_cert(leaf, &[], name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

fn trusting(
    anchor: &CertificateDer<'_>,
    provider: &Arc<CryptoProvider>,
) -> std::result::Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone().into_owned())?;
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

fn parse<'a>(
    certificate: &'a CertificateDer<'_>,
) -> std::result::Result<X509Certificate<'a>, Error> {
    match parse_x509_certificate(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(CertificateError::BadEncoding.into()),
    }
}

/// One link: the issuer is trusted, so the certificate is, with `below` more authorities to come.
fn follow(
    issuer: &X509Certificate,
    certificate: &X509Certificate,
    below: usize,
    now: UnixTime,
) -> std::result::Result<(), Error> {
    let now = i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .ok_or(Error::FailedToGetCurrentTime)?;
    if certificate.issuer() != issuer.subject() {
        return Err(CertificateError::UnknownIssuer.into());
    }
    if certificate
        .verify_signature(Some(issuer.public_key()))
        .is_err()
    {
        return Err(CertificateError::BadSignature.into());
    }
    if !certificate.validity().is_valid_at(now) {
        return Err(CertificateError::Expired.into());
    }
    let authority = match certificate.basic_constraints() {
        Ok(Some(constraints)) => {
            constraints.value.ca
                && constraints
                    .value
                    .path_len_constraint
                    .is_none_or(|most| below <= most as usize)
        }
        _ => false,
    };
    let signs = match certificate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    if authority && signs {
        Ok(())
    } else {
        Err(CertificateError::InvalidPurpose.into())
    }
}
