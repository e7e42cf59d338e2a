//! The file of options of `telefile serve`, in a program that has all options.
#![cfg(feature = "durable")]

use super::{Serving, run, telefile};
use crate::documents::page::pages;
use crate::programs::program;
use crate::server::Folder;
use std::fs;
use std::process::Command;

/// A folder with a file of options.
struct Config {
    folder: Folder,
    path: String,
}

impl Config {
    fn new(text: impl AsRef<[u8]>) -> Config {
        let folder = Folder::new();
        let path = folder.path().join("telefile.toml");
        fs::write(&path, text).unwrap();
        Config { folder, path: path.to_str().unwrap().to_string() }
    }

    /// Returns `telefile serve` with this file and `args`.
    fn serve(&self, args: &[&str]) -> Command {
        let mut command = telefile(&[&["serve", "--config", &self.path], args].concat());
        command.current_dir(self.folder.path());
        command
    }

    /// Checks that a mistake is reported with its line, and with all of `words`.
    #[track_caller]
    fn is_wrong_in(&self, line: usize, words: &[&str]) {
        let place = format!("{}:{line}: ", self.path);
        run(self.serve(&[])).failed(1, &[&[&place[..]], words].concat());
    }
}

#[test]
fn every_option_can_come_from_a_file() {
    let text = "\
listen = [\"127.0.0.1:0\", \"unix:socket\"]
token-file = \"token\"
insecure = false
metrics = \"unix:metrics\"
data = \"data\"
max-data = \"16M\"
root = \"files\"
connections = 7
max-contents = 1_000_000 # bytes
max-memory = \"48M\"
idle-timeout = 600.5
write-timeout = 0x1e
allow-backup = true
dedicated = true
";
    let config = Config::new(text);
    fs::write(config.folder.path().join("token"), "s3cret\n").unwrap();
    let serving = Serving::from(config.serve(&[]));
    assert_eq!(serving.addresses[1].to_string(), "unix:socket");
    let mut client = serving.client();
    assert_eq!(client.ask("stats"), "ERR_DENIED");
    assert!(client.ask("hello s3cret").ends_with(" 600.5"));
    assert_eq!(client.stat("connections_max"), 7);
    assert_eq!(client.stat("contents_max"), 1_000_000);
    assert_eq!(client.stat("memory_max"), 48 << 20);
    assert!(config.folder.path().join("data").is_dir());
    assert!(config.folder.path().join("metrics").exists());
    // One table has one place, so these have a file of their own.
    let in_etcd = "\
data = \"data\"
etcd = [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"]
etcd-prefix = \"here/\"
etcd-user = \"me\"
etcd-password-file = \"password\"
etcd-ca = \"ca.pem\"
etcd-cert = \"cert.pem\"
etcd-key = \"key.pem\"
advertise = \"127.0.0.1:1\"
";
    let config = Config::new(in_etcd);
    run(config.serve(&[])).failed(2, &["--etcd and --data exclude each other"]);
    // A new option is in this test.
    let text = [text, in_etcd].concat();
    let help = run(telefile(&["serve", "--help"])).stdout;
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags = flags.map(|flag| flag.split(' ').next().unwrap());
    let missing: Vec<_> =
        flags.filter(|flag| *flag != "config" && !text.contains(&format!("{flag} = "))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_flag_comes_before_a_variable_and_a_variable_before_the_file() {
    let text = "listen = \"127.0.0.1:1\"\nconnections = 5\nmax-contents = 1024\ninsecure = true\n";
    let config = Config::new(text);
    let mut command = telefile(&["serve", "--connections", "7"]);
    let variables = [
        ("TELEFILE_CONFIG", &config.path[..]),
        ("TELEFILE_LISTEN", "0.0.0.0:0"),
        ("TELEFILE_CONNECTIONS", "6"),
        ("TELEFILE_MAX_CONTENTS", "2048"),
    ];
    command.envs(variables);
    let serving = Serving::from(command);
    assert_eq!(serving.addresses.len(), 1);
    let mut client = serving.client();
    assert_eq!((client.stat("connections_max"), client.stat("contents_max")), (7, 2048));
    drop(serving);

    let mut command = telefile(&["serve", "--max-contents=3K"]);
    command.envs(variables).env("TELEFILE_INSECURE", "0");
    run(command).failed(2, &["0.0.0.0:0", "--insecure"]);
}

#[test]
fn a_mistake_is_reported_with_its_line_and_key() {
    for (text, line, words) in [
        ("max_contents = 1", 1, &["unknown key max_contents", "max-contents?"][..]),
        ("\n# x\nconections = 1", 3, &["unknown key conections", "connections?"]),
        ("[serve]\nconnections = 1", 1, &["unknown key serve"]),
        ("data.dir = 1", 1, &["data: a text is required"]),
        ("config = \"x\"", 1, &["unknown key config"]),
        ("help = true", 1, &["unknown key help"]),
        ("\"a\\nb\" = 1", 1, &["unknown key a\\nb"]),
        ("connections = \"7\"", 1, &["connections: a whole number is required"]),
        ("connections = 7.0", 1, &["connections: a whole number is required"]),
        ("connections = 0", 1, &["connections: ", "'0'", "at least 1"]),
        ("insecure = 1", 1, &["insecure: true or false is required"]),
        ("idle-timeout = \"5\"", 1, &["idle-timeout: a number of seconds is required"]),
        ("idle-timeout = nan", 1, &["idle-timeout: ", "not a number of seconds"]),
        ("idle-timeout = 2026-11-28", 1, &["idle-timeout: a number of seconds is required"]),
        ("token-file = 5", 1, &["token-file: a text is required"]),
        ("token-file = [\"a\"]", 1, &["token-file: a text is required"]),
        ("max-memory = -1", 1, &["max-memory: ", "'-1'"]),
        ("max-memory = true", 1, &["max-memory: a number of bytes, or a text such as \"64M\""]),
        ("max-memory = 99999999999999999999", 1, &["max-memory: ", "too large"]),
        ("listen = []", 1, &["listen: a text or a list of texts is required"]),
        ("listen = [\n\"127.0.0.1:0\",\n8080]", 3, &["listen: "]),
        ("listen = [\n\"127.0.0.1:0\",\n\"8080\"]", 3, &["listen: ", "HOST:PORT"]),
        ("connections = 1\nconnections = 2", 2, &["duplicate key"]),
        ("connections = 1\n\nx = = 1", 3, &[]),
        ("connections = 5\ndata = \"x", 2, &[]),
    ] {
        Config::new(text).is_wrong_in(line, words);
    }
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    assert!(program("mkfifo").arg(at("pipe")).status().unwrap().success());
    // A hole: it takes no room on the disk.
    fs::File::create(at("gigabyte")).unwrap().set_len(1 << 30).unwrap();
    fs::write(at("latin-1"), b"root = \"\xe9\"").unwrap();
    for (path, why) in [
        (at("missing"), "No such file"),
        (at(""), "directory"),
        (at("pipe"), "a pipe"),
        (at("gigabyte"), "more than 1048576 bytes"),
        ("/dev/zero".to_string(), "more than 1048576 bytes"),
        (at("latin-1"), "not UTF-8"),
    ] {
        run(telefile(&["serve", "--config", &path])).failed(1, &[&path, why]);
    }
    // Longer than a message should be, and deeper than a parser that recurses has stack.
    Config::new("k".repeat(1_000_000) + " = 1").is_wrong_in(1, &["unknown key of 1000000 bytes"]);
    for deep in [format!("listen = {}", "[".repeat(300_000)), "a.".repeat(300_000) + "b = 1"] {
        Config::new(deep).is_wrong_in(1, &[]);
    }
}

#[test]
fn an_empty_file_and_no_file_are_the_same() {
    for empty in ["", "\n# only a comment", "\u{feff}"] {
        let config = Config::new(empty);
        assert_eq!(Serving::from(config.serve(&["--listen", "127.0.0.1:0"])).addresses.len(), 1);
    }
    drop(Serving::local(&["--config", "/dev/null"]));
}

/// The pages show files of options, and one is installed. The mistake below them is the only one.
#[test]
fn the_files_that_are_shown_and_installed_are_right() {
    let root = env!("CARGO_MANIFEST_DIR");
    let installed = fs::read_to_string(format!("{root}/packaging/telefile.toml")).unwrap();
    let all: String = installed.lines().map(uncommented).collect();
    let mut texts = vec![installed, all];
    for page in pages() {
        let blocks = page.blocks().into_iter().filter(|block| block.is_options());
        texts.extend(blocks.map(|block| block.body.to_string()));
    }
    assert!(texts.len() > 2);
    for text in texts {
        let config = Config::new(format!("{text}\nno-such-key = 1\n"));
        config.is_wrong_in(
            text.lines().count() + 2 - usize::from(!text.ends_with('\n')),
            &["unknown key no-such-key"],
        );
    }
}

/// Returns a line with what is commented out there.
fn uncommented(line: &str) -> String {
    let line = line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line);
    format!("{line}\n")
}
