//! The exercise of chapter 16: close a small server so that nobody loses a reply.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};
use telefile::net::{BufferedStream, Listener, Live, Stream};

/// To do: this cuts off replies that are on their way. Idle sessions have to end too.
fn close(live: &Live<Arc<Stream>>, listener: &Listener) {
    live.close();
    listener.close();
    live.each(|stream| stream.shutdown(Shutdown::Both));
}

/// Sends each line back, but thinks before it does.
fn serve(live: &Live<Arc<Stream>>, stream: Stream, thinks: &Sender<()>, done: &Receiver<()>) {
    let stream = Arc::new(stream);
    let Some(_registration) = live.register(stream.clone()) else { return };
    let mut connection = BufferedStream::new(stream, 500, Duration::from_secs(10));
    let mut line = Vec::new();
    while connection.read_line(&mut line).is_ok_and(|is_line| is_line) {
        thinks.send(()).unwrap();
        done.recv().unwrap();
        connection.output().extend_from_slice(&line);
        let _ = connection.flush();
    }
}

fn main() {
    let live = Live::default();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap().remove(0);
    let ((thinks, thinking), (finish, done)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        let (live, listener) = (&live, &listener);
        scope.spawn(move || {
            live.accept_all(listener, |stream| serve(live, stream, &thinks, &done));
        });
        let mut client = TcpStream::connect(listener.address().to_string()).unwrap();
        client.write_all(b"hello\n").unwrap();
        thinking.recv().unwrap(); // about "hello"
        close(live, listener);
        finish.send(()).unwrap();
        live.wait_empty(Some(Instant::now() + Duration::from_secs(10)));
        assert_eq!(live.count(), 0, "the session has not ended");
        let mut reply = String::new();
        let _ = client.read_to_string(&mut reply);
        assert_eq!(reply, "hello", "the reply is lost");
    });
    println!("the reply came, and nobody is left");
}
