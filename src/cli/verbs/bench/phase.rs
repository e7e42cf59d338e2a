//! The phases of a run of `telefile bench`.

pub(super) const WARM_UP: u8 = 0;
pub(super) const MEASURE: u8 = 1;
pub(super) const STOP: u8 = 2;
