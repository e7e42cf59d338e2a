//! Bars that show the progress of a verb, on a terminal alone.

pub(super) use indicatif::ProgressBar;
use indicatif::ProgressStyle;

const BAR: &str = "{msg} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} {wide_bar}";

/// Returns a bar on stderr for this many bytes, `None` if that is not known yet: with 0 it would be
/// full. It is hidden if stderr is no terminal.
pub(super) fn bar_of_bytes(total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    // The template is ours.
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    bar
}
