//! Folder synchronisation against real servers and real folders, in this process.

mod basics;
mod model;
mod table;
mod world;
