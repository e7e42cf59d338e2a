//! Notices a server that was put back to an earlier state, such as from a backup of its disk: the epoch is
//! the same, and versions that the rows know are used again.
//!
//! After a round that changed rows, the client writes a new random number into a file of its own in the
//! session, and into its state. If the server has another number there, it does not have all that the
//! rows say.

use crate::random;
use crate::refusal::Refusal;
use crate::sync::error::Error;
use crate::sync::folder::Folder;
use crate::sync::state::State;
use crate::sync::steps::step;
#[cfg(test)]
use crate::sync::steps::{Fault, has};

/// The seal of a folder's rows, as its state keeps it: `<name> <number> <next number> <bytes>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Seal {
    /// The file in the session.
    name: String,
    number: String,
    /// Whether the server has this one or `number` is not known while it is being written.
    next: String,
    /// The length of the index that is sealed.
    bytes: u64,
}

impl Seal {
    fn new() -> Result<Self, Error> {
        let number = number()?;
        let name = random::draw_secret().map_err(Error::about("randomness"))?;
        Ok(Seal { name: format!("n/{name}"), next: number.clone(), number, bytes: 0 })
    }

    pub(in crate::sync) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace().map(String::from);
        let mut field = || fields.next();
        let (name, number, next) = (field()?, field()?, field()?);
        Some(Seal { name, number, next, bytes: field()?.parse().ok()? })
    }

    pub(in crate::sync) fn to_text(&self) -> String {
        let Seal { name, number, next, bytes } = self;
        format!("{name} {number} {next} {bytes}\n")
    }
}

impl Folder<'_> {
    /// Returns whether the server has all that the rows say, as far as the seal knows.
    pub(in crate::sync) fn seal_holds(&self) -> Result<bool, Error> {
        #[cfg(test)]
        if has(Fault::NoSeal) {
            return Ok(true);
        }
        let Some(seal) = self.state.seal() else { return Ok(true) };
        let remote = self.remote()?;
        match remote.client.read(&format!("{}{}", remote.prefix, seal.name)) {
            Ok(file) => {
                let contents = file.contents.to_vec();
                Ok(contents == seal.number.as_bytes() || contents == seal.next.as_bytes())
            }
            Err(e) if e.refusal() == Some(&Refusal::NotFound) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Seals the rows, if they have changed since they were sealed.
    pub(in crate::sync) fn seal(&mut self) -> Result<(), Error> {
        self.index.commit()?;
        let bytes = self.index.bytes();
        let mut seal = match self.state.seal() {
            Some(seal) => seal,
            None => Seal::new()?,
        };
        if seal.bytes == bytes {
            return Ok(());
        }
        seal.next = number()?;
        self.state.set_seal(&seal)?;
        step("a seal is announced")?;
        let remote = self.remote()?;
        remote.client.write(&format!("{}{}", remote.prefix, seal.name), &seal.next)?;
        step("a seal is written")?;
        seal.number.clone_from(&seal.next);
        self.state.set_seal(&Seal { bytes, ..seal })
    }
}

/// Draws the number of a seal.
fn number() -> Result<String, Error> {
    let number = random::draw().map_err(Error::about("randomness"))?;
    Ok(format!("{number:016x}"))
}

impl State {
    fn seal(&self) -> Option<Seal> {
        Seal::parse(&self.read_note("seal")?)
    }

    fn set_seal(&self, seal: &Seal) -> Result<(), Error> {
        self.write_note("seal", &seal.to_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_text() {
        let new = || Seal::new().unwrap();
        let seal = Seal { bytes: 7, ..new() };
        assert_eq!(Seal::parse(&seal.to_text()), Some(seal.clone()));
        assert_eq!(Seal::parse("n/x 1 2"), None);
        assert_ne!(new(), new());
    }
}
