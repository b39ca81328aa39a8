//! Once is enough: what a caller asks for again while it is still on its way, or under the same
//! idempotency key, is not started a second time (contract 2).

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::{Answered, Caller, Error, ExportLog, Id, Kind, Moment, Result};
use crate::store::Edit;

/// What a request is recognised by: who asks, and every value of the body whatever the order of its
/// keys. The idempotency key is not part of it, and null means absent.
pub(super) fn twin(caller: &Caller, body: &[u8]) -> [u8; 32] {
    let mut values: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    values.retain(|key, value| key != "idempotencyKey" && !value.is_null());
    let who = serde_json::json!([caller.organization, caller.user, caller.hubs, caller.own]);
    let mut hash = Sha256::new();
    hash.update(who.to_string());
    hash.update(Value::from_iter(values).to_string());
    hash.finalize().into()
}

/// The export that was answered under this key before.
///
/// # Errors
/// `Conflict` when it was another request.
pub fn replay(app: &App, caller: &Caller, body: &[u8], once: &str) -> Result<Option<ExportLog>> {
    let view = app.store.view()?;
    let answered = view.answered(caller.organization, &caller.user, once)?;
    match known(answered, body, app.clock.now())? {
        Some(export) => view.export(caller.organization, export),
        None => Ok(None),
    }
}

/// The export that the key of this request was answered with before, as an edit has it.
///
/// # Errors
/// `Conflict` when it was another request.
pub(super) fn before(edit: &Edit<'_>, log: &ExportLog, now: Moment) -> Result<Option<ExportLog>> {
    let Some(once) = log.once.as_deref() else { return Ok(None) };
    let answered = edit.answered(log.organization(), &log.caller.user, once)?;
    match known(answered, log.body.as_bytes(), now)? {
        Some(before) => edit.export(log.organization(), before),
        None => Ok(None),
    }
}

/// From now on the key of this request, if it has one, stands for that export.
pub(super) fn remember(edit: &mut Edit<'_>, log: &ExportLog, export: Id, now: Moment) -> Result<()> {
    let Some(once) = log.once.as_deref() else { return Ok(()) };
    let answered = Answered { export, body_sha256: hex(log.body.as_bytes()), at: now };
    edit.put_answered(log.organization(), &log.caller.user, once, &answered)
}

fn known(answered: Option<Answered>, body: &[u8], now: Moment) -> Result<Option<Id>> {
    match answered.filter(|answered| answered.holds(now)) {
        None => Ok(None),
        Some(answered) if answered.body_sha256 == hex(body) => Ok(Some(answered.export)),
        Some(_) => Err(Error::new(
            Kind::Conflict,
            "This idempotency key was used for another request. Use a fresh key for each request.",
        )),
    }
}

fn hex(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(user: &str) -> Caller {
        Caller {
            user: user.to_owned(),
            email: String::new(),
            name: String::new(),
            organization: Id([1; 12]),
            permissions: Vec::new(),
            hubs: None,
            own: false,
        }
    }

    #[test]
    fn the_same_wish_is_recognised_whatever_its_form() {
        let wish = |user, body: &str| twin(&caller(user), body.as_bytes());
        let first = wish("ana", r#"{"download":"csv","limit":5}"#);
        assert_eq!(first, wish("ana", r#" {"limit":5, "download":"csv", "status":null, "idempotencyKey":"x"}"#));
        assert_ne!(first, wish("ana", r#"{"download":"csv","limit":6}"#));
        assert_ne!(first, wish("bob", r#"{"download":"csv","limit":5}"#));
    }
}
