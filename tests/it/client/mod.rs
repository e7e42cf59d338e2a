//! `telefile::Client` against a server in this process, and against servers that lie.

mod addresses;
mod coordination;
mod errors;
mod files;
mod follow;
mod foreign;
mod keep_alive;
mod liar;
mod list;
mod pipeline;
mod scripted;
mod waits;

use crate::server::{Folder, PATIENCE, Running, portions};
use std::time::Duration;
use telefile::client::Error;
use telefile::net::Address;
use telefile::{
    Client, Contents, Exptime, File, Limit, Name, Refusal, Server, Token, Version, file_types,
};

/// Keeps what is written while somebody has it open, and takes at most 20 bytes.
struct Note(Contents);

impl File for Note {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Note(Contents::from("")))
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(self.0.clone())
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        if contents.len() > 20 {
            return Err(Refusal::Denied);
        }
        self.0 = contents;
        Ok(())
    }
}

fn running() -> Running {
    Running::start(Server::builder().types(file_types![Note]))
}

/// A client that gives up rather than hang a test.
#[track_caller]
fn connect(address: &Address) -> Client {
    Client::builder().timeout(Some(PATIENCE)).connect_to(address).unwrap()
}

/// Makes empty files, many at once.
fn fill(client: &Client, names: impl Iterator<Item = String>) {
    let names: Vec<_> = names.collect();
    let mut pipeline = client.pipeline();
    for name in &names {
        pipeline.write(name, "").unwrap();
    }
    pipeline.send().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
}

/// Bytes of all kinds, line ends and what looks like a reply among them.
fn bytes(len: usize) -> Vec<u8> {
    let start = b"\r\nOK 7\r\n\0\xff".iter().copied();
    start.chain((0..).map(|i: usize| (i * 7 + i / 251) as u8)).take(len).collect()
}

#[test]
fn every_method_does_what_it_says_on_both_kinds_of_sockets() {
    for which in [0, 1] {
        let server = running();
        let client = connect(server.addresses()[which]);
        assert_eq!(client.write("a", "one").unwrap(), Version(1));
        assert_eq!(client.cas("a", Version(1), "two").unwrap(), Version(2));
        let read = client.read("a").unwrap();
        assert_eq!(
            (&*read.contents, read.version, read.exptime),
            (&b"two"[..], Version(2), Exptime::Never)
        );
        let stat = client.stat("a").unwrap();
        assert_eq!((stat.version, stat.numbytes, stat.opens), (Version(2), 3, 0));
        assert_eq!((&stat.kind[..], stat.exptime), ("MemoryFile", Exptime::Never));
        client.delete("a", Some(Version(2))).unwrap();
        assert_eq!(
            client.cas_expiring("a", Version(0), "three", Exptime::Seconds(9)).unwrap(),
            Version(4)
        );
        assert_eq!(client.read("a").unwrap().exptime, Exptime::Seconds(9));
        client.write_expiring("a", "four", Exptime::Seconds(99)).unwrap();
        assert_eq!(client.stat("a").unwrap().exptime, Exptime::Seconds(99));
        client.delete("a", None).unwrap();
        assert!(client.types().unwrap().contains(&"Note".to_string()));
        let stats = client.stats().unwrap();
        assert!(stats.contains(&("connections".to_string(), "1".to_string())), "{stats:?}");
        assert_eq!(connect(server.addresses()[which]).epoch(), client.epoch());
    }
}

#[test]
fn any_bytes_are_contents() {
    let server = running();
    let (large, _) = portions(3_000_001);
    for address in server.addresses() {
        let client = connect(address);
        for len in [0, 1, 10, 16_383, 16_384, 65_536, 65_537, large] {
            let sent = bytes(len);
            let version = client.write("f", &sent).unwrap();
            let read = client.read("f").unwrap();
            assert_eq!(read.version, version);
            assert!(&*read.contents == sent.as_slice(), "{len} bytes");
        }
    }
}

#[test]
fn refusals_are_typed_and_name_the_file_and_the_number() {
    let server = running();
    let client = connect(server.addresses()[0]);
    client.write("lock/db", "").unwrap();
    let note = client.open("note", Some("Note")).unwrap();
    for (error, refusal, text) in [
        (client.read("x").unwrap_err(), Refusal::NotFound, "x does not exist"),
        (client.stat("x").unwrap_err(), Refusal::NotFound, "x does not exist"),
        (client.delete("x", None).unwrap_err(), Refusal::NotFound, "x does not exist"),
        (
            client.cas("x", Version(3), "").unwrap_err(),
            Refusal::Version(Version(0)),
            "x does not exist",
        ),
        (
            client.cas("lock/db", Version(9), "").unwrap_err(),
            Refusal::Version(Version(1)),
            "lock/db is at version 1",
        ),
        (
            client.delete("lock/db", Some(Version(9))).unwrap_err(),
            Refusal::Version(Version(1)),
            "lock/db is at version 1",
        ),
        (
            client.open("x", Some("Nope")).unwrap_err(),
            Refusal::TypeNotFound,
            "x: the server has no such type",
        ),
        (
            note.write("more than twenty bytes").unwrap_err(),
            Refusal::Denied,
            "note: the file's type does not permit that",
        ),
        (
            note.cas(Version(7), "").unwrap_err(),
            Refusal::Version(Version(2)),
            "note is at version 2",
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.refusal(), Some(&refusal), "{error:?}");
    }
    let error = client.open("note", Some("File")).unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::WrongType(kind)) if kind.as_str() == "Note"));
    assert_eq!(error.to_string(), "note is of type Note");
}

