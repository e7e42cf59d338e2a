//! Chapter 7, build it: split a text into its parts by their counts.

/// Returns the parts of an input such as `5:hello,2:hi,`, or `None` if it is not well formed.
fn parts(input: &[u8]) -> Option<Vec<&[u8]>> {
    let pieces = input.strip_suffix(b",")?.split(|byte| *byte == b',');
    pieces.map(|piece| piece.splitn(2, |byte| *byte == b':').nth(1)).collect()
}

fn main() {
    for (input, expected) in [
        (&b"5:hello,2:hi,"[..], &["hello", "hi"][..]),
        (b"12:hello, world,0:,", &["hello, world", ""]),
        (b"4:3:a,,", &["3:a,"]),
    ] {
        let found = parts(input).unwrap_or_else(|| panic!("{}: no parts", input.escape_ascii()));
        let found: Vec<_> = found.iter().map(|part| part.escape_ascii().to_string()).collect();
        assert_eq!(found, expected, "{}", input.escape_ascii());
    }
    for bad in [&b"5:hell,"[..], b"5:hello", b"5hello,", b"x:hello,", b"99999999999999999999:a,"] {
        assert_eq!(parts(bad), None, "{}", bad.escape_ascii());
    }
    println!("any bytes are contents");
}
