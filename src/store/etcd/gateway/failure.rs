//! Why a member gave no answer: who listens at its URL, as far as a failed request shows that.

use std::io::ErrorKind;

/// Why a member gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// It may end by itself. Otherwise the URL leads to something else than the etcd that is meant.
    pub(super) may_pass: bool,
}

fn passing(why: impl Into<String>) -> Failure {
    Failure { why: why.into(), may_pass: true }
}

fn lasting(why: impl Into<String>) -> Failure {
    Failure { why: why.into(), may_pass: false }
}

impl Failure {
    /// Reads why no reply came from a URL.
    pub(super) fn of(url: &str, error: ureq::Error) -> Self {
        use ureq::Error::{HostNotFound, Http, Io, LargeResponseHeader, Protocol, Timeout};
        let is_tls = url.starts_with("https:");
        match error {
            Timeout(_) => passing("it does not answer in time"),
            HostNotFound => passing("there is no such host"),
            Http(_) | Protocol(_) | LargeResponseHeader(..) if is_tls => {
                lasting("another program listens there: it does not speak HTTP")
            }
            Http(_) | Protocol(_) | LargeResponseHeader(..) => lasting(
                "it does not speak HTTP: it needs an https URL, or another program listens there",
            ),
            #[cfg(feature = "etcd-tls")]
            ureq::Error::Rustls(e) => Failure::of_tls(&e),
            Io(e) => {
                #[cfg(feature = "etcd-tls")]
                if let Some(e) = e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                    return Failure::of_tls(e);
                }
                match e.kind() {
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
                        // etcd does so if the client speaks TLS and it does not, and the reverse; and
                        // so does any program that ends.
                        let other = if is_tls { "an http" } else { "an https" };
                        passing(format!(
                            "it ends the connection without an answer: if it does so again and again, \
                             it needs {other} URL, or it is no etcd"
                        ))
                    }
                    ErrorKind::ConnectionRefused => passing("nobody listens there"),
                    _ => passing(e.to_string()),
                }
            }
            e => passing(e.to_string()),
        }
    }

    /// Reads an answer with a status that is no success, and that is not etcd's.
    pub(super) fn of_status(status: u16, body: &[u8]) -> Self {
        let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
        match status {
            // The answer of a Go server with TLS to a request without TLS.
            400 if has(b"HTTPS") => lasting("it speaks TLS: it needs an https URL"),
            408 | 425 | 429 | 500.. => passing(format!("it answers with the HTTP status {status}")),
            _ => lasting(format!(
                "it is no etcd 3.4 or later with its gateway, or the URL is not for clients: it answers \
                 with the HTTP status {status}"
            )),
        }
    }

    /// Returns what etcd has said: `<url>: <why>`.
    pub(super) fn of_etcd(url: &str, text: &str) -> Self {
        let why = text.strip_prefix(url).and_then(|text| text.strip_prefix(": "));
        passing(why.unwrap_or(text))
    }

    /// What answers is no etcd, or one in front of which something else answers.
    pub(super) fn of_body(why: impl std::fmt::Display) -> Self {
        lasting(format!("another program listens there: {why}"))
    }

    #[cfg(feature = "etcd-tls")]
    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::AlertDescription as Alert;
        use rustls::CertificateError as Bad;
        use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
        match error {
            InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
                passing("its certificate has expired: renew it, or set the clock of this machine")
            }
            InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
                passing("its certificate is not valid yet: set the clock of this machine, or wait")
            }
            InvalidCertificate(Bad::UnknownIssuer) => lasting(
                "its certificate is of an authority that is not trusted here: trust that one, if it \
                 is yours",
            ),
            InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                lasting(format!("its certificate is for another host: {error}"))
            }
            InvalidCertificate(_) => lasting(format!("its certificate is wrong: {error}")),
            InvalidMessage(_) => lasting(
                "it does not speak TLS: it needs an http URL, or another program listens there",
            ),
            AlertReceived(Alert::InternalError | Alert::UserCanceled) => passing(error.to_string()),
            AlertReceived(
                alert @ (Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRequired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::UnsupportedCertificate),
            ) => lasting(format!(
                "it does not trust the certificate that this program shows, or misses one: {alert:?}"
            )),
            AlertReceived(alert) => lasting(format!("it ends the TLS handshake: {alert:?}")),
            _ => passing(error.to_string()),
        }
    }
}
