//! The exercise of chapter 21: make a failure as small as it can be.

use Request::{Delete, Read, Write};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Request {
    Read,
    Write,
    Delete,
}

/// Returns the versions that the writes of one file get. With the bug, a deletion takes none.
fn versions(requests: &[Request], with_bug: bool) -> Vec<u32> {
    let (mut last, mut exists, mut versions) = (0, false, Vec::new());
    for request in requests {
        match request {
            Read => {}
            Write => {
                (last, exists) = (last + 1, true);
                versions.push(last);
            }
            Delete if exists => (last, exists) = (last + u32::from(!with_bug), false),
            Delete => {}
        }
    }
    versions
}

fn fails(requests: &[Request]) -> bool {
    versions(requests, true) != versions(requests, false)
}

/// Returns a part of the requests that still fails, and of which no request can be left out. To do.
fn shrink(requests: Vec<Request>) -> Vec<Request> {
    requests
}

fn main() {
    let found: Vec<_> = [Read, Delete, Write, Read, Write, Delete, Read, Write].repeat(20);
    assert!(fails(&found));
    let small = shrink(found);
    assert!(fails(&small), "it still fails");
    assert_eq!(small, [Write, Delete, Write], "{} requests are left", small.len());
    println!("three requests show the bug");
}
