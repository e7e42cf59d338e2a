//! Panics that are caught and returned as errors are not reported twice.

/// Replaces the panic hook by one that is silent where `is_guarded` is true: the panic is caught there, and
/// returned as an error.
pub(super) fn report_once(is_guarded: fn() -> bool) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            report(panic);
        }
    }));
}
