//! What https endpoints need: certificates from files.

use super::super::options::{Tls, invalid};
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
        let bad = |e| invalid(format!("{}: {e}", key.display()));
        let private = PrivateKey::from_pem(&read(key)?).map_err(bad)?;
        let cert = ClientCert::new_with_certs(&certificates(cert)?, private);
        config = config.client_cert(Some(cert));
    }
    Ok(config.build())
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
