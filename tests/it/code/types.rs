//! Which types a server has, and what they may be called.

use super::start;
use telefile::server::BindError;
use telefile::{Contents, File, FileType, Name, Refusal, Server, file_types};

struct Plain;

impl File for Plain {
    fn create(_: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Plain)
    }
}

mod inner {
    pub(super) struct Deep;

    impl telefile::File for Deep {
        fn create(_: &telefile::Name, _: &()) -> Result<Self, telefile::Refusal> {
            Ok(Deep)
        }
        fn read(&mut self) -> Result<telefile::Contents, telefile::Refusal> {
            Ok("deep".into())
        }
    }
}

fn refused(types: Vec<FileType>) -> String {
    let builder = Server::builder().listen("127.0.0.1:0".parse().unwrap()).types(types);
    let error = builder.bind().map(|_| ()).unwrap_err();
    assert!(matches!(error, BindError::FileType(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_name_that_two_types_have_is_an_error_that_shows_it() {
    for (types, name) in [
        (file_types![Plain, inner::Deep, Plain], "Plain"),
        (file_types![Plain, "Plain" => inner::Deep], "Plain"),
        (file_types!["x/y" => Plain, "x/y" => inner::Deep], "x/y"),
        (file_types!["File" => Plain], "File"),
        (file_types!["MemoryFile" => Plain], "MemoryFile"),
    ] {
        let error = refused(types);
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn types_of_several_lists_are_compared_too() {
    let builder = Server::builder().listen("127.0.0.1:0".parse().unwrap());
    let twice = builder.types(file_types![Plain]).types(file_types![Plain]).bind();
    assert!(twice.unwrap_err().to_string().contains("Plain"));
}

#[test]
fn a_name_that_cannot_stand_in_a_line_is_refused() {
    for types in [
        file_types!["" => Plain],
        file_types!["two words" => Plain],
        file_types!["line\nend" => Plain],
        file_types!["@7" => Plain],
    ] {
        assert!(refused(types).contains("name"));
    }
    let long: &'static str = Box::leak("x".repeat(500).into_boxed_str());
    assert!(refused(vec![FileType::new::<Plain>(long)]).contains("name"));
}

#[test]
fn types_lists_the_built_in_ones_and_those_of_the_program() {
    let types = file_types![Plain, inner::Deep, "größe" => Plain];
    let server = crate::server::Running::start(Server::builder().types(types));
    let mut client = server.client();
    let head = client.ask("types");
    let count: usize = head.strip_prefix("TYPES ").unwrap().parse().unwrap();
    let names: Vec<_> = (0..count).map(|_| client.line()).collect();
    for name in ["MemoryFile", "File", "Plain", "Deep", "größe"] {
        assert_eq!(names.iter().filter(|n| *n == name).count(), 1, "{name} in {names:?}");
    }
    assert_eq!(client.ask("open a Deep"), "FD 0 1 Deep");
    assert_eq!(super::read(&mut client, "a"), "CONTENTS 1 4 0: deep");
    assert_eq!(client.ask("open b größe"), "FD 1 2 größe");
    assert_eq!(client.ask("open a größe"), "ERR_TYPE Deep");
    assert_eq!(client.ask("open c inner::Deep"), "ERR_TYPE_NOT_FOUND");
    assert_eq!(client.ask("open c deep"), "ERR_TYPE_NOT_FOUND");
}

#[test]
fn what_a_type_does_not_say_is_denied_and_changes_nothing() {
    let server = crate::server::Running::start(Server::builder().types(file_types![Plain]));
    let mut client = server.client();
    assert_eq!(client.ask("open a Plain"), "FD 0 1 Plain");
    assert_eq!(client.ask("read @0"), "ERR_DENIED");
    assert_eq!(client.write("@0", b"abc"), "ERR_DENIED");
    assert_eq!(client.ask("stat a"), "STAT 1 0 0 Plain 1");
}

#[test]
fn a_type_may_read_more_than_a_client_may_write() {
    struct Large;
    impl File for Large {
        fn create(_: &Name, _: &()) -> Result<Self, Refusal> {
            Ok(Large)
        }
        fn read(&mut self) -> Result<Contents, Refusal> {
            Ok(vec![b'x'; 3 << 20].into())
        }
    }
    let builder = Server::builder().max_contents(10).types(file_types![Large]);
    let server = crate::server::Running::start(builder);
    let mut client = server.client();
    client.ask("open a Large");
    assert_eq!(client.ask("read a"), format!("CONTENTS 1 {} 0", 3 << 20));
    assert_eq!(client.contents(3 << 20), vec![b'x'; 3 << 20]);
    assert_eq!(client.ask("stat a"), "STAT 1 0 0 Large 1");
}

#[test]
fn open_with_an_unknown_type_makes_nothing() {
    let server = start();
    let mut client = server.client();
    assert_eq!(client.ask("open a NoSuchType"), "ERR_TYPE_NOT_FOUND");
    assert_eq!((client.stat("version"), client.stat("opens"), client.stat("files")), (0, 0, 0));
    assert_eq!(client.write("a", b""), "OK 1", "the name is not kept busy");
}
