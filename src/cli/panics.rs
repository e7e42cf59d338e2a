//! Panics of the database: those that are caught and returned as errors are not reported twice.

/// Keeps panics that are caught and reported as damaged data from being reported as panics too.
pub(super) fn report_damage_once() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::store::is_guarded() {
            report(panic);
        }
    }));
}
