//! Whiteboards, one for each name, wiped when the last client leaves. `whiteboard ADDRESS` serves.
//! `whiteboard ADDRESS NAME` draws what is typed, `X Y CHARACTER` a line, and prints the board.

use std::error::Error;
use std::process::ExitCode;
use telefile::{Client, Contents, File, Name, Refusal, Server, file_types};

const WIDTH: usize = 16;
const HEIGHT: usize = 4;

/// A write is a stroke, not the whole board, so strokes of several people never collide.
struct Board([[char; WIDTH]; HEIGHT]);

impl File for Board {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Board([['.'; WIDTH]; HEIGHT]))
    }

    fn write(&mut self, contents: Contents) -> Result<(), Refusal> {
        let stroke = std::str::from_utf8(&contents).map_err(|_| Refusal::Denied)?;
        let (x, y, ink) = parse(stroke).ok_or(Refusal::Denied)?;
        *self.0.get_mut(y).and_then(|row| row.get_mut(x)).ok_or(Refusal::Denied)? = ink;
        Ok(())
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(self.0.iter().flat_map(|row| row.iter().chain(&['\n'])).collect::<String>().into())
    }
}

fn parse(stroke: &str) -> Option<(usize, usize, char)> {
    let mut fields = stroke.split_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn draw(address: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let board = Client::connect(address)?.open(name, Some("Board"))?;
    for stroke in std::io::stdin().lines() {
        if let Err(e) = board.write(stroke?) {
            eprintln!("{e}");
        }
        print!("{}", String::from_utf8_lossy(&board.read()?.contents));
    }
    Ok(board.close()?)
}

fn run() -> Result<(), Box<dyn Error>> {
    match &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        [address, name] => draw(address, name),
        [address] => {
            let types = file_types![Board];
            let server = Server::builder().listen(address.parse()?).types(types).bind()?;
            println!("listening on {}", server.addresses()[0]);
            Ok(server.run()?)
        }
        _ => Err("usage: whiteboard ADDRESS [NAME]".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("whiteboard: {e}");
            ExitCode::FAILURE
        }
    }
}
