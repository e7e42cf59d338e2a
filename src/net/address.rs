//! Where a server listens: `HOST:PORT` or `unix:PATH`.

use std::fmt::{self, Write};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The address of a listener.
///
/// ```
/// use telefile::net::Address;
///
/// let tcp: Address = "127.0.0.1:8080".parse()?;
/// let unix: Address = "unix:/run/telefile.sock".parse()?;
/// assert!(tcp.is_private() && unix.is_private());
/// assert!(!"0.0.0.0:8080".parse::<Address>()?.is_private());
/// assert_eq!(unix.to_string(), "unix:/run/telefile.sock");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and a port; port 0 lets the system choose one.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Whether only programs of this machine can reach it.
    pub fn is_private(&self) -> bool {
        match self {
            Address::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Address::Unix(_) => true,
        }
    }
}

/// A host name is resolved; of its addresses the first of IPv4 is taken, else the first. What is
/// no address is [`io::ErrorKind::InvalidInput`], an unknown host is not.
impl std::str::FromStr for Address {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{text}: {why}"));
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(bad("a path is missing after unix:")),
                path => Ok(Address::Unix(path.into())),
            };
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            // An IPv4 address in the clothes of IPv6 is one of IPv4.
            return Ok(Address::Tcp((address.ip().to_canonical(), address.port()).into()));
        }
        if !text.rsplit_once(':').is_some_and(|(host, port)| {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            !host.is_empty() && !host.contains(':') && digits && port.parse::<u16>().is_ok()
        }) {
            return Err(bad("an address is HOST:PORT, [IPV6]:PORT or unix:PATH"));
        }
        let resolved = text.to_socket_addrs();
        let unknown = |e: io::Error| io::Error::new(e.kind(), format!("{text}: {e}"));
        let found: Vec<_> = resolved.map_err(unknown)?.collect();
        let best = found.iter().find(|a| a.is_ipv4()).or(found.first());
        best.map(|a| Address::Tcp(*a)).ok_or_else(|| bad("the name has no address"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => {
                // One address is one word of a line, whatever is in a path.
                f.write_str("unix:")?;
                path.display().to_string().chars().try_for_each(|c| match c.is_control() {
                    true => write!(f, "{}", c.escape_default()),
                    false => f.write_char(c),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_addresses_say_what_is_missing() {
        for bad in
            ["", "8080", ":8080", "localhost", "localhost:", "::1:80", "a:+80", "a:70000", "unix:"]
        {
            let error = bad.parse::<Address>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{bad}: ")), "{error}");
        }
    }

    #[test]
    fn who_can_reach_it() {
        for (address, private) in [
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::]:1", false),
        ] {
            assert_eq!(address.parse::<Address>().unwrap().is_private(), private, "{address}");
        }
    }
}
