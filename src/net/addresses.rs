//! The addresses of one table, where several servers have it: `ADDR,ADDR...`.

use super::address::Address;
use std::fmt;
use std::io;

/// At least one address, in the order in which to try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<Address>);

impl Addresses {
    /// Returns whether there is another address to try.
    pub(crate) fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// Returns each address once, with its place in the list: those from place `first` on, and then
    /// those before it. A place behind the last is the first again.
    pub(crate) fn starting_at(
        &self,
        first: usize,
    ) -> impl ExactSizeIterator<Item = (usize, &Address)> {
        let count = self.0.len();
        (0..count).map(move |n| (first + n) % count).map(|place| (place, &self.0[place]))
    }
}

impl From<Address> for Addresses {
    fn from(address: Address) -> Self {
        Addresses(vec![address])
    }
}

/// Looks nothing up. Text that is no list of addresses is [`io::ErrorKind::InvalidInput`]; the error
/// begins with the text, and says which of several addresses is bad.
impl std::str::FromStr for Addresses {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let count = text.split(',').count();
        let parse = |(index, part): (usize, &str)| {
            part.parse().map_err(|e: io::Error| match (count, part) {
                (1, _) => e,
                (_, "") => bad(text, index, count, "is empty"),
                _ => bad(text, index, count, &format!("is wrong: {e}")),
            })
        };
        text.split(',').enumerate().map(parse).collect::<io::Result<_>>().map(Addresses)
    }
}

fn bad(text: &str, index: usize, count: usize, why: &str) -> io::Error {
    let why = format!("{text}: address {} of {count} {why}", index + 1);
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_stands_between_commas() {
        for (text, count) in [("a:1", 1), ("a:1,[::1]:2,unix:/x", 3), ("a:1,a:1", 2)] {
            let addresses: Addresses = text.parse().unwrap();
            assert_eq!(addresses.starting_at(0).len(), count);
            assert_eq!(addresses.are_several(), count > 1);
            assert_eq!(addresses.to_string(), text);
        }
    }

    #[test]
    fn an_error_says_which_address_is_bad() {
        let form = "an address is HOST:PORT, [IPV6]:PORT or unix:PATH";
        for (text, why) in [
            ("b", form.to_string()),
            ("", form.to_string()),
            (",", "address 1 of 2 is empty".to_string()),
            ("a:1,", "address 2 of 2 is empty".to_string()),
            ("a:1,,b:2", "address 2 of 3 is empty".to_string()),
            ("a:1,b:2,c", format!("address 3 of 3 is wrong: c: {form}")),
            ("a:1, b:2", format!("address 2 of 2 is wrong:  b:2: {form}")),
            ("unix:,a:1", "address 1 of 2 is wrong: unix:: a path is missing after unix:".into()),
        ] {
            let error = text.parse::<Addresses>().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("{text}: {why}"));
        }
    }

    #[test]
    fn the_addresses_before_the_first_come_last() {
        let addresses: Addresses = "a:1,b:2,c:3".parse().unwrap();
        for (first, places) in [(0, [0, 1, 2]), (1, [1, 2, 0]), (3, [0, 1, 2])] {
            let found: Vec<_> = addresses.starting_at(first).map(|(place, _)| place).collect();
            assert_eq!(found, places, "from {first}");
        }
    }
}
