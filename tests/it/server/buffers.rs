//! Connections whose buffers have no memory to grow: slower, and as right.

use crate::random::Random;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use telefile::net::{Budget, BufferedStream, Stream};

const TIMEOUT: Duration = Duration::from_secs(600);

fn connection(budget: &Arc<Budget>) -> (BufferedStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut connection = BufferedStream::new(Arc::new(Stream::new(ours, None)), 500, TIMEOUT);
    connection.set_budget(budget);
    (connection, theirs)
}

#[test]
fn replies_arrive_with_and_without_memory_to_collect_them() {
    for (max, most) in [(0, 0), (1 << 20, 100 << 10)] {
        let budget = Budget::new(max);
        let (mut connection, mut peer) = connection(&budget);
        let mut random = Random(7);
        let mut sent = Vec::new();
        let reader = thread::spawn(move || {
            let mut came = Vec::new();
            peer.read_to_end(&mut came).map(|_| came)
        });
        for i in 0..2000 {
            let head = format!("CONTENTS {i}\r\n");
            let contents = vec![i as u8; random.below(1 << (i % 17))];
            connection.output().extend_from_slice(head.as_bytes());
            connection.send_contents(&contents).unwrap();
            connection.flush_if_large().unwrap();
            sent.extend([head.as_bytes(), &contents, b"\r\n"].concat());
            assert!(budget.used() <= most, "{} bytes", budget.used());
            if max == 0 {
                assert!(connection.output().capacity() <= 8 << 10);
            }
        }
        assert!(budget.used() > 0 || max == 0);
        connection.close(Duration::ZERO, 0).unwrap();
        assert!(reader.join().unwrap().unwrap() == sent);
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn output_of_any_length_may_be_collected_before_it_is_sent() {
    for max in [0, 1 << 20] {
        let (mut connection, mut peer) = connection(&Budget::new(max));
        let reader = thread::spawn(move || {
            let mut came = Vec::new();
            peer.read_to_end(&mut came).map(|_| came)
        });
        let long = vec![b'x'; 200_000];
        connection.output().extend_from_slice(&long);
        connection.flush_if_large().unwrap();
        assert!(connection.output().is_empty(), "200 kB are sent at once");
        connection.close(Duration::ZERO, 0).unwrap();
        assert!(reader.join().unwrap().unwrap() == long);
    }
}

#[test]
fn requests_are_read_with_and_without_memory_for_them() {
    for max in [0, 1 << 20] {
        let budget = Budget::new(max);
        let (mut connection, mut peer) = connection(&budget);
        let lines: Vec<_> = (0..20_000).map(|i| format!("{i}{}", "x".repeat(i % 490))).collect();
        let text = lines.join("\n") + "\n";
        thread::scope(|scope| {
            scope.spawn(move || std::io::Write::write_all(&mut peer, text.as_bytes()).unwrap());
            let mut line = Vec::new();
            for expected in &lines {
                assert!(connection.read_line(&mut line).unwrap());
                assert_eq!(line, expected.as_bytes());
                assert!(budget.used() <= 60 << 10);
            }
            assert!(!connection.read_line(&mut line).unwrap());
        });
    }
}
