//! Panics that are caught and returned as errors are not reported twice.

/// Reports no panic of a thread of which `is_guarded` says that it is caught, and reported otherwise.
pub(super) fn report_once(is_guarded: fn() -> bool) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            report(panic);
        }
    }));
}
