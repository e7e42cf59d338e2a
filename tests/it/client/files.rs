//! Open files: who keeps them open, and until when.

use super::{connect, running};
use crate::server::eventually;
use std::thread;
use telefile::client::{Error, OpenFile};
use telefile::{Client, Fd, Refusal};

#[test]
fn a_client_can_have_several_files_open_and_still_be_used() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let a = client.open("a", Some("Note")).unwrap();
    let b = client.open("b", Some("Note")).unwrap();
    assert_eq!((a.name(), a.kind(), a.descriptor()), ("a", "Note", Fd(0)));
    assert_eq!(b.descriptor(), Fd(1));
    let version = a.write("A").unwrap();
    assert!(version > a.version());
    b.write("B").unwrap();
    client.write("c", "C").unwrap();
    assert_eq!(a.cas(version, "AA").unwrap(), a.stat().unwrap().version);
    assert_eq!(&*a.read().unwrap().contents, b"AA");
    assert_eq!(&*client.read(&b).unwrap().contents, b"B", "a file open is as good as its name");
    assert_eq!(client.stat(&a).unwrap().opens, 1);
}

#[test]
fn dropping_an_open_file_closes_it() {
    let server = running();
    let (client, other) = (connect(server.addresses()[0]), connect(server.addresses()[1]));
    let opens = || other.stat("f").map(|stat| stat.opens);
    let first = client.open("f", Some("Note")).unwrap();
    let second = client.open("f", None).unwrap();
    let third = other.open("f", None).unwrap();
    assert_eq!((first.descriptor(), opens().unwrap()), (third.descriptor(), 3));
    drop(first);
    assert_eq!(opens().unwrap(), 2);
    second.close().unwrap();
    assert_eq!(opens().unwrap(), 1);
    drop(third);
    assert_eq!(opens().unwrap_err().refusal(), Some(&Refusal::NotFound));
    assert_eq!(client.open("g", None).unwrap().descriptor(), Fd(0), "the number is free again");
}

#[test]
fn the_connection_lasts_as_long_as_an_open_file() {
    let server = running();
    let other = connect(server.addresses()[0]);
    let client = connect(server.addresses()[0]);
    let file = client.open("f", Some("Note")).unwrap();
    drop(client);
    file.write("here").unwrap();
    assert_eq!(other.stat("f").unwrap().opens, 1);
    drop(file);
    eventually("the file is gone", || other.stat("f").is_err());
    eventually("the connection is gone", || {
        other.stats().unwrap().contains(&("connections".to_string(), "1".to_string()))
    });
}

#[test]
fn an_open_file_belongs_to_the_client_that_opened_it() {
    let server = running();
    let (client, other) = (connect(server.addresses()[0]), connect(server.addresses()[0]));
    let file = client.open("f", Some("Note")).unwrap();
    let error = other.read(&file).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    assert_eq!(error.to_string(), "f is open at another client");
}

#[test]
fn a_deleted_file_lives_on_while_it_is_open() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let file = client.open("f", Some("Note")).unwrap();
    file.write("kept").unwrap();
    client.delete("f", None).unwrap();
    assert_eq!(&*file.read().unwrap().contents, b"kept");
    assert_eq!(client.read("f").unwrap_err().refusal(), Some(&Refusal::NotFound));
    file.close().unwrap();
}

#[test]
fn threads_share_a_client_and_its_open_files() {
    fn moves<T: Send + Sync + 'static>() {}
    moves::<Client>();
    moves::<OpenFile>();
    let server = running();
    let client = connect(server.addresses()[1]);
    let file = client.open("f", Some("Note")).unwrap();
    let written = thread::spawn(move || file.write("far"));
    thread::scope(|scope| {
        for i in 0..4 {
            let client = &client;
            scope.spawn(move || {
                let name = format!("n{i}");
                for n in 0..100 {
                    let contents = n.to_string().repeat(1 + n * i);
                    let version = client.write(&name, &contents).unwrap();
                    let read = client.read(&name).unwrap();
                    assert_eq!((&*read.contents, read.version), (contents.as_bytes(), version));
                }
            });
        }
    });
    written.join().unwrap().unwrap();
}
