//! The options of a table in etcd: the members, the prefix of its keys, the user, and TLS.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// The longest prefix, in bytes.
const MAX_PREFIX_BYTES: usize = 200;

/// Where a table is in an etcd cluster, and how to connect to it. Options that are not set keep their
/// defaults.
///
/// ```
/// use telefile::store::etcd::{Etcd, Options};
///
/// let options = Options::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]).prefix("games/");
/// let etcd = Etcd::new(options)?; // connects to nobody yet
/// # drop(etcd);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(super) endpoints: Vec<String>,
    pub(super) prefix: String,
    pub(super) user: Option<(String, String)>,
    pub(super) tls: Tls,
    pub(super) max_data: Option<u64>,
}

/// Files for https, in PEM format.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl Options {
    /// The prefix of a table's keys, unless another one is set.
    pub const PREFIX: &'static str = "telefile/";

    /// Returns the options for a cluster with members at these URLs, such as `http://10.0.0.1:2379`.
    /// One member is asked at a time, and the next one if it does not answer.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Options {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: Options::PREFIX.to_string(),
            user: None,
            tls: Tls::default(),
            max_data: None,
        }
    }

    /// Sets what the table's keys begin with: a cluster holds a table for each prefix. A prefix without a
    /// slash at its end gets one. None may be below another table's: `a/` and `a/f/` would share keys.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the user of etcd that asks, and the password.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Sets the file with the certificates of the authorities that sign those of etcd, in PEM format.
    /// Needs https URLs, as the other files do.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.ca = Some(file.into());
        self
    }

    /// Sets the files with the certificate to show to etcd, and with its key, in PEM format.
    #[must_use]
    pub fn cert(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        (self.tls.cert, self.tls.key) = (Some(cert.into()), Some(key.into()));
        self
    }

    /// Sets the size of etcd's whole database, in bytes, from which changes that add something are
    /// refused. Below etcd's quota it leaves room for deletions: an etcd that has reached its quota
    /// takes nothing that puts a key, so no deletions and no new active server either.
    ///
    /// The size is asked for every 2 s, and what is put meanwhile is added; it may still grow a little
    /// beyond this. It shrinks when etcd is defragmented, not before.
    #[must_use]
    pub fn max_data(mut self, bytes: Option<u64>) -> Self {
        self.max_data = bytes;
        self
    }

    /// Checks what can be checked without etcd. Returns the URLs without a slash at their ends.
    pub(super) fn check(&self) -> io::Result<Vec<String>> {
        let is_odd = |c: char| c.is_control() || c.is_whitespace();
        if self.prefix.is_empty()
            || self.prefix.len() > MAX_PREFIX_BYTES
            || self.prefix.contains(is_odd)
        {
            return Err(invalid(format!(
                "the prefix of the keys in etcd has 1 to {MAX_PREFIX_BYTES} bytes without white space, \
                 and {:?} does not",
                self.prefix
            )));
        }
        if self.endpoints.is_empty() {
            return Err(invalid("no URL of etcd is given"));
        }
        let endpoints: Vec<_> =
            self.endpoints.iter().map(|url| endpoint(url)).collect::<io::Result<_>>()?;
        let has_files = self.tls.ca.is_some() || self.tls.cert.is_some();
        if has_files && !endpoints.iter().all(|url| url.starts_with("https:")) {
            return Err(invalid("certificates need https URLs of etcd"));
        }
        Ok(endpoints)
    }
}

/// Does not show the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .finish_non_exhaustive()
    }
}

pub(super) fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why.into())
}

/// Checks the URL of a member.
fn endpoint(url: &str) -> io::Result<String> {
    let bad = |why: &str| invalid(format!("{url:?} is not the URL of an etcd member: {why}"));
    let host = match url.split_once("://") {
        Some(("http", host)) => host,
        Some(("https", _)) if !cfg!(feature = "etcd-tls") => {
            return Err(bad("https needs a build with the feature etcd-tls"));
        }
        Some(("https", host)) => host,
        _ => return Err(bad("it begins with http:// or https://")),
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    if host.contains('@') {
        return Err(bad("a user has an option of its own"));
    }
    if host.is_empty() || host.contains(|c: char| "/?#,".contains(c) || c.is_whitespace()) {
        return Err(bad("after that it has a host and a port"));
    }
    Ok(url.strip_suffix('/').unwrap_or(url).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_prefixes_are_checked() {
        let check = |url: &str| Options::new([url]).check().map_err(|e| e.to_string());
        assert_eq!(check("http://a:2379/"), Ok(vec!["http://a:2379".to_string()]));
        assert_eq!(check("http://[::1]:2379"), Ok(vec!["http://[::1]:2379".to_string()]));
        for (url, why) in [
            ("a:2379", "begins with http://"),
            ("ftp://a:2379", "begins with http://"),
            ("http://", "a host and a port"),
            ("http://a/v3", "a host and a port"),
            ("http://a b", "a host and a port"),
            ("http://me:secret@a:2379", "an option of its own"),
        ] {
            assert!(check(url).is_err_and(|e| e.contains(why)), "{url}");
        }
        assert_eq!(check("https://a:2379").is_ok(), cfg!(feature = "etcd-tls"));
        let prefix = |prefix: &str| Options::new(["http://a"]).prefix(prefix).check().is_ok();
        assert!(prefix("a/") && prefix(&"a".repeat(200)));
        assert!(!prefix("") && !prefix("a b") && !prefix("a\n") && !prefix(&"a".repeat(201)));
        assert!(Options::new([""; 0]).check().is_err());
        assert!(Options::new(["http://a"]).ca("x.pem").check().is_err());
    }

    #[test]
    fn the_password_is_not_shown() {
        let options = Options::new(["http://a:2379"]).user("me", "secret");
        let shown = format!("{options:?}");
        assert!(shown.contains("me") && !shown.contains("secret"), "{shown}");
    }
}
