//! What a client refuses to send, and which calls a program may repeat.

use super::{bytes, connect, running};
use crate::server::{Folder, Running, portions};
use std::thread;
use std::time::Duration;
use telefile::client::Error;
use telefile::{Client, Exptime, Server, Version};

/// On the line 0 seconds are "never", and from 2^63 on there are no versions.
#[test]
fn a_number_outside_the_protocol_is_never_sent() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let (now, never, beyond) = (Exptime::Seconds(0), Exptime::Never, 1 << 63);
    client.write("f", "").unwrap();
    for error in [
        client.write_expiring("f", "", now).unwrap_err(),
        client.cas_expiring("f", Version(1), "", now).unwrap_err(),
        client.touch("f", Version(1), now).unwrap_err(),
        client.create("f", "", now).unwrap_err(),
        client.cas("f", Version(beyond), "").unwrap_err(),
        client.touch("f", Version(beyond), never).unwrap_err(),
        client.delete("f", Some(Version(beyond))).unwrap_err(),
        client.wait("f", Version(beyond), Duration::ZERO).unwrap_err(),
        client.watch("f", Version(beyond), Duration::ZERO).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    }
    assert!(client.pipeline().write_expiring("f", "", now).is_err());
    assert_eq!(
        client.stat("f").unwrap().version,
        Version(1),
        "nothing was changed, and it is in step"
    );
}

#[test]
fn a_client_that_keeps_versions_rejects_another_table() {
    let folder = Folder::new();
    let address = telefile::net::Address::Unix(folder.path().join("socket"));
    let serve = || Running::start(Server::builder().listen(address.clone()));
    let mut first = serve();
    let client = Client::connect_to(&address).unwrap();
    let (epoch, version) = (client.epoch(), client.write("config", "mine").unwrap());
    assert_eq!(client.latest_version().unwrap(), version);
    let again = Client::builder().epoch(epoch).connect_to(&address).unwrap();
    again.cas("config", version, "mine too").unwrap();
    assert_eq!(
        (client.latest_version().unwrap(), again.latest_version().unwrap()),
        (Version(2), Version(2))
    );
    first.stop();

    let _second = serve();
    let other = Client::connect_to(&address).unwrap();
    assert_eq!(other.write("config", "another's").unwrap(), version, "a trap");
    let kept = Client::builder().epoch(epoch).connect_to(&address);
    for error in
        [kept.unwrap_err(), client.reconnect().unwrap_err(), again.reconnect().unwrap_err()]
    {
        assert!(matches!(error, Error::OtherTable) && !error.is_retryable(), "{error:?}");
    }
    assert_eq!(&*other.read("config").unwrap().contents, b"another's");
}

#[test]
fn a_call_to_a_full_server_is_retryable_and_one_to_a_lost_server_is_not() {
    let mut server = Running::start(Server::builder().connections(1).max_contents(10));
    let client = connect(server.addresses()[0]);
    let crowded = Client::connect_to(server.addresses()[0]).unwrap_err();
    assert!(crowded.is_retryable(), "{crowded:?}");
    for error in [
        client.write("f", bytes(11)).unwrap_err(),
        client.read("f").unwrap_err(),
        client.cas("f", Version(3), "").unwrap_err(),
        client.open("f", Some("Nope")).unwrap_err(),
        client.read("@7").unwrap_err(),
    ] {
        assert!(!error.is_retryable(), "{error:?}");
    }
    server.stop();
    let lost = client.write("f", "").unwrap_err();
    assert!(matches!(lost, Error::Lost(_)) && !lost.is_retryable(), "{lost:?}");
}

/// The time-out is the server's. A pause of the caller that is longer takes nothing away from the next
/// request, though the kernel cannot buffer it all at once.
#[test]
fn a_pause_longer_than_the_time_out_does_not_end_a_large_write() {
    let server = running();
    let timeout = Duration::from_secs(2);
    let client =
        Client::builder().timeout(Some(timeout)).connect_to(server.addresses()[0]).unwrap();
    client.write("f", "before").unwrap();
    thread::sleep(timeout + Duration::from_millis(100));
    client.write("f", vec![b'x'; portions(15 << 20).0]).unwrap();
}
