//! The message framework beside a bare blocking echo of the same bytes: messages a second and p99,
//! with one connection and with 50, one message in flight and 16.
//!
//! Each server is a process of its own, started for each sample, and all take turns. The load is a
//! blocking thread for each connection. It compares the bytes that it expects, which costs about as
//! much as the bare echo does. A sample that other programs disturbed is measured again, once.

#[path = "compare/machine.rs"]
#[allow(dead_code)] // the comparison uses more of it
mod machine;
#[path = "compare/window.rs"]
mod window;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use telefile::framework::{OwnedMessage, Server, ServerApp, ServerConfig};
use window::Phase;

const PAYLOAD_BYTES: usize = 100;

/// The server under test.
#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Bare,
    /// The number of workers.
    Framework(usize),
}

const PEERS: [Peer; 3] = [Peer::Bare, Peer::Framework(1), Peer::Framework(4)];

/// The number of connections, and of messages that each has in flight.
const SCENARIOS: [(usize, usize); 4] = [(1, 1), (50, 1), (1, 16), (50, 16)];

struct Sample {
    peer: Peer,
    per_second: f64,
    p99_us: f64,
    disturbed: bool,
}

/// Measure the message framework beside a bare blocking echo, and print one table
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench framework --")]
struct Args {
    /// Measure each sample for SECS seconds
    #[arg(long, value_name = "SECS", default_value = "2", value_parser = window::seconds)]
    secs: Duration,
    /// Take N samples of each server
    #[arg(long, value_name = "N", default_value = "7")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    reps: usize,
    /// Measure this scenario [default: all]
    #[arg(long, value_name = "CONNECTIONSxDEPTH", value_parser = ["1x1", "50x1", "1x16", "50x16"])]
    only: Option<String>,
    /// Be a server: the bare one, or the framework with this many workers
    #[arg(long, hide = true)]
    serve: Option<usize>,
    /// Measure: `cargo bench` adds this, and `cargo test --all-targets` does not
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { secs: time, reps, only, serve, bench } = Args::parse();
    match serve {
        Some(0) => return serve_bare(),
        Some(workers) => return serve_framework(workers),
        None if !bench => return Ok(()), // cargo test --all-targets
        None => {}
    }
    let name = |(connections, depth)| format!("{connections}x{depth}");
    println!(
        "| connections, in flight | bare | 1 worker | 4 workers | 1 / bare | 4 / 1 | disturbed |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (connections, depth) in SCENARIOS {
        let name = name((connections, depth));
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let (mut samples, mut order) = (Vec::new(), PEERS);
        for _ in 0..reps {
            for peer in order {
                let measure = || measure(peer, connections, depth, time);
                let mut sample = measure()?;
                if sample.disturbed {
                    sample = measure()?;
                }
                samples.push(sample);
            }
            order.rotate_left(1);
        }
        println!("| {name} {}", line(&samples));
    }
    println!("\nk messages/s, p99 in us; medians of {reps} samples of {time:?}, {PAYLOAD_BYTES} B");
    Ok(())
}

fn line(samples: &[Sample]) -> String {
    let median = |peer: Peer, value: fn(&Sample) -> f64| {
        let mut values: Vec<_> = samples.iter().filter(|s| s.peer == peer).map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let disturbed = samples.iter().filter(|s| s.disturbed).count();
    let [bare, one, four] = PEERS.map(|peer| median(peer, |s| s.per_second));
    let cells = PEERS.map(|peer| {
        format!("{:.1}, {:.0}", median(peer, |s| s.per_second) / 1e3, median(peer, |s| s.p99_us))
    });
    let ratios = format!("{:.2} | {:.2}", one / bare, four / one);
    format!("| {} | {ratios} | {disturbed} of {} |", cells.join(" | "), samples.len())
}

/// A server's process. Killed when dropped.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(peer: Peer) -> Result<Process, Box<dyn Error>> {
        let workers = match peer {
            Peer::Bare => 0,
            Peer::Framework(workers) => workers,
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve", &workers.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut address)?;
        Ok(Process { child, address: address.trim_end().to_string() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(
    peer: Peer,
    connections: usize,
    depth: usize,
    time: Duration,
) -> Result<Sample, Box<dyn Error>> {
    machine::wait_until_quiet();
    let server = Process::start(peer)?;
    let phase = Phase::new();
    let streams: Vec<_> =
        (0..connections).map(|_| TcpStream::connect(&server.address)).collect::<Result<_, _>>()?;
    let (window, tallies) = thread::scope(|scope| {
        let drive = |stream| drive(stream, depth, &phase);
        let loads: Vec<_> =
            streams.into_iter().map(|stream| scope.spawn(move || drive(stream))).collect();
        let window = phase.pass(time, server.child.id());
        let tallies = loads.into_iter().map(|load| load.join().expect("no panic"));
        (window, tallies.collect::<Vec<_>>())
    });
    let mut all = new_tally();
    for tally in tallies {
        all.add(tally?)?;
    }
    Ok(Sample {
        peer,
        per_second: all.len() as f64 / window.seconds,
        p99_us: all.value_at_quantile(0.99) as f64 / 1e3,
        disturbed: window.is_disturbed(),
    })
}

fn new_tally() -> Histogram<u32> {
    Histogram::new_with_max(60_000_000_000, 2).expect("these bounds are valid")
}

/// Sends one batch after the other until the phase is over. Returns the time that each message took,
/// in nanoseconds.
fn drive(mut stream: TcpStream, depth: usize, phase: &Phase) -> io::Result<Histogram<u32>> {
    stream.set_nodelay(true)?;
    let mut message = vec![7, 0, PAYLOAD_BYTES as u8, 0, 0, 0];
    message.resize(6 + PAYLOAD_BYTES, b'x');
    let batch = message.repeat(depth);
    let mut reply = vec![0; batch.len()];
    let mut tally = new_tally();
    while !phase.is_over() {
        let since = Instant::now();
        stream.write_all(&batch)?;
        stream.read_exact(&mut reply)?;
        let took = since.elapsed();
        if reply != batch {
            return Err(io::Error::other("the reply is not what was sent"));
        }
        if phase.is_measuring() {
            tally.saturating_record_n(took.as_nanos() as u64, depth as u32);
        }
    }
    Ok(tally)
}

fn say(address: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout(), "{address}")
}

/// Serves with a thread for each connection, and sends back what each receive returns.
fn serve_bare() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    say(listener.local_addr()?)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        thread::spawn(move || -> io::Result<()> {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match stream.read(&mut buffer)? {
                    0 => return Ok(()),
                    n => stream.write_all(&buffer[..n])?,
                }
            }
        });
    }
    Ok(())
}

struct Echo;

impl ServerApp for Echo {
    type Context = ();

    fn new((): ()) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Echo)
    }

    fn on_message(&mut self, OwnedMessage { message, client }: OwnedMessage) {
        client.send(message);
    }
}

fn serve_framework(workers: usize) -> Result<(), Box<dyn Error>> {
    let config = ServerConfig::<Echo>::new(()).listen("127.0.0.1:0".parse()?).workers(workers);
    let server = Server::spawn(config)?;
    say(&server.addresses()[0])?;
    loop {
        thread::park();
    }
}
