//! A server with a token.

use super::{Client, Running};
use telefile::{Server, Token};

#[test]
fn nothing_is_executed_without_the_token() {
    let server = Running::start(Server::builder().token(Token::new("s3cret").unwrap()));
    for address in server.addresses() {
        let mut client = Client::connect(address);
        assert_eq!(client.ask("stats"), "ERR_DENIED");
        assert_eq!(client.write("f", b"abcdef"), "ERR_DENIED");
        assert_eq!(client.ask("hello"), "ERR_DENIED");
        assert!(client.ask("hello s3cret").starts_with("HELLO 1 "));
        assert_eq!(client.ask("read f"), "ERR_FILE_NOT_FOUND");
        assert_eq!(client.stat("version"), 0);
        for wrong in ["s3cre", "s3crets", "S3CRET"] {
            let mut client = Client::connect(address);
            client.send(format!("hello {wrong}\r\nstats\r\n"));
            assert_eq!(client.read_to_end(), "ERR_DENIED\r\n", "{wrong}");
        }
    }
}
