//! The time for `hello`. This is the longest of all tests. Its place makes it start early, beside
//! the others.

use super::Serving;
use crate::pace::Pace;
use crate::server::{Client, Folder};
use std::thread;
use std::time::{Duration, Instant};

/// Sends until the server disconnects. Returns the time that took, with and without the delay of a
/// busy machine.
fn time_inside(mut client: Client, mut say: impl FnMut(&Client, Duration)) -> (Duration, Duration) {
    let (since, pace) = (Instant::now(), Pace::start());
    client.socket().set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    loop {
        say(&client, since.elapsed());
        match client.read(&mut [0; 64 << 10]) {
            Ok(0) => break,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            _ => assert!(pace.took() < Duration::from_secs(13), "still inside"),
        }
    }
    (since.elapsed(), pace.took())
}

/// The only test that has to last for 10 s: that is the time for `hello`.
#[test]
fn every_client_has_ten_seconds_to_send_its_token() {
    let folder = Folder::new();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let server = Serving::local(&["--token-file", path.to_str().unwrap()]);
    let (ten, pause) = (Duration::from_secs(10), Duration::from_millis(200));
    thread::scope(|scope| {
        let silent = scope.spawn(|| time_inside(server.client(), |_, _| thread::sleep(pause)));
        let dripping = scope.spawn(|| {
            time_inside(server.client(), |client, _| {
                let _ = client.try_send(" ");
                thread::sleep(pause);
            })
        });
        let asking = scope.spawn(|| {
            time_inside(server.client(), |client, _| {
                let _ = client.try_send("help\r\nread f\r\n");
                thread::sleep(pause);
            })
        });
        // Denied contents are skipped as they arrive, and here they arrive without a pause at the
        // deadline.
        let flooding = scope.spawn(|| {
            let client = server.client();
            client.send("write f 9223372036854775807\r\n");
            let junk = vec![b'x'; 4 << 20];
            time_inside(client, |client, since| {
                if since < ten - pause {
                    thread::sleep(pause);
                } else {
                    let _ = client.try_send(&junk);
                }
            })
        });
        let mut admitted = server.client();
        assert!(admitted.ask("hello s3cret").starts_with("HELLO 1 "));
        let in_time = |name: &str, (time, idle): (Duration, Duration)| {
            assert!(time > ten - pause && idle < ten + 5 * pause, "{name}: {time:?}, {idle:?}");
        };
        in_time("silent", silent.join().unwrap());
        in_time("dripping", dripping.join().unwrap());
        in_time("asking", asking.join().unwrap());
        in_time("flooding", flooding.join().unwrap());
        assert_eq!(admitted.ask("stat f"), "ERR_FILE_NOT_FOUND");
        admitted.alone();
    });
}
