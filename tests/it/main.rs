//! The black-box tests: they know the server by its sockets alone.

mod book;
mod client;
mod code;
mod documents;
mod etcd;
mod examples;
mod framework;
mod house;
mod kinds;
mod linear;
mod pace;
mod process;
mod programs;
mod prometheus;
mod promises;
mod protocol;
mod python_client;
mod random;
mod recipes;
mod server;
mod store;
mod transcript;
