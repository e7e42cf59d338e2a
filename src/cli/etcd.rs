//! Which etcd cluster a command means. A build without etcd knows the flags too, to say that.

use super::failure::Failure;
#[cfg(feature = "etcd")]
use crate::store::etcd::{Etcd, Fault, Options};
use clap::Args;
use std::io;
use std::path::PathBuf;
#[cfg(feature = "etcd")]
use std::{fmt, fs, path::Path};

/// A table in an etcd cluster.
#[derive(Args, Debug)]
pub(super) struct Place {
    /// Keep the table in the etcd cluster with members at these URLs, one of which is asked at a
    /// time. Separated by commas
    #[arg(
        long = "etcd",
        value_name = "URL",
        value_delimiter = ',',
        env = "TELEFILE_ETCD",
        help_heading = HEADING
    )]
    pub(super) urls: Vec<String>,
    /// Begin the keys of the table with this. Each prefix has a table of its own [default: telefile/]
    #[arg(
        long = "etcd-prefix",
        value_name = "PREFIX",
        env = "TELEFILE_ETCD_PREFIX",
        help_heading = HEADING
    )]
    prefix: Option<String>,
    /// Ask as this user of etcd, with the password in the file of --etcd-password-file
    #[arg(
        long = "etcd-user",
        value_name = "NAME",
        env = "TELEFILE_ETCD_USER",
        help_heading = HEADING
    )]
    user: Option<String>,
    /// Read the password of etcd's user from the first line of this file
    #[arg(
        long = "etcd-password-file",
        value_name = "FILE",
        env = "TELEFILE_ETCD_PASSWORD_FILE",
        help_heading = HEADING
    )]
    password_file: Option<PathBuf>,
    /// Trust the authorities in this file for https, in PEM format [default: those of Mozilla]
    #[arg(
        long = "etcd-ca",
        value_name = "FILE",
        env = "TELEFILE_ETCD_CA",
        help_heading = HEADING
    )]
    ca: Option<PathBuf>,
    /// Show etcd the certificate in this file, in PEM format
    #[arg(
        long = "etcd-cert",
        value_name = "FILE",
        env = "TELEFILE_ETCD_CERT",
        help_heading = HEADING
    )]
    cert: Option<PathBuf>,
    /// The key of that certificate, in PEM format
    #[arg(
        long = "etcd-key",
        value_name = "FILE",
        env = "TELEFILE_ETCD_KEY",
        help_heading = HEADING
    )]
    key: Option<PathBuf>,
}

/// The part of the help.
pub(super) const HEADING: &str = "etcd";

impl Place {
    /// Returns whether the command means a table in etcd.
    pub(super) fn is_given(&self) -> bool {
        !self.urls.is_empty()
    }

    /// Returns an option that is given and means nothing without `--etcd`, if there is one.
    pub(super) fn stray(&self) -> Option<&'static str> {
        let Place { urls, prefix, user, password_file, ca, cert, key } = self;
        let given = [
            (prefix.is_some(), "--etcd-prefix"),
            (user.is_some(), "--etcd-user"),
            (password_file.is_some(), "--etcd-password-file"),
            (ca.is_some(), "--etcd-ca"),
            (cert.is_some(), "--etcd-cert"),
            (key.is_some(), "--etcd-key"),
        ];
        let stray = given.into_iter().find_map(|(is_given, option)| is_given.then_some(option));
        stray.filter(|_| urls.is_empty())
    }
}

#[cfg(feature = "etcd")]
impl Place {
    /// Returns the table that is meant, without connecting to it.
    ///
    /// # Errors
    /// The options contradict each other, or a file cannot be read.
    pub(super) fn etcd(&self) -> Result<Etcd, Failure> {
        Etcd::new(self.options()?).map_err(Failure::usage)
    }

    /// Returns the options of that table.
    ///
    /// # Errors
    /// Options that belong together are not together, or a file cannot be read.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let both = [
            (
                self.user.is_some(),
                self.password_file.is_some(),
                "--etcd-user",
                "--etcd-password-file",
            ),
            (self.cert.is_some(), self.key.is_some(), "--etcd-cert", "--etcd-key"),
        ];
        for (has_one, has_other, one, other) in both {
            if has_one != has_other {
                let (given, missing) = if has_one { (one, other) } else { (other, one) };
                return Err(Failure::usage(format!("{given} needs {missing}")));
            }
        }
        let mut options = Options::new(self.urls.iter());
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix);
        }
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            options = options.user(user, password(file)?);
        }
        if let Some(ca) = &self.ca {
            options = options.ca(ca);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            options = options.cert(cert, key);
        }
        Ok(options)
    }
}

/// Returns the failure of a command whose table may be in etcd.
pub(super) fn failed(e: io::Error) -> Failure {
    #[cfg(feature = "etcd")]
    match Etcd::fault(&e) {
        Some(Fault::Options) => return Failure::usage(e),
        Some(Fault::Access) => return Failure { status: Failure::DENIED, ..Failure::failed(e) },
        None => {}
    }
    Failure::failed(e)
}

/// Reads a password: the first line of a file.
#[cfg(feature = "etcd")]
fn password(file: &Path) -> Result<String, Failure> {
    let bad = |why: &dyn fmt::Display| Failure::failed(format_args!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|e| bad(&e))?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_string()),
        _ => Err(bad(&"the first line is empty, and should be the password")),
    }
}

#[cfg(not(feature = "etcd"))]
impl Place {
    /// Returns the failure of a build that knows no etcd.
    pub(super) fn missing(&self) -> Failure {
        Failure::usage(
            "this telefile was built without etcd; this builds one with it: \
             `cargo build --release --features etcd`",
        )
    }
}
