//! The functions that scripts have beside Rhai's own (scripting.md).

/// Makes every function known to the engine.
pub(super) fn register(_engine: &mut rhai::Engine) {}
