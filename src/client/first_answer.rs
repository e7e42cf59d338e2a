//! Several addresses of one table: the first one that answers is used.

use super::error::Error;
use crate::net::{Address, Addresses};
use std::io;
use std::time::{Duration, Instant};

/// Calls `attempt` with one address after another, from place `first` on, until one succeeds. Returns
/// its place and the result. Each attempt gets its share of `timeout`, for connecting and for each
/// reply: what those before it have left of the time, divided by the addresses that are left.
///
/// # Errors
/// If no attempt succeeds. One that does not pass is returned as it is: an address with another table,
/// or one that rejects the token. Otherwise [`Error::Connect`] has the reason for each address.
pub(crate) fn first_answer<T>(
    addresses: &Addresses,
    first: usize,
    timeout: Option<Duration>,
    mut attempt: impl FnMut(&Address, Option<Duration>) -> Result<T, Error>,
) -> Result<(usize, T), Error> {
    let (mut left, mut failures) = (timeout, Vec::new());
    let each = addresses.starting_at(first);
    for (remaining, (place, address)) in (1..=each.len() as u32).rev().zip(each) {
        let (share, start) = (left.map(|left| left / remaining), Instant::now());
        match attempt(address, share) {
            Ok(done) => return Ok((place, done)),
            Err(e) => {
                if addresses.are_several() {
                    log::debug!("{address} is passed over: {e}");
                }
                failures.push((address, e));
            }
        }
        // A name that takes long to look up takes nothing away from the others.
        left = left.zip(share).map(|(left, share)| left - start.elapsed().min(share));
    }
    Err(of_all(failures))
}

/// Returns the error of addresses that all failed.
fn of_all(mut failures: Vec<(&Address, Error)>) -> Error {
    let lasting = failures.iter().position(|(_, e)| !e.is_retryable());
    let no_server = failures.iter().rev().find_map(|(_, e)| match e {
        Error::Connect(e) => Some(e.kind()),
        _ => None,
    });
    match (lasting, no_server) {
        (None, Some(kind)) if failures.len() > 1 => {
            let reasons = failures.iter().map(|(address, e)| match e {
                Error::Connect(e) => e.to_string(), // which begins with the address
                e => format!("{address}: {e}"),
            });
            Error::Connect(io::Error::new(kind, reasons.collect::<Vec<_>>().join("; ")))
        }
        (at, _) => failures.swap_remove(at.unwrap_or(0)).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::{Limit, Refusal};
    use std::io::ErrorKind;
    use std::thread;

    fn three() -> Addresses {
        "127.0.0.1:1,127.0.0.1:2,unix:/3".parse().unwrap()
    }

    fn refused(address: &Address) -> Error {
        let why = format!("{address}: refused");
        Error::Connect(io::Error::new(ErrorKind::ConnectionRefused, why))
    }

    fn full() -> Error {
        let refusal = Refusal::Limit(Limit::Connections, 5);
        Error::Refused { file: None, refusal }
    }

    /// Returns the error of attempts that end in this way.
    fn error(errors: [fn(&Address) -> Error; 3]) -> Error {
        let mut errors = errors.into_iter();
        let attempt = |address: &Address, _| Err::<(), _>(errors.next().unwrap()(address));
        first_answer(&three(), 0, None, attempt).unwrap_err()
    }

    #[test]
    fn the_first_answer_ends_the_search() {
        for (first, tried) in [(0, vec![0, 1]), (1, vec![1]), (2, vec![2, 0, 1])] {
            let addresses = three();
            let order: Vec<_> = addresses.starting_at(0).map(|(_, address)| address).collect();
            let mut seen = Vec::new();
            let (place, ()) = first_answer(&addresses, first, None, |address, _| {
                seen.push(order.iter().position(|known| *known == address).unwrap());
                if seen.last() == Some(&1) { Ok(()) } else { Err(refused(address)) }
            })
            .unwrap();
            assert_eq!((place, seen), (1, tried));
        }
    }

    #[test]
    fn the_error_has_each_address_and_its_reason() {
        let failed = error([refused, |_| full(), refused]);
        assert_eq!(
            failed.to_string(),
            format!(
                "no connection: 127.0.0.1:1: refused; 127.0.0.1:2: {}; unix:/3: refused",
                full()
            )
        );
        assert!(failed.is_retryable());
        assert!(matches!(error([|_| full(); 3]), Error::Refused { .. }));
    }

    #[test]
    fn an_error_that_does_not_pass_is_the_error_of_all() {
        let failed = error([refused, |_| Error::OtherTable, refused]);
        assert!(matches!(failed, Error::OtherTable), "{failed}");
    }

    #[test]
    fn an_attempt_leaves_the_others_their_share_of_the_time() {
        let mut shares = Vec::new();
        let _ = first_answer(&three(), 0, Some(Duration::from_millis(30)), |address, share| {
            shares.push(share.unwrap());
            thread::sleep(2 * share.unwrap());
            Err::<(), _>(refused(address))
        });
        assert_eq!(shares, [Duration::from_millis(10); 3]);

        let mut shares = Vec::new();
        let _ = first_answer(&three(), 0, Some(Duration::from_secs(3000)), |address, share| {
            shares.push(share.unwrap());
            Err::<(), _>(refused(address))
        });
        assert_eq!(shares[0], Duration::from_secs(1000));
        assert!(shares[2] > Duration::from_secs(2000), "unused time is the next one's: {shares:?}");
    }
}
