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
/// assert!(tcp.is_local() && unix.is_local());
/// assert!(!"0.0.0.0:8080".parse::<Address>()?.is_local());
/// assert_eq!(unix.to_string(), "unix:/run/telefile.sock");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port; port 0 lets the system choose one.
    Tcp(SocketAddr),
    /// `HOST:PORT` with a host's name. It is looked up each time it is used, because its addresses
    /// may change.
    Host(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Returns whether only programs on this machine can reach it: loopback, or a Unix socket. False
    /// for a host's name; the addresses that it [resolves](Address::resolve) to show that.
    pub fn is_local(&self) -> bool {
        match self {
            Address::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Address::Host(_) => false,
            Address::Unix(_) => true,
        }
    }

    /// Looks up a name and returns its addresses, without duplicates, in the order that the system
    /// prefers (getaddrinfo(3)). Any other address stands for itself.
    ///
    /// # Errors
    /// The name is unknown, or cannot be looked up now.
    pub fn resolve(&self) -> io::Result<Vec<Address>> {
        let Address::Host(name) = self else { return Ok(vec![self.clone()]) };
        Ok(look_up(name)?.into_iter().map(Address::Tcp).collect())
    }
}

/// Returns the addresses of a name, at least one.
pub(super) fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    let with_name = |e: io::Error| io::Error::new(e.kind(), format!("{name}: {e}"));
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in name.to_socket_addrs().map_err(with_name)?.map(canonical) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err(with_name(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))),
        false => Ok(addresses),
    }
}

/// Turns an IPv4 address that is written as IPv6 into IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address, // with its scope, if it has one
        ip => (ip, address.port()).into(),
    }
}

/// Looks nothing up. Text that is no address is [`io::ErrorKind::InvalidInput`].
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
            return Ok(Address::Tcp(canonical(address)));
        }
        let is_name = |(host, port): (&str, &str)| {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            let bad = |c: char| c == ':' || c.is_whitespace() || c.is_control();
            !host.is_empty() && !host.contains(bad) && digits && port.parse::<u16>().is_ok()
        };
        match text.rsplit_once(':').is_some_and(is_name) {
            true => Ok(Address::Host(text.to_string())),
            false => Err(bad("an address is HOST:PORT, [IPV6]:PORT or unix:PATH")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Host(name) => f.write_str(name),
            Address::Unix(path) => {
                // One address is one word of a line, whatever its path contains.
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
    fn the_error_of_a_bad_address_begins_with_it() {
        for bad in [
            "",
            "8080",
            ":8080",
            "localhost",
            "localhost:",
            "::1:80",
            "a:+80",
            "a:70000",
            "a b:80",
            "a\0:80",
            "a\n:80",
            "unix:",
        ] {
            let error = bad.parse::<Address>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{bad}: ")), "{error}");
        }
    }

    #[test]
    fn a_name_is_kept_and_numbers_are_not_looked_up() {
        let name: Address = "localhost:80".parse().unwrap();
        assert_eq!(name, Address::Host("localhost:80".to_string()));
        let found = name.resolve().unwrap();
        assert!(!found.is_empty() && found.iter().all(Address::is_local), "{found:?}");
        for number in ["127.0.0.1:80", "[::1]:80", "unix:/s"] {
            let address: Address = number.parse().unwrap();
            assert_eq!(address.resolve().unwrap(), std::slice::from_ref(&address));
        }
    }

    #[test]
    fn only_loopback_and_unix_addresses_are_local() {
        for (address, local) in [
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::]:1", false),
            ("localhost:1", false),
        ] {
            assert_eq!(address.parse::<Address>().unwrap().is_local(), local, "{address}");
        }
    }
}
