//! `Client::wait` and `OpenFile::wait`.

use super::{connect, running};
use crate::server::eventually;
use std::thread;
use std::time::Duration;
use telefile::client::Error;
use telefile::{Client, Version};

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(600);

fn waits(client: &Client, count: u64) -> bool {
    client.stats().unwrap().contains(&("watches".to_string(), count.to_string()))
}

#[test]
fn a_wait_is_for_one_file_by_name_or_descriptor() {
    for which in [0, 1] {
        let server = running();
        let address = server.addresses()[which];
        let (client, other) = (connect(address), connect(address));
        assert_eq!(client.wait("f", Version(0), NOW).unwrap(), Version(0));
        assert_eq!(client.wait("f", Version(3), LONG).unwrap(), Version(0));
        let waiting = thread::spawn(move || (client.wait("f", Version(0), LONG).unwrap(), client));
        eventually("it waits", || waits(&other, 1));
        other.write("f/x", "busy").unwrap();
        assert!(waits(&other, 1));
        let version = other.write("f", "").unwrap();
        let (woken, client) = waiting.join().unwrap();
        assert_eq!(woken, version);

        let open = client.open("f", None).unwrap();
        let kept = other.open("f", None).unwrap();
        other.delete("f", None).unwrap();
        assert_eq!(client.wait("f", version, LONG).unwrap(), Version(0));
        assert_eq!(open.wait(version, Duration::from_millis(1)).unwrap(), version);
        let waiting = thread::spawn(move || open.wait(version, LONG));
        eventually("it waits", || waits(&other, 1));
        let written = kept.write("more").unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), written);
    }
}

#[test]
fn a_lost_connection_and_a_bad_name_are_errors() {
    let mut server = running();
    let client = connect(server.addresses()[0]);
    assert!(matches!(client.wait("two words", Version(0), NOW).unwrap_err(), Error::Invalid(_)));
    let long = "x".repeat(491);
    assert!(matches!(client.wait(&long, Version(0), NOW).unwrap_err(), Error::Invalid(_)));
    assert!(matches!(client.wait("f", Version(1 << 63), NOW).unwrap_err(), Error::Invalid(_)));
    server.stop();
    assert!(matches!(client.wait("f", Version(0), LONG).unwrap_err(), Error::Lost(_)));
}
