//! Lines, their ends and Telnet commands, however the input is cut.

use super::*;

/// Feeds `input` in pieces of `step` bytes; lines as text, or the error.
fn lines_of(input: &[u8], step: usize) -> Result<Vec<String>, String> {
    let (mut lines, mut line, mut found) = (LineBuffer::new(500), Vec::new(), Vec::new());
    for mut piece in input.chunks(step) {
        while !piece.is_empty() {
            lines.receive_from(&mut piece);
            while lines.take_line(&mut line).map_err(|e| e.to_string())? {
                found.push(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
    Ok(found)
}

fn check(input: &[u8], expected: Result<Vec<String>, String>) {
    for step in [1, 2, 3, 7, 499, 500, 501, 1 << 20] {
        assert_eq!(lines_of(input, step), expected, "in pieces of {step}");
    }
}

#[test]
fn both_line_ends_and_a_tail_that_waits() {
    check(b"a\r\n\nbc\nd", Ok(vec!["a".into(), "".into(), "bc".into()]));
    check(b"", Ok(vec![]));
    check(b"a\r", Ok(vec![]));
}

#[test]
fn the_500th_byte_is_too_much_with_or_without_a_line_end() {
    let (just, over) = ("x".repeat(499), "x".repeat(500));
    check(format!("{just}\r\n{just}\n").as_bytes(), Ok(vec![just.clone(), just]));
    let too_long = Err("a line is too long".to_string());
    check(over.as_bytes(), too_long.clone());
    check(format!("{over}\n").as_bytes(), too_long.clone());
    check("x".repeat(100_000).as_bytes(), too_long);
}

#[test]
fn a_cr_inside_a_line_is_refused() {
    for input in ["a\rb\n", "\r\r\n", "a\r\r\n"] {
        check(input.as_bytes(), Err("a CR inside a line".into()));
    }
}

#[test]
fn many_lines_grow_the_buffer_and_rest_shrinks_it() {
    let line = "y".repeat(99);
    let input = format!("{line}\n").repeat(3000);
    check(input.as_bytes(), Ok(vec![line; 3000]));
    let mut lines = LineBuffer::new(500);
    for _ in 0..20 {
        let n = lines.room().len();
        lines.received(n);
        lines.consume(n);
    }
    assert_eq!(lines.buffer.len(), MAX_BUFFER_BYTES);
    lines.receive_from(&mut &b"half"[..]);
    assert!(lines.is_oversized());
    lines.shrink();
    assert_eq!((lines.buffer.len(), lines.data()), (MIN_BUFFER_BYTES, &b"half"[..]));
}

#[test]
fn a_buffer_that_may_not_grow_takes_any_number_of_lines() {
    let mut lines = LineBuffer::new(500);
    lines.set_may_grow(false);
    let (mut line, mut count) = (Vec::new(), 0);
    for _ in 0..100 {
        assert!(!lines.is_full());
        let room = lines.room();
        let n = room.len();
        room.fill(b'\n');
        lines.received(n);
        assert!(lines.is_full());
        while lines.data().len() > 7 {
            count += usize::from(lines.take_line(&mut line).unwrap());
        }
    }
    assert_eq!((lines.size(), count), (MIN_BUFFER_BYTES, 100 * (MIN_BUFFER_BYTES - 7)));
    lines.set_may_grow(true);
    assert_eq!(lines.next_size(), 2 * MIN_BUFFER_BYTES);
}

#[test]
fn a_long_line_fits_also_into_a_buffer_that_may_not_grow() {
    for max_line_bytes in [500, 1023, 1024, 5000, 100_000] {
        for may_grow in [true, false] {
            let mut lines = LineBuffer::new(max_line_bytes);
            lines.set_may_grow(may_grow);
            let text = vec![b'z'; max_line_bytes - 1];
            let input = [&text[..], b"\r\n"].concat().repeat(3);
            let (mut line, mut rest, mut count) = (Vec::new(), &input[..], 0);
            while !rest.is_empty() {
                lines.receive_from(&mut rest);
                while lines.take_line(&mut line).unwrap() {
                    assert!(line == text, "{max_line_bytes}");
                    count += 1;
                }
            }
            assert_eq!(count, 3, "{max_line_bytes}");
        }
    }
}

/// Whether `input` ends contents after the line `before`; `None` if it is invalid.
fn line_end(before: &str, input: &str, telnet: bool) -> Option<bool> {
    let mut lines = LineBuffer::new(500);
    if telnet {
        lines.set_telnet();
    }
    let bytes = [before, input].concat();
    lines.receive_from(&mut bytes.as_bytes());
    assert!(before.is_empty() || lines.take_line(&mut Vec::new()).unwrap());
    let ended = lines.take_line_end();
    assert!(!matches!(ended, Ok(true)) || lines.data().is_empty());
    ended.ok()
}

#[test]
fn contents_end_as_the_line_before_them() {
    for before in ["a\n", "a\r\n", "a\r\0"] {
        let telnet = before.ends_with('\0');
        for (input, ends) in [
            ("\n", before == "a\n"),
            ("\r\n", true),
            ("\r\0", before == "a\r\0"),
            ("\rx", false),
            ("x", false),
            ("\0", false),
        ] {
            assert_eq!(
                line_end(before, input, telnet),
                ends.then_some(true),
                "{before:?} {input:?}"
            );
        }
        for input in ["", "\r"] {
            assert_eq!(line_end(before, input, telnet), Some(false), "{before:?} {input:?}");
        }
    }
    assert_eq!(line_end("a\n", "\r\0", true), None);
}

/// Checks the lines in `input` and the answers to it, however it is cut.
fn check_telnet(input: &[u8], expected: Result<&[&str], &str>, answers: &[u8]) {
    for step in [1, 2, 3, 5, 1 << 20] {
        let (mut lines, mut line, mut found) = (LineBuffer::new(500), Vec::new(), Vec::new());
        lines.set_telnet();
        let mut read = |lines: &mut LineBuffer| {
            while lines.take_line(&mut line).map_err(|e| e.to_string())? {
                found.push(line.escape_ascii().to_string());
            }
            Ok(())
        };
        let mut outcome = Ok(());
        for mut piece in input.chunks(step) {
            lines.receive_from(&mut piece);
            outcome = outcome.and_then(|()| read(&mut lines));
        }
        match expected {
            Ok(texts) => assert_eq!(
                (outcome, &found[..]),
                (Ok(()), &texts.iter().map(|t| t.to_string()).collect::<Vec<_>>()[..])
            ),
            Err(why) => assert_eq!(outcome, Err(why.to_string())),
        }
        assert_eq!(lines.answers(), answers, "in pieces of {step}");
    }
}

#[test]
fn telnet_commands_are_skipped_wherever_they_stand_in_a_line() {
    check_telnet(b"\xff\xf4\xff\xfd\x06read f\r\n", Ok(&["read f"]), b"\xff\xfc\x06");
    check_telnet(b"re\xff\xf1ad\xff\xf9 f\xff\xff\r\0\n", Ok(&["read f", ""]), b"");
    // Commands are answered before the end of their line arrives.
    check_telnet(b"rea\xff\xfb\x1f", Ok(&[]), b"\xff\xfe\x1f");
    check_telnet(b"a\xff\xfa\x18\0x\r\nterm\xff\xff\xff\xf0b\nc\n", Ok(&["ab", "c"]), b"");
    // Anything else is text, also at the end of a line.
    check_telnet(b"a\xff\r\nb\xff c\n", Ok(&["a\\xff", "b\\xff c"]), b"");
    check_telnet(b"a\r\xff\xf1\n", Err("a CR inside a line"), b"");
}

#[test]
fn telnet_commands_count_towards_the_length_of_a_line() {
    let (command, text) = (b"\xff\xfd\x01", "x".repeat(499));
    let answer = b"\xff\xfc\x01";
    let just = [&command.repeat(166)[..], b"x\r\n", text.as_bytes(), b"\n"].concat();
    check_telnet(&just, Ok(&["x", &text]), &answer.repeat(166));
    let over = [&command.repeat(166)[..], b"xx\r\n"].concat();
    check_telnet(&over, Err("a line is too long"), &answer.repeat(166));
    let negotiation = [&b"\xff\xfa"[..], &[b'x'; 600]].concat();
    check_telnet(&negotiation, Err("a line is too long"), b"");
}

#[test]
fn without_telnet_byte_255_is_text_and_cr_nul_no_end() {
    check(b"\xff\xf4a\n", Ok(vec!["\u{fffd}\u{fffd}a".into()]));
    check(b"a\r\0", Err("a CR inside a line".into()));
}
