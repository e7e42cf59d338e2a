//! A list of many pages as an iterator.

use super::{connect, fill, running};
use crate::recipes::proxy::Proxy;
use telefile::Version;
use telefile::client::Error;

/// Two full pages and the beginning of a third.
const FILES: u64 = 20_005;

fn name(i: u64) -> String {
    format!("p/{i:05}")
}

#[test]
fn a_list_goes_on_from_page_to_page() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let (client, writer) = (proxy.client(), connect(server.addresses()[1]));
    fill(&writer, (0..FILES).map(name));
    writer.write("q", "").unwrap();

    let mut list = client.list("p/").unwrap();
    assert_eq!((list.version(), proxy.asked("list")), (Version(FILES + 1), 1));
    let page: Vec<_> = list.by_ref().take(10_000).map(|file| file.unwrap().name).collect();
    assert_eq!(proxy.asked("list"), 1, "no page is asked for before it is needed");
    // A list is no snapshot. The client is free between two pages.
    client.delete(name(19_999).as_str(), None).unwrap();
    writer.write("p/0", "sorts before what is listed").unwrap();
    let rest: Vec<_> = list.by_ref().map(|file| file.unwrap().name).collect();
    let listed: Vec<_> = page.into_iter().chain(rest).collect();
    let expected: Vec<_> = (0..FILES).filter(|i| *i != 19_999).map(name).collect();
    assert!(listed == expected);
    assert_eq!(list.version(), Version(FILES + 1), "of the first page");
    assert!(list.next().is_none());
    assert_eq!(proxy.asked("list"), 3);

    assert_eq!(client.list("p/2").unwrap().count(), 5);
    assert_eq!(client.list_after("p/", &name(20_003)).unwrap().count(), 1);
    assert_eq!(client.list("nothing").unwrap().count(), 0);
    assert_eq!(client.list("").unwrap().count() as u64, FILES + 1);
    assert!(matches!(client.list("a b").unwrap_err(), Error::Invalid(_)));
}

#[test]
fn a_list_ends_with_an_error_and_can_be_continued_by_another_client() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let client = proxy.client();
    fill(&connect(server.addresses()[1]), (0..10_005).map(name));

    let mut list = client.list("").unwrap();
    proxy.cut();
    let listed: Vec<_> = list.by_ref().map_while(Result::ok).map(|file| file.name).collect();
    assert_eq!(listed.len(), 10_000, "those of the page that had come");
    assert!(list.next().is_none(), "nothing comes after the error");

    let client = client.reconnect().unwrap();
    let rest: Vec<_> = client.list_after("", &listed[9999]).unwrap().map(Result::unwrap).collect();
    assert_eq!((rest.len(), &rest[0].name), (5, &name(10_000)));

    let mut list = client.list("").unwrap();
    proxy.cut();
    assert!(matches!(list.nth(10_000), Some(Err(Error::Lost(_)))));
}
