//! The addresses of the members, looked up once until a request fails.
//!
//! ureq would look them up for each request, also on a connection that it keeps, in a thread that it
//! starts for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The addresses by scheme and host. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<String, ResolvedSocketAddrs>>>);

impl Addresses {
    /// Has all hosts looked up again: one may have moved.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, ResolvedSocketAddrs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let key = format!("{}://{host}", uri.scheme_str().unwrap_or_default());
        if let Some(known) = self.known().get(&key) {
            return Ok(known.clone());
        }
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        self.known().insert(key, found.clone());
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::etcd::gateway::Gateway;
    use crate::store::etcd::options::Options;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;
    use ureq::unversioned::transport::time;

    #[test]
    fn a_host_is_looked_up_once_until_a_request_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Answers two requests, and cuts the connection of the third.
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut requests = BufReader::new(stream.try_clone().unwrap());
            for _ in 0..2 {
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    requests.read_line(&mut line).unwrap();
                }
                // What is left unread at the end would take the answer back.
                requests.read_exact(&mut [0; "{}".len()]).unwrap();
                let body = r#"{"dbSize":"7"}"#;
                let length = body.len();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
                    .unwrap();
            }
        });
        // No system finds this host.
        let gateway = Gateway::new(&Options::new([format!("http://a.invalid:{port}")])).unwrap();
        assert!(gateway.database_bytes(Duration::from_secs(1)).is_err());
        let uri = format!("http://127.0.0.1:{port}").parse().unwrap();
        let timeout = NextTimeout {
            after: time::Duration::NotHappening,
            reason: ureq::Timeout::Global,
            ..NextTimeout::default()
        };
        let here = Addresses::default().resolve(&uri, &Config::default(), timeout).unwrap();
        gateway.addresses.known().insert(format!("http://a.invalid:{port}"), here);
        for _ in 0..2 {
            assert_eq!(gateway.database_bytes(Duration::from_secs(30)).unwrap(), 7);
        }
        server.join().unwrap();
        assert!(gateway.database_bytes(Duration::from_secs(30)).is_err());
        assert!(gateway.addresses.known().is_empty());
    }
}
