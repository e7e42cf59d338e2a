//! The versions of a transcript, as holes. A page shows those of a new server; a server that others
//! have used answers with larger ones.

use std::collections::BTreeSet;

/// Replaces each version that a reply shows by a hole, and so in later requests.
pub(super) fn for_versions(text: &str) -> String {
    let (mut seen, mut lines_follow) = (BTreeSet::new(), 0);
    let mut result = String::new();
    for line in text.lines() {
        let mark = line.find(['<', '>']).filter(|at| line[*at..].get(1..2) == Some(" "));
        let Some(at) = mark.filter(|at| line[..*at].chars().all(char::is_alphanumeric)) else {
            result += line;
            result += "\n";
            continue;
        };
        let (mark, rest) = line.split_at(at + 2);
        let is_reply = mark.contains('<');
        let mut words: Vec<String> = rest.split(' ').map(String::from).collect();
        let place = match (is_reply, &words[0][..]) {
            (true, _) if lines_follow > 0 => {
                lines_follow -= 1;
                if ["put", "del"].contains(&&words[0][..]) { Some(1) } else { Some(0) }
            }
            (
                true,
                "OK" | "CONTENTS" | "ERR_VERSION" | "STAT" | "LIST" | "CHANGES" | "ERR_COMPACTED",
            ) => Some(1),
            (true, "FD") => Some(2),
            (true, "HELLO" | "SESSION") => Some(3),
            (false, "cas" | "delete" | "touch" | "wait" | "watch") => Some(2),
            _ => None,
        };
        if is_reply && ["LIST", "CHANGES"].contains(&&words[0][..]) {
            lines_follow = words.get(2).and_then(|count| count.parse().ok()).unwrap_or(0);
        }
        let word = place.and_then(|place| words.get_mut(place));
        let number = word.as_ref().and_then(|word| word.parse::<u64>().ok());
        if let Some((word, version)) = word.zip(number.filter(|version| *version > 0)) {
            if is_reply {
                seen.insert(version);
            }
            if seen.contains(&version) {
                *word = format!("<v{version}>");
            }
        }
        // A name that `create` has made ends with its version.
        for word in &mut words {
            if let Some(at) = word.len().checked_sub(20).filter(|at| word.is_char_boundary(*at))
                && let Some(version) = word[at..].parse::<u64>().ok().filter(|v| seen.contains(v))
            {
                word.replace_range(at.., &format!("<n{version}>"));
            }
        }
        result += mark;
        result += &words.join(" ");
        result += "\n";
    }
    result
}

#[test]
fn versions_become_holes_and_nothing_else() {
    let text = "% max_contents 10\nA> write f 1\nA> 1\nA< OK 1\nB> cas f 1 1 -1\nB> 2\nB< OK 2\n\
                > cas f 9 1\n> x\n< ERR_VERSION 2\n> cas g 0 1\n> 3\n< OK 3\n< OK 0\n\
                > list *\n< LIST 3 2 0\n< 2 1 0 f\n< 3 1 0 g\n> watch * 2 1\n< CHANGES 3 1\n< put 3 1 g\n\
                >> read 1\n! closed\n< OK 4 q00000000000000000004\n> read q00000000000000000004\n";
    let expected = "% max_contents 10\nA> write f 1\nA> 1\nA< OK <v1>\nB> cas f <v1> 1 -1\nB> 2\nB< OK <v2>\n\
                > cas f 9 1\n> x\n< ERR_VERSION <v2>\n> cas g 0 1\n> 3\n< OK <v3>\n< OK 0\n\
                > list *\n< LIST <v3> 2 0\n< <v2> 1 0 f\n< <v3> 1 0 g\n> watch * <v2> 1\n< CHANGES <v3> 1\n< put <v3> 1 g\n\
                >> read 1\n! closed\n< OK <v4> q<n4>\n> read q<n4>\n";
    assert_eq!(for_versions(text), expected);
}
