//! The patterns of a folder beside those of its ignore file. They are kept in the marker.

use super::ignored::Ignored;
use super::marker::Marker;
use crate::sync::error::Error;
use crate::sync::path::MARKER;
use crate::sync::settings::Settings;

/// Returns the patterns of a folder: those of the settings, or else those of the last start that had
/// any. Otherwise a restart without them would send what was left alone.
pub(in crate::sync) fn choose_patterns(
    settings: &Settings,
    marker: &Marker,
) -> Result<Vec<String>, Error> {
    if !settings.ignore.is_empty() {
        return Ok(settings.ignore.clone());
    }
    let patterns = marker.patterns()?;
    let checked = Ignored::new(b"", &patterns);
    checked.map_err(|why| Error::Refused(format!("{MARKER}/ignore: {why}")))?;
    Ok(patterns)
}
