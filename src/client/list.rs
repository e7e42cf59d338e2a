//! Lists of files: one page, or all of them as an iterator.

use super::call::{self, Call};
use super::error::Error;
use super::transport::Transport;
use super::{Client, Listed, Page};
use crate::name::ForLog;
use crate::version::Version;
use crate::wire::{MAX_ITEMS, MAX_LINE_BYTES, Request};
use std::iter::FusedIterator;
use std::vec;

impl Client {
    /// Lists the files whose names begin with `prefix`, in byte order of their names. The empty
    /// prefix matches all files.
    ///
    /// Asks for the first page at once, and for each further one when the iterator gets there: it
    /// holds at most 10,000 files at a time. To follow the changes after the list, see
    /// [`follow`](Client::follow).
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// let client = telefile::Client::connect_to(&address)?;
    /// client.write("svc/a", "up")?;
    /// client.write("svc/b", "down")?;
    /// client.write("other", "")?;
    ///
    /// for file in client.list("svc/")? {
    ///     let file = file?;
    ///     println!("{} has {} bytes", file.name, file.numbytes);
    /// }
    /// let files = client.list("svc/")?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(files.iter().map(|file| file.numbytes).sum::<u64>(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of the first page: see [`list_page`](Client::list_page). The iterator returns those of
    /// the others.
    pub fn list(&self, prefix: &str) -> Result<List, Error> {
        self.list_after(prefix, "")
    }

    /// Does a [`list`](Client::list) of the names that sort after `after` alone: to continue one
    /// that has failed, from the last name that it has returned.
    ///
    /// # Errors
    /// As for [`list`](Client::list).
    pub fn list_after(&self, prefix: &str, after: &str) -> Result<List, Error> {
        let page = self.list_page(prefix, MAX_ITEMS, Some(after))?;
        let (client, prefix, version) = (self.clone(), prefix.to_string(), page.version);
        let mut list = List { client, prefix, version, files: Vec::new().into_iter(), next: None };
        list.turn(page);
        Ok(list)
    }

    /// Lists the files whose names begin with `prefix` and sort after `after`: the first `limit` of
    /// them, at most 10,000. The empty prefix matches all files.
    ///
    /// Unlike a whole [`list`](Client::list), a page is a snapshot: all of it is true at one version.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// let client = telefile::Client::connect_to(&address)?;
    /// for name in ["svc/a", "svc/b", "svc/c", "other"] {
    ///     client.write(name, "up")?;
    /// }
    /// let page = client.list_page("svc/", 2, None)?;
    /// assert_eq!((page.files[1].name.as_str(), page.more), ("svc/b", true));
    /// let rest = client.list_page("svc/", 2, Some("svc/b"))?;
    /// assert_eq!((rest.files[0].name.as_str(), rest.more), ("svc/c", false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] if `prefix` or `after` contains a space or line end, or `limit` is 0;
    /// also if `after` is too long for a line, and 10,000 names or more are between the part of it
    /// that fits and `after` itself. [`Limit::Memory`](crate::Limit::Memory) if the server has no room for a long page.
    pub fn list_page(&self, prefix: &str, limit: u64, after: Option<&str>) -> Result<Page, Error> {
        if limit == 0 {
            return Err(Error::Invalid("a list of at most 0 files".to_string()));
        }
        let limit = limit.min(MAX_ITEMS);
        let after = after.filter(|after| !after.is_empty()).map(call::field).transpose()?;
        match Call::of_prefix(prefix, |prefix| Request::List { prefix, limit, after }) {
            Ok(call) => self.call(&call, Transport::page),
            Err(e) => self.page_behind(prefix, limit, after.ok_or(e)?),
        }
    }

    /// Lists from after a name that does not fit into the line of a `list`: starts after the part
    /// that fits, and skips the names up to `name`.
    fn page_behind(&self, prefix: &str, limit: u64, name: &str) -> Result<Page, Error> {
        let room = MAX_LINE_BYTES.saturating_sub("list * 10000  ".len() + prefix.len());
        let near = &name[..name.floor_char_boundary(room)];
        let after = Some(near).filter(|near| !near.is_empty());
        let request = |prefix| Request::List { prefix, limit: MAX_ITEMS, after };
        let mut page = self.call(&Call::of_prefix(prefix, request)?, Transport::page)?;
        if page.more && page.files.last().is_some_and(|file| file.name.as_str() <= name) {
            return Err(Error::Invalid(format!("{}: too long to go on from", ForLog(name))));
        }
        page.files.retain(|file| file.name.as_str() > name);
        page.more |= page.files.len() as u64 > limit;
        page.files.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(page)
    }
}

/// An iterator over files, in byte order of their names: see [`Client::list`].
///
/// An error is the last item. [`Client::list_after`] continues from the last file before it, on the
/// same client or on one that has [reconnected](Client::reconnect).
///
/// Between two pages files may change: a file that is made before the name that the iterator has
/// come to is missed, and a listed file may be deleted by now. A [`watch`](Client::watch) from the
/// [version](List::version) of the list reports all of that.
#[derive(Debug)]
#[must_use = "it asks for the files as they are taken"]
pub struct List {
    client: Client,
    prefix: String,
    version: Version,
    /// The rest of the current page.
    files: vec::IntoIter<Listed>,
    /// The name before the next page; `None` if there is no such page.
    next: Option<String>,
}

impl List {
    /// Returns the version of the table at the first page. A [`watch`](Client::watch) from there
    /// misses nothing: neither what has changed after the list nor what has changed during it.
    pub fn version(&self) -> Version {
        self.version
    }

    fn turn(&mut self, page: Page) {
        self.next = page.files.last().filter(|_| page.more).map(|file| file.name.clone());
        self.files = page.files.into_iter();
    }
}

impl Iterator for List {
    type Item = Result<Listed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(file) = self.files.next() {
                return Some(Ok(file));
            }
            let after = self.next.take()?;
            match self.client.list_page(&self.prefix, MAX_ITEMS, Some(&after)) {
                Ok(page) => self.turn(page),
                Err(e) => return Some(Err(e)),
            }
        }
    }
}

impl FusedIterator for List {}
