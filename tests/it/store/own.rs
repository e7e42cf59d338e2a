//! A store that a program gives to its server.

use super::open;
use crate::server::Folder;
use std::sync::Arc;
use telefile::server::BindError;
use telefile::{Client, Epoch, Server, Version};

#[test]
fn a_server_keeps_its_table_in_the_store_that_it_is_given() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let builder = || Server::builder().listen("127.0.0.1:0".parse().unwrap());
    let store = Arc::new(open(&data).unwrap());
    let server = builder().store(store.clone()).bind().unwrap().spawn().unwrap();
    let client = Client::connect_to(&server.addresses()[0]).unwrap();
    assert_eq!(client.epoch(), Epoch(super::EPOCH), "of the store");
    let large = vec![7; 100_000];
    client.write("large", &large).unwrap();
    assert_eq!(client.write("f", "kept").unwrap(), Version(2));
    server.stop().unwrap();
    drop(store);

    let server = builder().data(data).bind().unwrap().spawn().unwrap();
    let client = Client::builder().epoch(client.epoch());
    let client = client.connect_to(&server.addresses()[0]).unwrap();
    assert_eq!(&*client.read("f").unwrap().contents, b"kept");
    assert!(*client.read("large").unwrap().contents == *large);
}

#[test]
fn a_store_and_a_folder_exclude_each_other() {
    let folder = Folder::new();
    let store = Arc::new(open(&folder.path().join("one")).unwrap());
    let builder = Server::builder().listen("127.0.0.1:0".parse().unwrap());
    let error = builder.store(store).data(folder.path().join("two")).bind().unwrap_err();
    assert!(matches!(error, BindError::TwoStores), "{error}");
    assert!(!folder.path().join("two").exists());
}
