//! How a server gets the table of each of its terms.

use super::lead::Lead;
use crate::budget::{Budget, Charge};
use crate::files::{Clock, FileType, Registry, Table};
use crate::server::settings::Settings;
use crate::server::shared::Shared;
use crate::store::etcd::Term;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

/// What is the same for the tables of all terms.
#[derive(Debug)]
pub(in crate::server) struct Tables {
    pub(in crate::server) settings: Arc<Settings>,
    pub(in crate::server) types: Vec<FileType>,
    pub(in crate::server) root: PathBuf,
    pub(in crate::server) max_memory: u64,
    pub(in crate::server) clock: Clock,
}

impl Tables {
    /// Loads the table of a term.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::InvalidData`] if what is in etcd is no table.
    pub(super) fn load(&self, term: &Arc<Term>) -> io::Result<Arc<Shared>> {
        let budget = Budget::new(self.max_memory);
        let registry = Registry::default()
            .with_text_files(self.root.clone(), self.settings.max_contents, &budget)
            .and_then(|registry| registry.with(self.types.clone()))
            .map_err(|why| io::Error::new(ErrorKind::InvalidInput, why))?;
        let table = Table::load(registry, &self.clock, budget.clone(), term.store())?;
        let none = Charge::none(&budget);
        let lead = Some(Arc::new(Lead::new(term.clone())));
        Ok(Shared::new(self.settings.clone(), table, budget, none, lead))
    }
}