#[test]
fn an_invalid_name_is_never_sent() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let long = "n".repeat(600);
    for bad in ["", "a b", "a\r\nwrite b 0\r\n", "a\n", "@7", "a\0", "a\u{a0}b", &long] {
        for error in [
            client.read(bad).unwrap_err(),
            client.stat(bad).unwrap_err(),
            client.write(bad, "").unwrap_err(),
            client.cas(bad, Version(0), "").unwrap_err(),
            client.delete(bad, None).unwrap_err(),
            client.open(bad, None).unwrap_err(),
            client.open("f", Some(bad)).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Invalid(_)), "{bad:?}: {error:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        assert!(client.pipeline().read(bad).is_err());
    }
    assert_eq!(
        client.write("f", "").unwrap(),
        Version(1),
        "nothing was changed, and it is in step"
    );
}

#[test]
fn contents_over_the_clients_maximum_are_skipped() {
    let server = running();
    connect(server.addresses()[0]).write("large", bytes(1_000_000)).unwrap();
    let client = Client::builder().timeout(Some(PATIENCE)).max_contents(999_999);
    let client = client.connect_to(server.addresses()[0]).unwrap();
    for _ in 0..2 {
        let error = client.read("large").unwrap_err();
        let Error::TooLarge { file, numbytes, max } = &error else { panic!("{error:?}") };
        assert_eq!((&file[..], *numbytes, *max), ("large", 1_000_000, 999_999));
    }
    assert!(!client.wait_lost(Duration::ZERO).unwrap(), "what is passed over is no end");
    assert_eq!(client.stat("large").unwrap().numbytes, 1_000_000);
}

#[test]
fn a_write_over_the_servers_limit_is_refused_and_the_connection_goes_on() {
    let server = Running::start(Server::builder().max_contents(1000));
    for address in server.addresses() {
        let client = connect(address);
        let error = client.write("f", bytes(5_000_000)).unwrap_err();
        assert_eq!(error.refusal(), Some(&Refusal::Limit(Limit::Contents, 1000)));
        assert_eq!(error.to_string(), "f: the server takes at most 1000 bytes for a file");
        client.write("f", bytes(1000)).unwrap();
    }
}

#[test]
fn a_client_over_the_limit_of_connections_receives_the_reason() {
    let server = Running::start(Server::builder().connections(1));
    let inside = connect(server.addresses()[0]);
    let error = Client::connect_to(server.addresses()[0]).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::Limit(Limit::Connections, 1)), "{error:?}");
    inside.write("f", "").unwrap();
}

#[test]
fn a_client_with_the_token_is_accepted() {
    let folder = Folder::new();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let server = Running::start(Server::builder().token(Token::from_file(&path).unwrap()));
    for address in server.addresses() {
        let with = |token: &[u8]| Client::builder().token(token).connect_to(address);
        with(b"s3cret").unwrap().write("f", "").unwrap();
        with(&std::fs::read(&path).unwrap()).unwrap().read("f").unwrap();
        for error in [with(b"wrong").unwrap_err(), Client::connect_to(address).unwrap_err()] {
            assert_eq!(error.refusal(), Some(&Refusal::WrongToken));
        }
        for bad in [&b""[..], b"two words", b"x\r\nquit", &[b'x'; 401]] {
            assert!(matches!(with(bad).unwrap_err(), Error::Invalid(_)));
        }
    }
    assert!(!format!("{:?}", Client::builder().token("s3cret")).contains("s3cret"));
}

#[test]
fn addresses_are_text_and_a_missing_server_is_an_error_of_its_own() {
    let server = running();
    for address in server.addresses() {
        Client::connect(&address.to_string()).unwrap().write("f", "").unwrap();
    }
    for bad in ["", "localhost", "unix:"] {
        assert!(matches!(Client::connect(bad).unwrap_err(), Error::Invalid(_)), "{bad:?}");
    }
    let folder = Folder::new();
    let nobody = format!("unix:{}", folder.path().join("nobody").display());
    let error = Client::connect(&nobody).unwrap_err();
    assert!(matches!(&error, Error::Connect(_)) && error.to_string().contains(&nobody), "{error}");
}

#[test]
fn a_time_out_may_have_any_length() {
    let server = running();
    let (large, _) = portions(3_000_000);
    for (timeout, address) in [None, Some(Duration::MAX)].into_iter().zip(server.addresses()) {
        let client = Client::builder().timeout(timeout).connect_to(address).unwrap();
        client.write("f", bytes(large)).unwrap();
        assert_eq!(client.read("f").unwrap().contents.len(), large);
    }
}

#[test]
fn a_lost_connection_stays_lost() {
    let mut server = running();
    let client = connect(server.addresses()[0]);
    let note = client.open("note", Some("Note")).unwrap();
    assert!(!client.wait_lost(Duration::ZERO).unwrap());
    server.stop();
    assert!(client.wait_lost(PATIENCE).unwrap());
    for error in [client.write("f", "").unwrap_err(), client.read("f").unwrap_err()] {
        assert!(matches!(error, Error::Lost(_)), "{error:?}");
    }
    assert!(matches!(note.read().unwrap_err(), Error::Lost(_)));
    assert!(matches!(note.close().unwrap_err(), Error::Lost(_)));
}

#[test]
fn a_client_knows_the_idle_timeout_of_its_server() {
    for timeout in [None, Some(Duration::from_millis(400)), Some(Duration::from_secs(30))] {
        let server = Running::start(Server::builder().idle_timeout(timeout));
        assert_eq!(connect(server.addresses()[0]).idle_timeout(), timeout);
    }
}
