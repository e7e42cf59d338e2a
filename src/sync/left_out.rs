//! Which paths rounds have left out, and which reasons people have been shown.

use std::collections::BTreeMap;

/// Of a path this many reasons are remembered. Rounds about a part of the folder may find another one
/// than rounds about all of it, in turns.
const MAX_REASONS: usize = 4;

/// Paths that are left out, each with the reasons that were shown.
#[derive(Debug, Default)]
pub(super) struct LeftOut(BTreeMap<String, Vec<String>>);

impl LeftOut {
    /// Takes what a round left out, and returns what is new of it. After a full round every other path
    /// is as it should be.
    pub(super) fn news(
        &mut self,
        left_out: &[(String, String)],
        is_full: bool,
    ) -> Vec<(String, String)> {
        let mut before = match is_full {
            true => std::mem::take(&mut self.0),
            false => BTreeMap::new(),
        };
        let mut news = Vec::new();
        for (path, why) in left_out {
            let shown = self.0.entry(path.clone()).or_default();
            shown.extend(before.remove(path).into_iter().flatten());
            if !shown.contains(why) {
                if shown.len() == MAX_REASONS {
                    shown.remove(0);
                }
                shown.push(why.clone());
                news.push((path.clone(), why.clone()));
            }
        }
        news
    }

    /// Returns how many paths are left out.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_news_once_until_its_path_is_no_longer_left_out() {
        let mut left_out = LeftOut::default();
        let mut check = |round: &[(&str, &str)], is_full, expected: &[(&str, &str)], count| {
            let own = |list: &[(&str, &str)]| {
                list.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>()
            };
            assert_eq!(left_out.news(&own(round), is_full), own(expected), "{round:?}");
            assert_eq!(left_out.count(), count, "{round:?}");
        };
        check(&[("x", "a"), ("y", "a")], true, &[("x", "a"), ("y", "a")], 2);
        check(&[("x", "a")], false, &[], 2);
        check(&[("x", "b")], false, &[("x", "b")], 2);
        // In turns.
        check(&[("x", "a"), ("y", "a")], true, &[], 2);
        check(&[("x", "b")], false, &[], 2);
        check(&[("x", "a")], true, &[], 1);
        check(&[], false, &[], 1);
        check(&[], true, &[], 0);
        check(&[("x", "a")], true, &[("x", "a")], 1);
        for n in 0..9 {
            let why = n.to_string();
            check(&[("x", &why)], n % 2 == 0, &[("x", &why)], 1);
        }
        check(&[("x", "8")], true, &[], 1);
        check(&[("x", "0")], true, &[("x", "0")], 1);
    }
}
