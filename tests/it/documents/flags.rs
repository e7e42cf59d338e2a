//! The pages name every command and every option that the program has.

use super::page::Page;
use crate::process::{run, telefile};

#[test]
fn the_pages_name_every_command_and_option() {
    let page = |name: &str| Page::load(&format!("tutorial/reference/{name}.md")).text;
    let (shell, serve, bench) = (page("shell"), page("server"), page("benchmarks"));
    let sync = page("sync");
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let mut missing = Vec::new();
    for command in &commands {
        let page = match &command[..] {
            "serve" => &serve,
            "bench" => &bench,
            "sync" => &sync,
            _ => &shell,
        };
        let names = [format!("telefile {command}")].into_iter().chain(options(command));
        let is_missing = |name: &String| !page.split(['`', ' ', '\n']).any(|word| word == name);
        let names = names.filter(|name| match name.starts_with("--") {
            true => is_missing(name),
            false => !page.contains(name),
        });
        missing.extend(names.map(|name| format!("{command}: {name}")));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// Returns the commands that `telefile --help` lists.
fn commands() -> Vec<String> {
    let help = run(telefile(&["--help"])).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next()).map(String::from);
    names.filter(|name| name != "help").collect()
}

/// Returns the long options of a command, except --help.
fn options(command: &str) -> Vec<String> {
    let help = run(telefile(&[command, "--help"])).stdout;
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words =
        lines.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    let options: Vec<_> = words.map(String::from).collect();
    assert!(options.iter().any(|option| option == "--help"), "{command}: {help}");
    options.into_iter().filter(|option| option != "--help").collect()
}
