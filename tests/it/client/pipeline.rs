//! Many requests at once.

use super::{bytes, connect, running};
use crate::server::{PATIENCE, turns};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;
use telefile::client::{Answer, Error};
use telefile::{Client, Exptime, Refusal, Version};

/// Sent all at once, neither end could read for all that it has to write: 200 MB each way, or 20.
#[test]
fn thousands_of_requests_with_large_contents_both_ways_do_not_hang() {
    let (server, requests) = (running(), turns(10_000));
    for address in server.addresses() {
        let client = connect(address);
        let (small, large) = (bytes(20_000), bytes(20_001));
        client.write("f", &small).unwrap();
        client.write("g", &large).unwrap();
        let mut pipeline = client.pipeline();
        for i in 0..requests {
            match i % 3 {
                0 => pipeline.write("h", &large),
                1 => pipeline.read("f"),
                _ => pipeline.read("g"),
            }
            .unwrap();
        }
        let mut count = 0;
        for (i, answer) in pipeline.send().enumerate() {
            match (i % 3, answer.unwrap()) {
                (0, Answer::Version(_)) => {}
                (1, Answer::Snapshot(f)) => assert!(*f.contents == *small),
                (2, Answer::Snapshot(g)) => assert!(*g.contents == *large),
                (_, other) => panic!("{i}: {other:?}"),
            }
            count += 1;
        }
        assert_eq!(count, requests);
    }
}

#[test]
fn answers_come_in_order_and_a_refusal_concerns_one_request() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let note = client.open("note", Some("Note")).unwrap();
    let names: Vec<_> = (0..1000).map(|i| format!("n{i}")).collect();
    let mut pipeline = client.pipeline();
    for name in &names {
        pipeline.write(name, name).unwrap().cas(name, Version(0), "").unwrap().read(name).unwrap();
        pipeline.stat(name).unwrap().delete(name, None).unwrap().write(&note, "!").unwrap();
    }
    let mut answers = pipeline.send();
    for name in &names {
        let Some(Ok(Answer::Version(version))) = answers.next() else { panic!("{name}") };
        let refused = answers.next().unwrap().unwrap_err();
        assert_eq!(refused.refusal(), Some(&Refusal::Version(version)));
        assert_eq!(refused.to_string(), format!("{name} is at version {version}"));
        let Some(Ok(Answer::Snapshot(read))) = answers.next() else { panic!("{name}") };
        assert_eq!((&*read.contents, read.version), (name.as_bytes(), version));
        let Some(Ok(Answer::Stat(stat))) = answers.next() else { panic!("{name}") };
        assert_eq!((stat.version, stat.numbytes), (version, name.len() as u64));
        assert!(matches!(answers.next(), Some(Ok(Answer::Done))));
        assert!(matches!(answers.next(), Some(Ok(Answer::Version(_)))));
    }
    assert!(answers.next().is_none());
}

#[test]
fn many_leases_are_renewed_in_one_batch() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let names: Vec<_> = (0..100).map(|i| format!("lease{i}")).collect();
    let mut pipeline = client.pipeline();
    for name in &names {
        pipeline.write_expiring(name, "", Exptime::Seconds(1000)).unwrap();
    }
    let versions = pipeline.send().map(|answer| match answer.unwrap() {
        Answer::Version(version) => version,
        other => panic!("{other:?}"),
    });
    let versions: Vec<_> = versions.collect();
    let mut pipeline = client.pipeline();
    for (name, version) in names.iter().zip(&versions) {
        pipeline.touch(name, *version, Exptime::Seconds(5000)).unwrap();
    }
    let touched = pipeline.send().map(|answer| matches!(answer, Ok(Answer::Version(_))));
    assert_eq!(touched.filter(|done| *done).count(), 100);
    for (name, version) in names.iter().zip(versions) {
        let stat = client.stat(name).unwrap();
        assert_eq!(stat.version, version);
        assert!(matches!(stat.exptime, Exptime::Seconds(left) if left > 1000), "{stat:?}");
    }
}

#[test]
fn the_client_can_be_used_between_two_answers_and_the_rest_dropped() {
    let server = running();
    let client = connect(server.addresses()[0]);
    let note = client.open("note", Some("Note")).unwrap();
    let mut pipeline = client.pipeline();
    for _ in 0..5000 {
        pipeline.write("f", "x").unwrap();
    }
    let mut answers = pipeline.send();
    for i in 0..100 {
        let Some(Ok(Answer::Version(_))) = answers.next() else { panic!("{i}") };
        note.write("y").unwrap();
        assert_eq!(&*client.read("f").unwrap().contents, b"x");
    }
    drop(answers);
    let version = client.write("f", "z").unwrap();
    assert!(version < Version(5000), "most were never sent: {version}");
    assert!(client.pipeline().send().next().is_none());
}

#[test]
fn a_lost_connection_is_the_last_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let mut input = BufReader::new(listener.accept().unwrap().0);
        input.read_line(&mut String::new()).unwrap();
        input.get_mut().write_all(b"HELLO 1 00 0\r\n").unwrap();
        input.read_line(&mut String::new()).unwrap();
        input.get_mut().write_all(b"OK\r\nERR_FILE_NOT_FOUND\r\nOK\r\n").unwrap();
        let _ = input.get_mut().shutdown(std::net::Shutdown::Write);
        let _ = input.read_to_end(&mut Vec::new());
    });
    let client = Client::builder().timeout(Some(PATIENCE)).connect(&address).unwrap();
    let mut pipeline = client.pipeline();
    for _ in 0..100 {
        pipeline.delete("f", None).unwrap();
    }
    let answers: Vec<_> = pipeline.send().collect();
    assert!(matches!(
        answers[..],
        [Ok(Answer::Done), Err(Error::Refused { .. }), Ok(Answer::Done), Err(Error::Lost(_))]
    ));
    drop(client);
    server.join().unwrap();
}
