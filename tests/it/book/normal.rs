//! Lines of output without what differs from run to run: process ids, ports, times, addresses in
//! memory, numbers of kernel objects, temporary files.

/// Words before a number that differs.
const BEFORE: &[&str] =
    &["pid=", "pid ", "PID ", "/proc/", "ino=", "inode ", "port ", "htons(", "thread "];

/// Units of time behind a number that differs.
const UNITS: &[&str] = &["ms", "us", "µs", "ns", "s", "seconds", "milliseconds", "microseconds"];

/// A number of this many digits is one that the kernel has chosen.
const MANY_DIGITS: usize = 7;

/// Returns the line with `#` for each number that differs, and with single spaces.
pub(super) fn normal(line: &str) -> String {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut seen = String::new();
    let mut rest = &line[..];
    while let Some(c) = rest.chars().next() {
        let length = if seen.ends_with("/tmp/") {
            seen.push('#');
            rest.find([' ', '"', '\'', ')', ',', ':']).unwrap_or(rest.len())
        } else if let Some(address) = rest.strip_prefix("0x") {
            seen.push_str("0x#");
            2 + address.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(address.len())
        } else if c.is_ascii_digit() {
            let length = number(rest);
            let (digits, after) = rest.split_at(length);
            seen.push_str(if differs(&seen, digits, after) { "#" } else { digits });
            length
        } else {
            seen.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    seen
}

/// Returns the length of a number with its points and, if it is a time of day, its colons.
fn number(text: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let is_time =
        |text: &[u8]| matches!(text, [_, _, b':', _, _, b':', d, ..] if d.is_ascii_digit());
    let mut length = digits(text);
    if is_time(text.as_bytes()) && length == 2 {
        length = 6 + digits(&text[6..]);
    }
    while text[length..].starts_with('.') && digits(&text[length + 1..]) > 0 {
        length += 1 + digits(&text[length + 1..]);
    }
    length
}

fn differs(before: &str, number: &str, after: &str) -> bool {
    let is_unit = |unit: &str| {
        let behind = after.trim_start().strip_prefix(unit);
        behind.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    match number.matches('.').count() {
        _ if number.contains(':') => true,
        0 => {
            BEFORE.iter().any(|word| before.ends_with(word))
                || (before.ends_with('[') && after.starts_with(']'))
                || (before.ends_with(':') && number.len() >= 4)
                || (before.is_empty() && number.len() >= 3 && after.starts_with(' '))
                || number.len() >= MANY_DIGITS
                || UNITS.iter().any(|unit| is_unit(unit))
        }
        1 => true,
        _ => false,
    }
}

#[test]
fn what_differs_from_run_to_run_is_made_equal_and_nothing_else() {
    for (line, expected) in [
        ("[pid 31] read(3, \"a\", 64) = 1", "[pid #] read(3, \"a\", 64) = 1"),
        ("12:00:01.5 bind 127.0.0.1:45001 0x7ffe12ab", "# bind 127.0.0.1:# 0x#"),
        ("3 -> socket:[81221] {sin_port=htons(8080)}", "3 -> socket:[#] {sin_port=htons(#)}"),
        (
            "took 404 ms,  and 1.25s; 16384 bytes, 12 sends",
            "took # ms, and #s; 16384 bytes, 12 sends",
        ),
        ("4711 bind(3, \"/tmp/telefile-9/s\")", "# bind(3, \"/tmp/#\")"),
        ("inode 1234567 in ch05, v0.1.0, 8080", "inode # in ch05, v0.1.0, 8080"),
        ("p50 12 and 3 seconds", "p50 12 and # seconds"),
    ] {
        assert_eq!(normal(line), expected);
    }
}
