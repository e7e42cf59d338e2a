//! What https endpoints need: certificates from files.

use super::super::options::{Tls, invalid};
use rustls::Error::General;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fs;
use std::io;
use std::path::Path;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// Returns how to connect to https endpoints.
///
/// # Errors
/// A file cannot be read, or has nothing of what it should have.
pub(super) fn config(tls: &Tls) -> io::Result<TlsConfig> {
    let mut config = TlsConfig::builder();
    if let Some(ca) = &tls.ca {
        config = config.root_certs(RootCerts::new_with_certs(&certificates(ca)?));
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let bad = |e: &dyn std::fmt::Display| invalid(format!("{}: {e}", key.display()));
        let private = PrivateKey::from_pem(&read(key)?).map_err(|e| bad(&e))?;
        let chain = certificates(cert)?;
        expect_pair(&chain, &private).map_err(|e| {
            bad(&format_args!("it is not the key of the certificate in {}: {e}", cert.display()))
        })?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, private)));
    }
    Ok(config.build())
}

/// Checks what ureq takes for granted at its first request: it panics otherwise.
///
/// # Errors
/// The key cannot be used, or belongs to another certificate.
fn expect_pair(chain: &[Certificate<'_>], key: &PrivateKey<'_>) -> Result<(), rustls::Error> {
    let chain = chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    let key = PrivateKeyDer::try_from(key.der().to_vec()).map_err(|e| General(e.to_string()))?;
    CertifiedKey::from_der(chain, key, &default_provider()).map(drop)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

fn certificates(path: &Path) -> io::Result<Vec<Certificate<'static>>> {
    let pem = read(path)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|e| invalid(format!("{}: {e}", path.display())))?;
        if let PemItem::Certificate(certificate) = item {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(invalid(format!("{}: no certificate is in it", path.display()))),
        false => Ok(found),
    }
}
